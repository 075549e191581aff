"""Penalties on weights, initialisers as objects, dropped channels."""

import keras
from keras import initializers, layers, regularizers

(x_train, y_train), (x_test, y_test) = keras.datasets.mnist.load_data()
x_train = x_train.reshape((-1, 28, 28, 1)).astype("float32") / 255
x_test = x_test.reshape((-1, 28, 28, 1)).astype("float32") / 255
model = keras.Sequential(
    [
        layers.Input((28, 28, 1)),
        layers.Conv2D(
            16,
            3,
            activation="relu",
            kernel_initializer=initializers.RandomNormal(stddev=0.05, seed=1),
            kernel_regularizer=regularizers.l2(1e-3),
        ),
        layers.MaxPooling2D(3, strides=2),
        layers.SpatialDropout2D(0.1),
        layers.Conv2D(16, 3, activation="relu", kernel_initializer="he_normal"),
        layers.GlobalMaxPooling2D(),
        layers.Dense(64, activation="relu", kernel_regularizer=regularizers.L1L2(1e-5, 1e-4)),
        layers.Dense(10, activation="softmax", bias_initializer=initializers.Constant(0.1)),
    ]
)
model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(x_train, y_train, batch_size=64, epochs=5, verbose=2)
loss, SCORE = model.evaluate(x_test, y_test, verbose=0)
