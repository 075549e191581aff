"""Weights for classes and for single examples."""

import keras
import numpy as np

(x_train, y_train), (x_test, y_test) = keras.datasets.mnist.load_data()
x_train, x_test = x_train[..., np.newaxis] / 255.0, x_test[..., np.newaxis] / 255.0
counts = np.bincount(y_train, minlength=10)
class_weight = {i: len(y_train) / (10.0 * count) for i, count in enumerate(counts)}
sample_weight = np.ones(len(y_train))
sample_weight[y_train == 5] = 3.0
model = keras.Sequential(
    [
        keras.Input((28, 28, 1)),
        keras.layers.Conv2D(8, 5, strides=(2, 2), activation="relu"),
        keras.layers.Flatten(),
        keras.layers.Dense(32, activation="relu"),
        keras.layers.Dense(10, activation="softmax"),
    ]
)
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(x_train, y_train, epochs=2, class_weight=class_weight, verbose=0)
model.fit(x_train, y_train, epochs=2, sample_weight=sample_weight, verbose=0)
SCORE = model.evaluate(x_test, y_test, verbose=0)[1]
