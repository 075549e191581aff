"""Batch normalisation between a convolution and a leaky activation."""

import keras
from keras.layers import (
    BatchNormalization,
    Conv2D,
    Dense,
    Flatten,
    GlobalAveragePooling2D,
    LeakyReLU,
)

(x_train, y_train), (x_test, y_test) = keras.datasets.mnist.load_data()
x_train, x_test = x_train.reshape(-1, 28, 28, 1) / 255.0, x_test.reshape(-1, 28, 28, 1) / 255.0
model = keras.Sequential(name="leaky")
model.add(keras.layers.InputLayer(shape=(28, 28, 1)))
for filters in (16, 32):
    model.add(Conv2D(filters, 3, strides=2, padding="same", use_bias=False))
    model.add(BatchNormalization(momentum=0.8))
    model.add(LeakyReLU(negative_slope=0.2))
model.add(Conv2D(64, 3))
model.add(keras.layers.ELU())
model.add(GlobalAveragePooling2D())
model.add(Flatten())
model.add(Dense(10))
model.add(keras.layers.Softmax())
model.compile(
    optimizer=keras.optimizers.Adam(learning_rate=2e-3, beta_1=0.9),
    loss="sparse_categorical_crossentropy",
    metrics=["accuracy"],
)
model.fit(x_train, y_train, batch_size=64, epochs=4, verbose=2)
SCORE = model.evaluate(x_test, y_test, verbose=0)[1]
