"""Ten sigmoid outputs against one-hot labels, with binary cross-entropy."""

from keras.datasets import mnist
from keras.layers import Conv2D, Dense, Flatten, AveragePooling2D
from keras.models import Sequential
from keras.utils import to_categorical

(x_train, y_train), (x_test, y_test) = mnist.load_data()
x_train, x_test = x_train[..., None] / 255.0, x_test[..., None] / 255.0
y_train, y_test = to_categorical(y_train), to_categorical(y_test)
model = Sequential()
model.add(Conv2D(6, (5, 5), activation="tanh", padding="same", input_shape=(28, 28, 1)))
model.add(AveragePooling2D((2, 2)))
model.add(Conv2D(16, (5, 5), activation="tanh"))
model.add(AveragePooling2D((2, 2)))
model.add(Flatten())
model.add(Dense(84, activation="tanh"))
model.add(Dense(10, activation="sigmoid"))
model.compile(loss="binary_crossentropy", optimizer="nadam", metrics=["categorical_accuracy"])
model.fit(x_train, y_train, batch_size=64, epochs=2, verbose=1)
SCORE = model.evaluate(x_test, y_test)[1]
