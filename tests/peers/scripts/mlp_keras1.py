"""A multilayer perceptron of Keras 1: output_dim, input_dim, init, nb_epoch. KERAS 3: NO."""

from keras.datasets import mnist
from keras.layers.core import Activation, Dense, Dropout
from keras.models import Sequential
from keras.optimizers import SGD
from keras.utils.np_utils import to_categorical

(X_train, y_train), (X_test, y_test) = mnist.load_data()
X_train = X_train.reshape(len(X_train), 784) / 255.0
X_test = X_test.reshape(len(X_test), 784) / 255.0
Y_train, Y_test = to_categorical(y_train), to_categorical(y_test)

model = Sequential()
model.add(Dense(output_dim=256, input_dim=784, init="uniform"))
model.add(Activation("tanh"))
model.add(Dropout(0.2))
model.add(Dense(output_dim=10, init="glorot_normal"))
model.add(Activation("softmax"))
sgd = SGD(lr=0.1, momentum=0.9, nesterov=True)
model.compile(loss="categorical_crossentropy", optimizer=sgd, metrics=["accuracy"])
model.fit(X_train, Y_train, nb_epoch=4, batch_size=64, validation_split=0.1, verbose=2)
loss, SCORE = model.evaluate(X_test, Y_test, batch_size=64, verbose=0)
