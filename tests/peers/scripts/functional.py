"""The functional style, one layer called on the output of the one before."""

import keras
from keras.layers import Activation, Conv2D, Dense, Flatten, Input, MaxPooling2D
from keras.models import Model

(x_train, y_train), (x_test, y_test) = keras.datasets.mnist.load_data()
x_train = x_train.reshape(-1, 28, 28, 1).astype("float32") / 255.0
x_test = x_test.reshape(-1, 28, 28, 1).astype("float32") / 255.0

inputs = Input(shape=(28, 28, 1), name="img")
x = Conv2D(16, 3)(inputs)
x = Activation("relu")(x)
x = MaxPooling2D()(x)
x = Conv2D(32, 3, activation="relu", name="features")(x)
x = MaxPooling2D()(x)
x = Flatten()(x)
x = Dense(64, activation="relu")(x)
outputs = Dense(10, activation="softmax", name="digits")(x)
model = Model(inputs=inputs, outputs=outputs, name="mnist_model")
model.summary()
model.compile(
    optimizer=keras.optimizers.Adam(),
    loss=keras.losses.SparseCategoricalCrossentropy(),
    metrics=[keras.metrics.SparseCategoricalAccuracy()],
)
model.fit(x_train, y_train, batch_size=64, epochs=3, validation_split=0.2)
features = Model(inputs=model.input, outputs=model.get_layer("features").output)
assert features.predict(x_test[:5]).shape == (5, 11, 11, 32)
SCORE = model.evaluate(x_test, y_test, verbose=2)[1]
