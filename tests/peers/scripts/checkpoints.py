"""The best epoch kept, an early stop, a log as CSV, and the model opened again."""

import csv

import keras
import numpy as np
from keras.callbacks import CSVLogger, EarlyStopping, ModelCheckpoint
from keras.models import load_model

(x_train, y_train), (x_test, y_test) = keras.datasets.mnist.load_data()
x_train, x_test = x_train / 255.0, x_test / 255.0
model = keras.Sequential()
model.add(keras.layers.Reshape((784,), input_shape=(28, 28)))
model.add(keras.layers.Dense(64, activation="relu"))
model.add(keras.layers.Dropout(0.3))
model.add(keras.layers.Dense(10, activation="softmax"))
model.compile(loss="sparse_categorical_crossentropy", optimizer="adam", metrics=["accuracy"])
callbacks = [
    ModelCheckpoint("best.keras", monitor="val_loss", save_best_only=True, mode="min", verbose=1),
    EarlyStopping(monitor="val_loss", min_delta=0.001, patience=2, restore_best_weights=True),
    CSVLogger("training.csv"),
]
history = model.fit(
    x_train, y_train, validation_split=0.2, epochs=8, batch_size=64, callbacks=callbacks, verbose=0
)
with open("training.csv") as file:
    rows = list(csv.DictReader(file))
assert len(rows) == len(history.epoch)
assert {"epoch", "loss", "val_loss", "accuracy", "val_accuracy"} <= set(rows[0])
best = load_model("best.keras")
best_epoch = int(np.argmin(history.history["val_loss"]))
cut = int(len(x_train) * 0.8)
again = best.evaluate(x_train[cut:], y_train[cut:], verbose=0)
assert abs(again[0] - history.history["val_loss"][best_epoch]) < 1e-4
SCORE = best.evaluate(x_test, y_test, verbose=0)[1]
