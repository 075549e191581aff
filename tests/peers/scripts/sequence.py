"""Batches from a Sequence (PyDataset today), and a model in a model."""

import keras
import numpy as np

(x_train, y_train), (x_test, y_test) = keras.datasets.mnist.load_data()


class Digits(keras.utils.PyDataset):
    def __init__(self, x, y, size, **kwargs):
        super().__init__(**kwargs)
        self.x, self.y, self.size = x, y, size

    def __len__(self):
        return int(np.ceil(len(self.x) / self.size))

    def __getitem__(self, index):
        rows = slice(index * self.size, (index + 1) * self.size)
        return self.x[rows, :, :, None] / 255.0, self.y[rows]


base = keras.Sequential(
    [
        keras.Input((28, 28, 1)),
        keras.layers.Conv2D(16, 3, strides=2, activation="relu"),
        keras.layers.Flatten(),
    ],
    name="base",
)
model = keras.Sequential([base, keras.layers.Dense(10, activation="softmax", name="head")])
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(Digits(x_train, y_train, 64), epochs=3, validation_data=Digits(x_test, y_test, 100))
assert [layer.name for layer in model.layers] == ["base", "head"]
SCORE = model.evaluate(Digits(x_test, y_test, 100))[1]
