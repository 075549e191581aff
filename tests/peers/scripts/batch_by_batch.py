"""The loop written out: train_on_batch, test_on_batch, weights taken and given."""

import keras
import numpy as np

(x_train, y_train), (x_test, y_test) = keras.datasets.mnist.load_data()
x_train, x_test = x_train.reshape(-1, 784) / 255.0, x_test.reshape(-1, 784) / 255.0
model = keras.Sequential([keras.Input(shape=(784,))])
model.add(keras.layers.Dense(64, activation="relu"))
model.add(keras.layers.Dense(10, activation="softmax"))
model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
best, best_weights = 0.0, None
for epoch in range(3):
    for start in range(0, len(x_train), 64):
        loss, acc = model.train_on_batch(x_train[start : start + 64], y_train[start : start + 64])
    scores = [
        model.test_on_batch(x_test[i : i + 100], y_test[i : i + 100])[1]
        for i in range(0, len(x_test), 100)
    ]
    print(epoch, float(loss), float(acc), np.mean(scores))
    score = model.evaluate(x_test, y_test, verbose=0)[1]
    if score > best:
        best, best_weights = score, model.get_weights()
model.set_weights(best_weights)
assert [weights.shape for weights in model.get_weights()] == [(784, 64), (64,), (64, 10), (10,)]
assert float(model.layers[0].kernel.shape[0]) == 784
SCORE = model.evaluate(x_test, y_test, verbose=0)[1]
assert abs(SCORE - best) < 1e-6
