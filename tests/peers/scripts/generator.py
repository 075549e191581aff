"""Batches from a generator of one's own, counted by steps_per_epoch."""

import keras
import numpy as np
from keras import layers, models

(x_train, y_train), (x_test, y_test) = keras.datasets.mnist.load_data()


def batches(x, y, size):
    order = np.arange(len(x))
    while True:
        np.random.shuffle(order)
        for start in range(0, len(x) - size + 1, size):
            chosen = order[start : start + size]
            yield (
                x[chosen].reshape(-1, 28, 28, 1) / 255.0,
                keras.utils.to_categorical(y[chosen], 10),
            )


model = models.Sequential()
model.add(layers.Input((28, 28, 1)))
model.add(layers.Conv2D(16, (3, 3), activation="relu", padding="same"))
model.add(layers.MaxPooling2D((2, 2)))
model.add(layers.Flatten())
model.add(layers.Dense(64, activation="relu"))
model.add(layers.Dense(10, activation="softmax"))
model.compile(optimizer="rmsprop", loss="categorical_crossentropy", metrics=["acc"])
history = model.fit(
    batches(x_train, y_train, 64),
    steps_per_epoch=len(x_train) // 64,
    epochs=3,
    validation_data=batches(x_test, y_test, 50),
    validation_steps=len(x_test) // 50,
)
assert sorted(history.history) == ["acc", "loss", "val_acc", "val_loss"]
SCORE = history.history["val_acc"][-1]
