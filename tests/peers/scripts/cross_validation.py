"""Three folds, each trained on a clone of the same model."""

import keras
import numpy as np
from keras.models import clone_model

(x, y), (x_test, y_test) = keras.datasets.mnist.load_data()
x, x_test = x.reshape(-1, 784).astype("float32") / 255, x_test.reshape(-1, 784) / 255.0


def create_model():
    model = keras.models.Sequential()
    model.add(keras.layers.Input(shape=(784,)))
    model.add(keras.layers.Dense(100, activation="relu", kernel_initializer="he_uniform"))
    model.add(keras.layers.Dense(10, activation="softmax"))
    return model


template = create_model()
scores, folds = [], np.array_split(np.arange(len(x)), 3)
for held_out in range(3):
    rows = np.concatenate([fold for i, fold in enumerate(folds) if i != held_out])
    model = clone_model(template)
    opt = keras.optimizers.SGD(learning_rate=0.05, momentum=0.9)
    model.compile(optimizer=opt, loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(x[rows], y[rows], epochs=3, batch_size=32, verbose=0)
    _, acc = model.evaluate(x[folds[held_out]], y[folds[held_out]], verbose=0)
    print("> %.3f" % (acc * 100.0))
    scores.append(acc)
SCORE = float(np.mean(scores))
