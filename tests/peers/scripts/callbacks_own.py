"""Callbacks of one's own: losses of batches, a stop at an accuracy, lambdas."""

import keras

(x_train, y_train), (x_test, y_test) = keras.datasets.mnist.load_data()
x_train, x_test = x_train / 255.0, x_test / 255.0


class LossHistory(keras.callbacks.Callback):
    def on_train_begin(self, logs={}):
        self.losses = []

    def on_batch_end(self, batch, logs={}):
        self.losses.append(logs.get("loss"))


class StopAt(keras.callbacks.Callback):
    def __init__(self, accuracy):
        super().__init__()
        self.accuracy = accuracy

    def on_epoch_end(self, epoch, logs=None):
        if logs.get("accuracy") > self.accuracy:
            print("\nenough, stopped")
            self.model.stop_training = True


seen = []
printing = keras.callbacks.LambdaCallback(
    on_epoch_begin=lambda epoch, logs: seen.append(epoch),
    on_train_end=lambda logs: seen.append("end"),
)
model = keras.models.Sequential(
    [
        keras.layers.Flatten(input_shape=(28, 28)),
        keras.layers.Dense(256, activation="relu"),
        keras.layers.Dense(10, activation="softmax"),
    ]
)
model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
losses, stop = LossHistory(), StopAt(0.93)
history = model.fit(x_train, y_train, epochs=20, callbacks=[losses, stop, printing], verbose=0)
assert len(losses.losses) == len(history.epoch) * -(-len(x_train) // 32)
assert seen == [*history.epoch, "end"]
assert 1 < len(history.epoch) < 20
SCORE = model.evaluate(x_test, y_test, verbose=0)[1]
