"""A loss and a metric of one's own, made of NumPy-like arithmetic on what Keras hands over."""

import keras

(x_train, y_train), (x_test, y_test) = keras.datasets.mnist.load_data()
x_train, x_test = x_train.reshape(-1, 784) / 255.0, x_test.reshape(-1, 784) / 255.0
y_train, y_test = keras.utils.to_categorical(y_train), keras.utils.to_categorical(y_test)


def mean_error(y_true, y_pred):
    return ((y_true - y_pred) ** 2).mean(-1)


model = keras.Sequential(
    [keras.layers.Dense(64, activation="relu"), keras.layers.Dense(10, activation="softmax")]
)
model.compile(
    optimizer="adam",
    loss=keras.losses.CategoricalCrossentropy(label_smoothing=0.1),
    metrics=[
        "accuracy",
        mean_error,
        keras.metrics.TopKCategoricalAccuracy(k=3, name="top3"),
        "mse",
    ],
)
history = model.fit(x_train, y_train, epochs=4, batch_size=64, verbose=2)
assert list(history.history) == ["accuracy", "loss", "mean_error", "mse", "top3"] or set(
    history.history
) == {"accuracy", "loss", "mean_error", "mse", "top3"}
assert abs(history.history["mse"][-1] - history.history["mean_error"][-1]) < 1e-4
result = model.evaluate(x_test, y_test, return_dict=True)
assert result["top3"] > result["accuracy"]
SCORE = result["accuracy"]
