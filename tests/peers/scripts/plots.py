"""A picture of the model, and one of its history."""

import os

import keras
import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from keras.utils import plot_model

(x_train, y_train), (x_test, y_test) = keras.datasets.mnist.load_data()
x_train, x_test = x_train.reshape(-1, 784) / 255.0, x_test.reshape(-1, 784) / 255.0
model = keras.Sequential([keras.Input((784,)), keras.layers.Dense(10, activation="softmax")])
model.compile(optimizer="sgd", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
history = model.fit(x_train, y_train, validation_split=0.1, epochs=5, batch_size=16, verbose=0)
try:
    plot_model(model, to_file="model.png", show_shapes=True, show_layer_names=True)
except ImportError as error:  # pydot is missing
    print(error)
for key in ("accuracy", "val_accuracy"):
    plt.plot(history.epoch, history.history[key], label=key)
plt.legend()
plt.savefig("history.png")
assert os.path.exists("history.png")
SCORE = model.evaluate(x_test, y_test, verbose=0)[1]
