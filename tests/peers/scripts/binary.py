"""Is it a five? One sigmoid output, binary cross-entropy, weights for the rare class."""

import keras
import numpy as np
from keras.layers import Dense, Dropout
from keras.models import Sequential

(x_train, y_train), (x_test, y_test) = keras.datasets.mnist.load_data()
x_train = x_train.reshape(-1, 784) / 255.0
x_test = x_test.reshape(-1, 784) / 255.0
y_train, y_test = (y_train == 5).astype(int), (y_test == 5).astype(int)

model = Sequential(
    [
        Dense(64, activation="relu", input_shape=(784,)),
        Dropout(0.2),
        Dense(1, activation="sigmoid"),
    ]
)
model.compile(optimizer="adam", loss="binary_crossentropy", metrics=["accuracy"])
model.fit(x_train, y_train, epochs=4, batch_size=64, class_weight={0: 1.0, 1: 5.0}, verbose=2)
predicted = (model.predict(x_test) > 0.5).astype("int32").ravel()
assert abs(np.mean(predicted == y_test) - model.evaluate(x_test, y_test)[1]) < 1e-6
SCORE = float(np.mean(predicted == y_test))
