"""Rates that change: by a function of the epoch, and by a schedule of steps."""

import keras
from keras.callbacks import LearningRateScheduler

(x_train, y_train), (x_test, y_test) = keras.datasets.mnist.load_data()
x_train, x_test = x_train.reshape(-1, 784) / 255.0, x_test.reshape(-1, 784) / 255.0


def build(optimizer):
    model = keras.Sequential()
    model.add(keras.layers.Dense(64, activation="relu", input_shape=(784,)))
    model.add(keras.layers.Dense(10, activation="softmax"))
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


annealed = build(keras.optimizers.Adam(learning_rate=1e-3))
annealer = LearningRateScheduler(lambda epoch: 2e-3 * 0.5**epoch)
history = annealed.fit(x_train, y_train, epochs=3, callbacks=[annealer], verbose=0)
assert abs(history.history["learning_rate"][-1] - 5e-4) < 1e-9
schedule = keras.optimizers.schedules.ExponentialDecay(
    0.1, decay_steps=100, decay_rate=0.8, staircase=True
)
decayed = build(keras.optimizers.SGD(learning_rate=schedule, momentum=0.8))
decayed.fit(x_train, y_train, epochs=3, verbose=0)
SCORE = (
    annealed.evaluate(x_test, y_test, verbose=0)[1] + decayed.evaluate(x_test, y_test, verbose=0)[1]
) / 2
