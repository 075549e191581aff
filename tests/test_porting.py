"""A training script for Keras runs here after a change of its import lines, and nothing else."""

import contextlib
import io
import re

import numpy as np
import pytest

import nn
from nn.datasets import mnist

# A script as people wrote it for Keras 2.2 and 2.3: the network, the optimiser and the calls of
# the program this project rebuilds.
SCRIPT = """
from __future__ import print_function
import keras
from keras.datasets import mnist
from keras.models import Sequential
from keras.layers import Dense, Dropout, Flatten
from keras.layers import Conv2D, MaxPooling2D
from keras import backend as K

batch_size = 128
num_classes = 10
epochs = 2
img_rows, img_cols = 28, 28

(x_train, y_train), (x_test, y_test) = mnist.load_data()

if K.image_data_format() == 'channels_first':
    x_train = x_train.reshape(x_train.shape[0], 1, img_rows, img_cols)
    x_test = x_test.reshape(x_test.shape[0], 1, img_rows, img_cols)
    input_shape = (1, img_rows, img_cols)
else:
    x_train = x_train.reshape(x_train.shape[0], img_rows, img_cols, 1)
    x_test = x_test.reshape(x_test.shape[0], img_rows, img_cols, 1)
    input_shape = (img_rows, img_cols, 1)

x_train = x_train.astype('float32')
x_test = x_test.astype('float32')
x_train /= 255
x_test /= 255
print('x_train shape:', x_train.shape)
print(x_train.shape[0], 'train samples')
print(x_test.shape[0], 'test samples')

y_train = keras.utils.to_categorical(y_train, num_classes)
y_test = keras.utils.to_categorical(y_test, num_classes)

model = Sequential()
model.add(Conv2D(32, kernel_size=(5, 5), activation='relu', input_shape=input_shape))
model.add(MaxPooling2D(pool_size=(2, 2)))
model.add(Conv2D(64, (3, 3), activation='relu'))
model.add(MaxPooling2D(pool_size=(2, 2)))
model.add(Flatten())
model.add(Dense(128, activation='relu'))
model.add(Dropout(0.3))
model.add(Dense(64, activation='relu'))
model.add(Dropout(0.5))
model.add(Dense(num_classes, activation='softmax'))

model.compile(loss=keras.losses.categorical_crossentropy,
              optimizer=keras.optimizers.Adadelta(),
              metrics=['accuracy'])

hist = model.fit(x_train, y_train,
                 batch_size=batch_size,
                 epochs=epochs,
                 verbose=1,
                 validation_data=(x_test, y_test))
print("The model has successfully trained")

score = model.evaluate(x_test, y_test, verbose=0)
print('Test loss:', score[0])
print('Test accuracy:', score[1])

model.save('mnist.h5')
print("Saving the model as mnist.h5")
"""

# The same in the words of TensorFlow 2.
TF_SCRIPT = """
import numpy as np
import tensorflow as tf
from tensorflow import keras
from tensorflow.keras import layers
from tensorflow.keras.models import Sequential, load_model
from tensorflow.keras.layers import Input, Conv2D, MaxPooling2D, Flatten, Dense, Dropout
from tensorflow.keras.layers import BatchNormalization, Activation
from tensorflow.keras.optimizers import Adam
from tensorflow.keras.callbacks import EarlyStopping, ModelCheckpoint, ReduceLROnPlateau
from tensorflow.keras.losses import SparseCategoricalCrossentropy
from tensorflow.keras.utils import to_categorical, set_random_seed
from tensorflow.keras.datasets import mnist

set_random_seed(1)
(x_train, y_train), (x_test, y_test) = mnist.load_data()
x_train = np.expand_dims(x_train.astype("float32") / 255, -1)
x_test = np.expand_dims(x_test.astype("float32") / 255, -1)

model = keras.Sequential([
    keras.Input(shape=(28, 28, 1)),
    layers.Conv2D(8, kernel_size=(3, 3), padding="same"),
    BatchNormalization(),
    Activation("relu"),
    layers.MaxPooling2D(pool_size=(2, 2)),
    layers.Flatten(),
    layers.Dropout(0.5),
    layers.Dense(10),
])
model.summary()
model.compile(optimizer=Adam(learning_rate=1e-3),
              loss=SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
callbacks = [EarlyStopping(monitor="val_loss", patience=3, restore_best_weights=True),
             ReduceLROnPlateau(monitor="val_loss", factor=0.2, patience=2, verbose=1),
             ModelCheckpoint("best.keras", monitor="val_accuracy", save_best_only=True)]
history = model.fit(x_train, y_train, epochs=3, batch_size=64, validation_split=0.1,
                    callbacks=callbacks, verbose=2)
loss, accuracy = model.evaluate(x_test, y_test, verbose=0)
labels = np.argmax(model.predict(x_test, verbose=0), axis=-1)
again = load_model("best.keras")
print(sorted(history.history), labels.shape, again.count_params() == model.count_params())
"""


def with_our_imports(script):
    """Change import lines, and only those, as a reader would."""
    lines = []
    for line in script.splitlines():
        if re.match(r"(import|from) (tensorflow|keras)", line):
            line = line.replace("tensorflow.keras", "nn").replace("from keras", "from nn")
            line = line.replace("import keras", "import nn as keras")
            line = re.sub(r"^from tensorflow import nn as keras$", "import nn as keras", line)
            line = re.sub(r"^import tensorflow as tf$", "", line)
        lines.append(line)
    return "\n".join(lines)


@pytest.fixture
def small_mnist(easy_digits, monkeypatch):
    """Let ``mnist.load_data`` return printed digits as MNIST's files would hold them."""
    x, y = easy_digits
    images, labels = (x[..., 0] * 255).astype(np.uint8), y.astype(np.uint8)
    monkeypatch.setattr(
        mnist, "load_data", lambda *_: ((images[:400], labels[:400]), (images[400:], labels[400:]))
    )


def run(script, folder, monkeypatch):
    monkeypatch.chdir(folder)
    said, names = io.StringIO(), {"__name__": "__main__"}
    with contextlib.redirect_stdout(said):
        exec(compile(script, "script.py", "exec"), names)
    return said.getvalue(), names


def test_only_import_lines_change():
    for script in (SCRIPT, TF_SCRIPT):
        before, after = script.splitlines(), with_our_imports(script).splitlines()
        changed = [old for old, new in zip(before, after, strict=True) if old != new]
        assert changed
        assert all(line.startswith(("import ", "from ")) for line in changed)
        assert not re.search(r"^(import|from) (keras|tensorflow)", "\n".join(after), re.MULTILINE)


def test_the_original_script(small_mnist, tmp_path, monkeypatch):
    said, names = run(with_our_imports(SCRIPT), tmp_path, monkeypatch)
    lines = said.splitlines()
    assert lines[:3] == ["x_train shape: (400, 28, 28, 1)", "400 train samples", "200 test samples"]
    assert "The model has successfully trained" in lines
    assert lines[-1] == "Saving the model as mnist.h5"
    model, history = names["model"], names["hist"].history
    assert model.count_params() == 233_162
    assert (model.optimizer.learning_rate, model.optimizer.rho) == (1.0, 0.95)
    assert list(history) == ["loss", "accuracy", "val_loss", "val_accuracy"]
    assert history["loss"][1] < history["loss"][0]
    saved = nn.load_model(tmp_path / "mnist.h5")
    x = names["x_test"][:20]
    np.testing.assert_allclose(saved.predict(x), model.predict(x), rtol=1e-6)


def test_a_script_of_tensorflow_2(small_mnist, tmp_path, monkeypatch):
    said, _ = run(with_our_imports(TF_SCRIPT), tmp_path, monkeypatch)
    assert said.splitlines()[-1] == (
        "['accuracy', 'learning_rate', 'loss', 'val_accuracy', 'val_loss'] (200,) True"
    )


@pytest.mark.parametrize(
    "line",
    [
        "from nn import Sequential, Input, load_model",
        "from nn.models import Sequential, load_model",
        "from nn.layers import Convolution2D, MaxPool2D, AvgPool2D, GlobalAveragePooling2D",
        "from nn.layers import Activation, BatchNormalization, ReLU, Softmax, LeakyReLU, Reshape",
        "from nn.optimizers import SGD, Adadelta, Adam, AdamW",
        "from nn.optimizers.schedules import CosineDecay, ExponentialDecay",
        "from nn.losses import categorical_crossentropy, CategoricalCrossentropy",
        "from nn.losses import sparse_categorical_crossentropy, SparseCategoricalCrossentropy",
        "from nn.metrics import categorical_accuracy, CategoricalAccuracy",
        "from nn.callbacks import EarlyStopping, ModelCheckpoint, CSVLogger, History, Callback",
        "from nn.callbacks import LearningRateScheduler, ReduceLROnPlateau, TerminateOnNaN",
        "from nn.initializers import GlorotUniform, HeNormal, Zeros",
        "from nn.activations import relu, softmax",
        "from nn.utils import to_categorical, set_random_seed",
        "from nn import utils as np_utils",
        "from nn.datasets import mnist",
        "from nn.datasets.mnist import load_data",
        "from nn import backend as K",
        "import nn.layers, nn.models, nn.optimizers, nn.losses, nn.callbacks, nn.metrics",
    ],
)
def test_names_people_import(line):
    exec(line, {})


@pytest.mark.parametrize(
    "argument",
    [
        "kernel_constraint=nn.layers",
        "dilation_rate=(2, 2)",
        "data_format='channels_first'",
    ],
)
def test_what_would_change_the_meaning_is_refused_by_name(argument):
    name = argument.split("=")[0]
    with pytest.raises(TypeError, match=rf"Conv2D: {name} is not supported"):
        eval(f"nn.layers.Conv2D(2, 3, {argument})", {"nn": nn})


def test_old_names_say_what_they_are_called_now():
    with (
        pytest.warns(FutureWarning, match="nb_epoch is an older name. Write epochs"),
        pytest.raises(ValueError, match="expected a last layer with outputs"),
    ):
        nn.Sequential().fit(np.zeros((1, 2)), np.zeros((1, 2)), nb_epoch=3)
    with pytest.warns(FutureWarning, match="Conv2D: border_mode is an older name. Write padding"):
        layer = nn.layers.Convolution2D(8, 3, border_mode="same")
    assert layer.padding == "same"
