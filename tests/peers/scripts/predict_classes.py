"""predict_classes, predict_proba and the names lr and acc of Keras 2. KERAS 3: NO."""

import keras
import numpy as np
from keras.datasets import mnist
from keras.layers.core import Dense, Dropout
from keras.optimizers import Adam

(x_train, y_train), (x_test, y_test) = mnist.load_data()
x_train = x_train.reshape(-1, 784).astype("float32") / 255
x_test = x_test.reshape(-1, 784).astype("float32") / 255
model = keras.models.Sequential()
model.add(Dense(units=128, activation="relu", input_shape=(784,)))
model.add(Dropout(rate=0.25))
model.add(Dense(units=10, activation="softmax"))
model.compile(
    loss="sparse_categorical_crossentropy", optimizer=Adam(lr=0.001), metrics=["accuracy"]
)
model.fit(x_train, y_train, batch_size=64, epochs=4, verbose=0)
classes = model.predict_classes(x_test, batch_size=128)
proba = model.predict_proba(x_test, batch_size=128)
assert np.array_equal(classes, proba.argmax(axis=1))
confusion = np.zeros((10, 10), int)
np.add.at(confusion, (y_test, classes), 1)
SCORE = np.trace(confusion) / len(y_test)
