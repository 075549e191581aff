"""Their files open here and ours open there, with the Kerases that are installed.

Keras 3 (its backend is chosen by KERAS_BACKEND) and tf-keras, which is Keras 2, write files of
many architectures; `nn` has to predict the same. Then the other way round, and training goes on.
"""

import os

import numpy as np
import pytest

import nn
from nn import saving
from nn.layers import (
    ELU,
    Activation,
    AveragePooling2D,
    BatchNormalization,
    Conv2D,
    Cropping2D,
    Dense,
    Dropout,
    Flatten,
    GaussianDropout,
    GaussianNoise,
    GlobalAveragePooling2D,
    GlobalMaxPooling2D,
    Input,
    LeakyReLU,
    MaxPooling2D,
    Permute,
    PReLU,
    ReLU,
    Rescaling,
    Reshape,
    Softmax,
    SpatialDropout2D,
    UpSampling2D,
    ZeroPadding2D,
)

pytestmark = pytest.mark.peers
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


@pytest.fixture(scope="module", params=["keras", "tf_keras"])
def keras(request):
    """Keras 3, then Keras 2."""
    return pytest.importorskip(request.param)


@pytest.fixture(autouse=True)
def plain_engine():
    """These networks are tiny: no kernel needs compiling."""
    with nn.use_backend("reference"):
        yield


def is_keras_3(keras):
    return keras.__version__ >= "3" and keras.__name__ == "keras"


# -- theirs open here ---------------------------------------------------------------------------


def functional(keras):
    L = keras.layers
    i = L.Input((12, 12, 1))
    x = L.Conv2D(3, 5, activation="sigmoid", padding="same")(i)
    x = L.AveragePooling2D(2, padding="same")(x)
    x = L.SeparableConv2D(4, 3, activation="relu", depth_multiplier=2)(x)
    x = L.DepthwiseConv2D(2, depth_multiplier=2)(x)
    x = L.GlobalMaxPooling2D()(x)
    x = L.Softmax()(L.Dense(10)(L.Reshape((8,))(x)))
    return keras.Model(i, x)


def nested(keras):
    L = keras.layers
    first = keras.Sequential([L.Input((8, 8, 1)), L.Conv2D(3, 3), L.BatchNormalization()])
    second = keras.Sequential([L.Input((6, 6, 3)), L.Conv2D(2, 3), L.BatchNormalization()])
    second.trainable = False
    last = L.Flatten(), L.Dense(10, activation="softmax")
    return keras.Sequential([L.Input((8, 8, 1)), first, second, *last])


def row(*layers):
    return lambda keras: keras.Sequential([make(keras.layers) for make in layers])


ARCHITECTURES = {
    "lenet": row(
        lambda L: L.Input((28, 28, 1)), lambda L: L.Conv2D(4, 5, activation="tanh", padding="same"),
        lambda L: L.AveragePooling2D(2), lambda L: L.Conv2D(6, 5, activation="tanh"),
        lambda L: L.AveragePooling2D(2), lambda L: L.Flatten(),
        lambda L: L.Dense(12, activation="tanh"), lambda L: L.Dense(10, activation="softmax"),
    ),
    "strided": row(
        lambda L: L.Input((11, 9, 2)), lambda L: L.ZeroPadding2D(((1, 0), (2, 1))),
        lambda L: L.Conv2D(4, (3, 2), strides=(2, 3), padding="same", use_bias=False),
        lambda L: L.BatchNormalization(scale=False), lambda L: L.ELU(),
        lambda L: L.MaxPooling2D((2, 1), padding="same"), lambda L: L.GlobalAveragePooling2D(),
        lambda L: L.Dense(10), lambda L: L.Activation("softmax"),
    ),
    "perceptron": row(
        lambda L: L.Input((28, 28)), lambda L: L.Flatten(), lambda L: L.Dense(8),
        lambda L: L.LeakyReLU(), lambda L: L.BatchNormalization(center=False),
        lambda L: L.Dropout(0.3), lambda L: L.Dense(10),
    ),
    "sequence": row(
        lambda L: L.Input((20, 3)), lambda L: L.Conv1D(4, 3, activation="relu"),
        lambda L: L.MaxPooling1D(2), lambda L: L.Conv1D(3, 3, strides=2, padding="same"),
        lambda L: L.Flatten(), lambda L: L.Dense(10, activation="softmax"),
    ),
    "rescaled": row(
        lambda L: L.Input((9, 9, 1)), lambda L: L.Rescaling(1 / 127.5, offset=-1),
        lambda L: L.Conv2D(4, 3, dilation_rate=2, activation="selu", padding="same"),
        lambda L: L.SpatialDropout2D(0.1), lambda L: L.GaussianNoise(0.1),
        lambda L: L.Dense(3, activation="softplus"), lambda L: L.Flatten(),
        lambda L: L.Dense(10, activation="softmax"),
    ),
    "grouped": row(
        lambda L: L.Input((8, 8, 4)), lambda L: L.Conv2D(6, 3, groups=2, activation="relu"),
        lambda L: L.Flatten(), lambda L: L.Dense(10, activation="softmax"),
    ),
    "turned": row(
        lambda L: L.Input((1, 8, 8)), lambda L: L.Permute((2, 3, 1)), lambda L: L.Conv2D(3, 3),
        lambda L: L.Flatten(), lambda L: L.Dense(10, activation="softmax"),
    ),
    "bent": row(
        lambda L: L.Input((9, 9, 2)), lambda L: L.Conv2D(3, 3, activation="gelu"),
        lambda L: L.PReLU(shared_axes=[1, 2], alpha_initializer="random_uniform"),
        lambda L: L.Conv2D(4, 3, activation="hard_sigmoid"), lambda L: L.Conv2D(4, 3),
        lambda L: L.ReLU(0.3, 0.1, 0.05), lambda L: L.Activation("swish"), lambda L: L.Flatten(),
        lambda L: L.Dense(9, activation="hard_sigmoid"),
        lambda L: L.PReLU(alpha_initializer="random_uniform"), lambda L: L.ReLU(max_value=6),
        lambda L: L.Dense(10, activation="softmax"),
    ),
    "functional": functional,
    "nested": nested,
}  # fmt: skip


@pytest.fixture(scope="module", params=ARCHITECTURES)
def theirs(request, keras):
    """A trained network of theirs, inputs in our layout, and its answers."""
    keras.utils.set_random_seed(1)
    model = ARCHITECTURES[request.param](keras)
    rng = np.random.default_rng(1)
    for layer in model.layers:
        for inner in getattr(layer, "layers", [layer]):
            if "batch_norm" in inner.name:
                inner.set_weights([rng.uniform(0.5, 1.5, w.shape) for w in inner.get_weights()])
    model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
    x = rng.random((6, *model.input_shape[1:])).astype(np.float32)
    model.train_on_batch(x, np.eye(10, dtype=np.float32)[:6])
    expected = model.predict(x, verbose=0)
    return model, x.transpose(0, 2, 3, 1) if request.param == "turned" else x, expected


@pytest.mark.parametrize("ending", [".h5", ".keras"])
@pytest.mark.filterwarnings("ignore")
def test_their_models_predict_the_same_here(theirs, ending, tmp_path):
    model, x, expected = theirs
    model.save(tmp_path / f"m{ending}")
    found = saving.load_model(tmp_path / f"m{ending}")
    np.testing.assert_allclose(found.predict(x), expected, atol=1e-5)


@pytest.mark.filterwarnings("ignore")
def test_their_weights_load_into_our_network(keras, tmp_path):
    theirs = ARCHITECTURES["lenet"](keras)
    ours = nn.Sequential(
        [
            Input((28, 28, 1)), Conv2D(4, 5, activation="tanh", padding="same"), AveragePooling2D(),
            Conv2D(6, 5, activation="tanh"), AveragePooling2D(), Flatten(),
            Dense(12, activation="tanh"), Dense(10, activation="softmax"),
        ]
    )  # fmt: skip
    x = np.random.default_rng(0).random((3, 28, 28, 1)).astype(np.float32)
    theirs.save_weights(tmp_path / "w.weights.h5")
    ours.load_weights(tmp_path / "w.weights.h5")
    np.testing.assert_allclose(ours.predict(x), theirs.predict(x, verbose=0), atol=1e-5)


# -- ours open there ----------------------------------------------------------------------------


def digit_network(optimizer, dropout=0.0):
    model = nn.Sequential(
        [
            Input((28, 28, 1)), Conv2D(4, 5, activation="relu"), MaxPooling2D(2),
            Conv2D(6, 3, activation="relu"), MaxPooling2D(2), Flatten(),
            Dense(8, activation="relu"), Dropout(dropout), Dense(10, activation="softmax"),
        ],
        seed=0,
    )  # fmt: skip
    model.compile(optimizer, "categorical_crossentropy", metrics=["accuracy"])
    return model


def everything():
    return nn.Sequential(
        [
            Input((784,)), Rescaling(2.0, -1.0), Reshape((28, 28, 1)), ZeroPadding2D(1),
            Cropping2D(((1, 0), (0, 1))), UpSampling2D((2, 1)), Permute((2, 1, 3)),
            GaussianNoise(0.1),
            Conv2D(3, 3, strides=2, padding="same", use_bias=False, kernel_initializer="he_normal",
                   kernel_regularizer=nn.regularizers.L2(0.03)), SpatialDropout2D(0.1, seed=2),
            BatchNormalization(), LeakyReLU(0.1), MaxPooling2D(2, 1, "same"),
            Conv2D(4, 3, kernel_initializer=nn.initializers.RandomNormal(0.0, 0.2, 3)), ReLU(),
            AveragePooling2D(2, padding="same"), ELU(), PReLU("ones", shared_axes=(1, 2)),
            ReLU(3.0, 0.1, 0.01), Activation("silu"),
            BatchNormalization(scale=False, beta_regularizer="l1"), GaussianDropout(0.1),
            GlobalAveragePooling2D(keepdims=True), GlobalMaxPooling2D(),
            Dense(10, activation="gelu", bias_regularizer=nn.regularizers.L1L2(0.01, 0.02)),
            Activation("tanh"), Dense(10), Softmax(),
        ],
        seed=0,
    )  # fmt: skip


def batch(model, count=16):
    rng = np.random.default_rng(3)
    x = rng.random((count, *model.x_shape), np.float32)
    return x, np.eye(10, dtype=np.float32)[rng.integers(0, 10, count)]


@pytest.mark.parametrize("network", [everything, lambda: digit_network("sgd", 0.5)])
@pytest.mark.parametrize("name", ["m.h5", "m.keras"])
@pytest.mark.filterwarnings("ignore")
def test_our_models_predict_the_same_there(keras, network, name, tmp_path):
    model = network()
    if name == "m.keras" and not is_keras_3(keras):
        pytest.skip("the .keras archive is written for Keras 3")
    model.metadata = {"seed": 0}
    x, _ = batch(model)
    model.save(tmp_path / name)
    found = keras.models.load_model(tmp_path / name)
    np.testing.assert_allclose(found.predict(x, verbose=0), model.predict(x), atol=1e-5)
    penalties = sum(float(penalty) for penalty in found.losses)
    assert penalties == pytest.approx(sum(model.losses), rel=1e-5)
    found.save(tmp_path / f"back_{name}")
    back = saving.load_model(tmp_path / f"back_{name}")
    np.testing.assert_allclose(back.predict(x), model.predict(x), atol=1e-5)
    assert [type(layer) for layer in back.layers] == [type(layer) for layer in model.layers]
    assert back.losses == pytest.approx(model.losses)


@pytest.mark.filterwarnings("ignore")
def test_our_weights_load_there(keras, tmp_path):
    model = digit_network("sgd")
    x, _ = batch(model)
    model.save(tmp_path / "m.h5")
    found = keras.models.load_model(tmp_path / "m.h5", compile=False)
    expected = model.predict(x)
    found.set_weights([w * 0 for w in found.get_weights()])
    model.save_weights(tmp_path / "w.weights.h5")
    found.load_weights(tmp_path / "w.weights.h5")
    np.testing.assert_allclose(found.predict(x, verbose=0), expected, atol=1e-5)


OPTIMIZERS = {
    "adadelta": lambda: nn.optimizers.Adadelta(),
    "adam": lambda: nn.optimizers.Adam(0.01),
    "momentum": lambda: nn.optimizers.SGD(0.05, momentum=0.9),
    "rmsprop": lambda: nn.optimizers.RMSprop(0.01),
    "centered": lambda: nn.optimizers.RMSprop(0.01, momentum=0.5, centered=True),
    "adamw": lambda: nn.optimizers.AdamW(0.01),
    "nesterov": lambda: nn.optimizers.SGD(0.05, momentum=0.9, nesterov=True),
}


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.filterwarnings("ignore")
def test_training_goes_on_there_and_back_here(keras, optimizer, tmp_path):
    """Three steps here, three there, three here: as nine steps here, optimiser's state and all."""
    model = digit_network(OPTIMIZERS[optimizer]())
    x, y = batch(model)
    for _ in range(3):
        model.train_on_batch(x, y)
    name = "m.keras" if is_keras_3(keras) else "m.h5"
    saving.save_model(model, tmp_path / name, keras=3 if is_keras_3(keras) else 2)
    there = keras.models.load_model(tmp_path / name)
    assert int(there.optimizer.iterations) == 3
    for _ in range(3):
        there.train_on_batch(x, y)
        model.train_on_batch(x, y)
    np.testing.assert_allclose(there.predict(x, verbose=0), model.predict(x), atol=1e-4)
    there.save(tmp_path / f"back_{name}")
    back = saving.load_model(tmp_path / f"back_{name}")
    assert back.optimizer.iterations == 6
    for _ in range(3):
        back.train_on_batch(x, y)
        model.train_on_batch(x, y)
    np.testing.assert_allclose(back.predict(x), model.predict(x), atol=1e-3)


@pytest.mark.filterwarnings("ignore")
def test_a_legacy_file_can_be_trained_on_in_either_keras(keras, tmp_path):
    model = digit_network(nn.optimizers.Adam(0.01))
    x, y = batch(model)
    model.train_on_batch(x, y)
    model.save(tmp_path / "m.h5")
    there = keras.models.load_model(tmp_path / "m.h5")
    there.train_on_batch(x, y)
    assert int(there.optimizer.iterations) == 1  # its optimiser started anew
