"""The network as JSON and its weights apart, read back into another model."""

import keras
from keras.models import Sequential, model_from_json
from keras.layers import Dense, Flatten

(x_train, y_train), (x_test, y_test) = keras.datasets.mnist.load_data()
x_train, x_test = x_train / 255.0, x_test / 255.0
y_train, y_test = keras.utils.to_categorical(y_train), keras.utils.to_categorical(y_test)

model = Sequential()
model.add(Flatten(input_shape=(28, 28)))
model.add(Dense(128, kernel_initializer="normal", activation="relu"))
model.add(Dense(10, kernel_initializer="normal", activation="softmax"))
model.compile(loss="categorical_crossentropy", optimizer="adam", metrics=["accuracy"])
model.fit(x_train, y_train, epochs=4, batch_size=200, verbose=0)

with open("model.json", "w") as json_file:
    json_file.write(model.to_json())
model.save_weights("model.weights.h5")
with open("model.json") as json_file:
    loaded = model_from_json(json_file.read())
loaded.load_weights("model.weights.h5")
loaded.compile(loss="categorical_crossentropy", optimizer="rmsprop", metrics=["accuracy"])
first = model.evaluate(x_test, y_test, verbose=0)
score = loaded.evaluate(x_test, y_test, verbose=0)
assert abs(first[0] - score[0]) < 1e-5
print("%s: %.2f%%" % (loaded.metrics_names[1], score[1] * 100))
SCORE = score[1]
