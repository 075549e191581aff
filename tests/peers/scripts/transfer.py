"""Transfer: the convolutions learn the digits below five, then stay as they are."""

import keras
import numpy as np
from keras.layers import Activation, Conv2D, Dense, Dropout, Flatten, MaxPooling2D
from keras.models import Sequential


def train_model(model, train, test, num_classes):
    x_train = train[0].reshape((-1, 28, 28, 1)).astype("float32") / 255
    x_test = test[0].reshape((-1, 28, 28, 1)).astype("float32") / 255
    y_train = keras.utils.to_categorical(train[1], num_classes)
    y_test = keras.utils.to_categorical(test[1], num_classes)
    model.compile(loss="categorical_crossentropy", optimizer="adam", metrics=["accuracy"])
    model.fit(x_train, y_train, batch_size=128, epochs=2, validation_data=(x_test, y_test))
    return model.evaluate(x_test, y_test, verbose=0)


(x_train, y_train), (x_test, y_test) = keras.datasets.mnist.load_data()
low_train, low_test = y_train < 5, y_test < 5
feature_layers = [
    Conv2D(16, 3, padding="valid", input_shape=(28, 28, 1)),
    Activation("relu"),
    Conv2D(16, 3),
    Activation("relu"),
    MaxPooling2D(pool_size=2),
    Dropout(0.25),
    Flatten(),
]
classification_layers = [
    Dense(64),
    Activation("relu"),
    Dropout(0.5),
    Dense(5),
    Activation("softmax"),
]
model = Sequential(feature_layers + classification_layers)
train_model(
    model, (x_train[low_train], y_train[low_train]), (x_test[low_test], y_test[low_test]), 5
)
before = [np.array(weights) for layer in feature_layers for weights in layer.get_weights()]
for layer in feature_layers:
    layer.trainable = False
score = train_model(
    model,
    (x_train[~low_train], y_train[~low_train] - 5),
    (x_test[~low_test], y_test[~low_test] - 5),
    5,
)
after = [np.array(weights) for layer in feature_layers for weights in layer.get_weights()]
assert all(np.array_equal(a, b) for a, b in zip(before, after))
assert len(model.trainable_weights) == 4
SCORE = score[1]
