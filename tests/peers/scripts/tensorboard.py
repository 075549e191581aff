"""TensorBoard beside the training. KERAS 3: NO, without TensorFlow."""

import keras
from keras.callbacks import TensorBoard
from keras.layers import Dense, Flatten
from keras.models import Sequential

(x_train, y_train), (x_test, y_test) = keras.datasets.mnist.load_data()
x_train, x_test = x_train / 255.0, x_test / 255.0
model = Sequential([Flatten(input_shape=(28, 28)), Dense(64, "relu"), Dense(10, "softmax")])
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
board = TensorBoard(log_dir="logs", histogram_freq=0, write_graph=False, write_images=False)
model.fit(x_train, y_train, epochs=3, validation_data=(x_test, y_test), callbacks=[board])
SCORE = model.evaluate(x_test, y_test)[1]
