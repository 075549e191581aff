"""As on Kaggle in the days of Keras 2: fit_generator. KERAS 3: NO."""

import numpy as np
from keras.callbacks import ReduceLROnPlateau
from keras.datasets import mnist
from keras.layers import BatchNormalization, Conv2D, Dense, Dropout, Flatten, MaxPool2D
from keras.models import Sequential
from keras.optimizers import RMSprop
from keras.preprocessing.image import ImageDataGenerator
from keras.utils import to_categorical

(x, labels), (x_test, y_test) = mnist.load_data()
x, x_test = x / 255.0, x_test / 255.0
x, x_test = x.reshape(-1, 28, 28, 1), x_test.reshape(-1, 28, 28, 1)
y, y_test = to_categorical(labels, num_classes=10), to_categorical(y_test, num_classes=10)
cut = len(x) * 9 // 10
x_train, x_val, y_train, y_val = x[:cut], x[cut:], y[:cut], y[cut:]

model = Sequential()
model.add(Conv2D(16, (5, 5), padding="Same", activation="relu", input_shape=(28, 28, 1)))
model.add(BatchNormalization())
model.add(MaxPool2D(pool_size=(2, 2)))
model.add(Dropout(0.25))
model.add(Conv2D(32, (3, 3), padding="Same", activation="relu"))
model.add(MaxPool2D(pool_size=(2, 2), strides=(2, 2)))
model.add(Flatten())
model.add(Dense(128, activation="relu"))
model.add(Dropout(0.5))
model.add(Dense(10, activation="softmax"))
optimizer = RMSprop(lr=0.001, rho=0.9, epsilon=1e-08, decay=0.0)
model.compile(optimizer=optimizer, loss="categorical_crossentropy", metrics=["accuracy"])
rate = ReduceLROnPlateau(monitor="val_acc", patience=3, verbose=1, factor=0.5, min_lr=0.00001)
datagen = ImageDataGenerator(
    featurewise_center=False,
    samplewise_center=False,
    rotation_range=10,
    zoom_range=0.1,
    width_shift_range=0.1,
    height_shift_range=0.1,
    horizontal_flip=False,
    vertical_flip=False,
)
datagen.fit(x_train)
history = model.fit_generator(
    datagen.flow(x_train, y_train, batch_size=86),
    epochs=3,
    validation_data=(x_val, y_val),
    verbose=2,
    steps_per_epoch=x_train.shape[0] // 86,
    callbacks=[rate],
)
predicted = np.argmax(model.predict(x_test), axis=1)
SCORE = float(np.mean(predicted == np.argmax(y_test, axis=1)))
