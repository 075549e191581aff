"""Sigmoid units and the squared error, as in textbooks."""

import keras
import numpy as np

(x_train, y_train), (x_test, y_test) = keras.datasets.mnist.load_data()
x_train = x_train.reshape(-1, 784).astype("float32") / 255
x_test = x_test.reshape(-1, 784).astype("float32") / 255
y_train = np.eye(10)[y_train]
y_test = np.eye(10)[y_test]

model = keras.models.Sequential()
model.add(keras.layers.Dense(100, input_dim=784, activation="sigmoid"))
model.add(keras.layers.Dense(10, activation="sigmoid"))
sgd = keras.optimizers.SGD(learning_rate=3.0)
model.compile(loss="mean_squared_error", optimizer=sgd, metrics=["accuracy"])
model.fit(x_train, y_train, batch_size=10, epochs=3, verbose=2)
loss, SCORE = model.evaluate(x_test, y_test, verbose=0)
