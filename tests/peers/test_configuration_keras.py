"""JSON, configurations and layers of one's own, there and back with the real Keras 3."""

import json

import numpy as np
import pytest

import nn
from nn import layers as ours
from nn import saving

keras = pytest.importorskip("keras")
pytestmark = [pytest.mark.peers, pytest.mark.filterwarnings("ignore")]


@pytest.fixture(autouse=True)
def plain_engine():
    with nn.use_backend("reference"):
        yield


def row(k):
    L = k.layers
    return k.Sequential(
        [
            k.Input((12, 12, 1)), L.Conv2D(3, 3, strides=2, padding="same", activation="relu"),
            L.BatchNormalization(momentum=0.9), L.LeakyReLU(0.1), L.MaxPooling2D(2), L.Flatten(),
            L.Dense(5, activation="silu", kernel_initializer="he_normal"), L.Dropout(0.25),
            L.Dense(3), L.Activation("softmax"),
        ]
    )  # fmt: skip


def chain(k):
    x = k.Input((12, 12, 1))
    h = k.layers.Flatten()(k.layers.Conv2D(3, 3)(x))
    return k.Model(x, k.layers.Dense(3, activation="softmax")(h))


@pytest.mark.parametrize("make", [row, chain])
@pytest.mark.parametrize("compiled", [False, True])
def test_json_there_and_back(make, compiled):
    model, theirs = make(nn), make(keras)
    if compiled:
        for one in (model, theirs):
            one.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
    there = keras.models.model_from_json(model.to_json())
    back = nn.models.model_from_json(theirs.to_json())
    x = np.random.default_rng(0).random((4, 12, 12, 1), np.float32)
    there.set_weights(model.get_weights())
    back.set_weights(theirs.get_weights())
    np.testing.assert_allclose(there.predict(x, verbose=0), model.predict(x), atol=1e-5)
    np.testing.assert_allclose(back.predict(x), theirs.predict(x, verbose=0), atol=1e-5)
    for ours_, other in ((model, there), (back, theirs)):
        assert [type(y).__name__ for y in ours_.layers] == [type(y).__name__ for y in other.layers]
        assert len(ours_.layers) == len(other.layers)
    assert there.compiled == back.compiled == compiled


@pytest.mark.parametrize("name", ["m.h5", "m.keras"])
def test_a_model_of_both_ends_in_files_there_and_back(name, tmp_path):
    model = chain(nn)
    x = np.random.default_rng(0).random((4, 12, 12, 1), np.float32)
    model.save(tmp_path / name)
    there = keras.models.load_model(tmp_path / name)
    np.testing.assert_allclose(there.predict(x, verbose=0), model.predict(x), atol=1e-5)
    there.save(tmp_path / f"back-{name}")
    back = nn.load_model(tmp_path / f"back-{name}")
    np.testing.assert_allclose(back.predict(x), model.predict(x), atol=1e-5)
    kinds = [[type(layer).__name__ for layer in m.layers] for m in (model, there, back)]
    assert kinds[0] == kinds[1] == kinds[2]


@pytest.mark.parametrize("make", [row, chain])
def test_configurations_there_and_back(make):
    model, theirs = make(nn), make(keras)
    kind = type(theirs)
    assert kind.from_config(model.get_config()).count_params() == model.count_params()
    assert nn.Sequential.from_config(theirs.get_config()).count_params() == theirs.count_params()


def test_json_has_keras_keys():
    """What differs from Keras's own JSON is left out, never another key."""

    def keys(value, path=""):
        if isinstance(value, dict):
            for key, inner in value.items():
                yield f"{path}/{key}"
                yield from keys(inner, f"{path}/{key}")
        elif isinstance(value, list):
            for inner in value:
                yield from keys(inner, path)

    mine, other = (set(keys(json.loads(make.to_json()))) for make in (row(nn), row(keras)))
    assert mine <= other


TRAINED_WITH = [
    (lambda k: "mse", lambda k: ["mae", "mse"]),
    (lambda k: k.losses.BinaryCrossentropy(from_logits=True), lambda k: ["binary_accuracy"]),
    (lambda k: k.losses.CategoricalCrossentropy(label_smoothing=0.1), lambda k: ["accuracy"]),
    (lambda k: "mean_absolute_error", lambda k: [k.metrics.BinaryAccuracy(threshold=0.3)]),
    (lambda k: "categorical_crossentropy", lambda k: [k.metrics.TopKCategoricalAccuracy(2)]),
    (lambda k: k.losses.MeanSquaredError(), lambda k: [k.metrics.MeanAbsoluteError(name="abs")]),
]


@pytest.mark.parametrize("name", ["m.h5", "m.keras"])
@pytest.mark.parametrize(("loss", "metrics"), TRAINED_WITH)
def test_losses_and_metrics_there_and_back(name, loss, metrics, tmp_path):
    x = np.random.default_rng(0).random((6, 4), np.float32)
    y = np.eye(3, dtype=np.float32)[np.arange(6) % 3]
    ends = []
    for k in (nn, keras):
        model = k.Sequential([k.Input((4,)), k.layers.Dense(3, activation="softmax")])
        model.compile("rmsprop", loss(k), metrics=metrics(k))
        model.train_on_batch(x, y)
        model.save(tmp_path / f"{k.__name__}-{name}")
        other = keras if k is nn else nn
        again = other.models.load_model(tmp_path / f"{k.__name__}-{name}")
        figures = [m.evaluate(x, y, verbose=0, return_dict=True) for m in (model, again)]
        assert figures[0] == pytest.approx(figures[1], rel=1e-4)
        ends.append(set(figures[0]))
    assert ends[0] == ends[1]


@pytest.mark.parametrize("name", ["m.h5", "m.keras"])
def test_a_layer_of_ones_own_there_and_back(name, tmp_path):
    class Scale(keras.layers.Layer):
        def __init__(self, factor=2.0, **common):
            super().__init__(**common)
            self.factor = factor

        def build(self, shape):
            self.a = self.add_weight(shape=(shape[-1],), initializer="ones", name="a")

        def call(self, x):
            return x * self.a * self.factor

        def get_config(self):
            return {**super().get_config(), "factor": self.factor}

    class Mine(ours.Layer):
        def __init__(self, factor=2.0, **common):
            super().__init__(**common)
            self.factor = factor

        def create_weights(self, rng):
            self.params["a"] = rng.uniform(0.5, 1.5, self.x_shape)

        def _forward(self, x, training):
            return x * self.params["a"] * self.factor

    Mine.__name__ = "Scale"
    model = nn.Sequential([nn.Input((4,)), ours.Dense(3), Mine(3.0), ours.Dense(2)], seed=0)
    x = np.random.default_rng(0).random((5, 4), np.float32)
    model.save(tmp_path / name)
    there = keras.models.load_model(tmp_path / name, custom_objects={"Scale": Scale})
    np.testing.assert_allclose(there.predict(x, verbose=0), model.predict(x), atol=1e-5)
    there.save(tmp_path / f"back-{name}")
    with pytest.raises(saving.FormatError, match=r"custom_objects=\{'Scale': Scale\}"):
        nn.load_model(tmp_path / f"back-{name}")
    back = nn.load_model(tmp_path / f"back-{name}", custom_objects={"Scale": Mine})
    np.testing.assert_allclose(back.predict(x), model.predict(x), atol=1e-5)
    assert back.layers[1].factor == 3.0
