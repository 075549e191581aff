"""Layers and functions of one's own in files: found again by what the user says, or refused."""

import json

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import nn
from nn.activations import Activation
from nn.initializers import Initializer
from nn.layers import Dense, Flatten, Input, Layer
from nn.models import Sequential, load_model
from nn.registered import (
    custom_object_scope,
    get_custom_objects,
    get_registered_name,
    get_registered_object,
    register_keras_serializable,
)


class Scale(Layer):
    """``y = a * factor * x`` with a learned ``a`` for each feature."""

    def __init__(self, factor=2.0, **common):
        super().__init__(**common)
        self.factor = factor

    def create_weights(self, rng):
        self.params["a"] = rng.uniform(0.5, 1.5, self.x_shape).astype(self.dtype)
        self.state["seen"] = np.zeros(1, self.dtype)

    def _forward(self, x, training):
        if training:
            self.keep(x)
        return x * self.params["a"] * self.factor

    def _backward(self, dy):
        self.grads["a"] = (dy * self.kept).sum(axis=0) * self.factor
        return dy * self.params["a"] * self.factor


class Half(Initializer):
    def draw(self, shape, rng):
        return np.full(shape, 0.5)


def cube(x):
    return x * x * x


def cube_backward(dy, x):
    return dy * 3 * x * x


CUBE = Activation("cube", cube, cube_backward, by_input=True)
OWN = {"Scale": Scale, "Half": Half, "cube": CUBE}


@pytest.fixture(autouse=True)
def nothing_registered():
    with nn.use_backend("reference"):
        before = dict(get_custom_objects())
        yield
    get_custom_objects().clear()
    get_custom_objects().update(before)


def own_model(activation=CUBE):
    model = Sequential(
        [
            Input((5,)), Dense(4, activation=activation, kernel_initializer=Half()),
            Scale(3.0, name="scaled"), Dense(3, activation="softmax"),
        ],
        seed=0,
    )  # fmt: skip
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(X, Y, verbose=0)
    return model


X = np.random.default_rng(0).random((12, 5), np.float32)
Y = np.arange(12) % 3
ENDINGS = pytest.mark.parametrize("name", ["m.h5", "m.keras"])


@ENDINGS
def test_custom_objects_bring_a_model_back_and_it_trains_on(name, tmp_path):
    model = own_model()
    with pytest.warns(UserWarning, match=r"save: Half, Scale, cube is your own, and the file has"):
        model.save(tmp_path / name)
    again = load_model(tmp_path / name, custom_objects=OWN)
    assert [type(layer) for layer in again.layers] == [Dense, Scale, Dense]
    assert again.layers[1].factor == 3.0
    assert again.layers[0].activation is CUBE
    assert type(again.layers[0].kernel_initializer) is Half
    for one in (model, again):
        one.fit(X, Y, verbose=0, shuffle=False)
    assert_array_equal(model.predict(X), again.predict(X))


@ENDINGS
def test_what_is_registered_needs_no_word(name, tmp_path, recwarn):
    register_keras_serializable("mine")(Scale)
    register_keras_serializable()(Half)
    register_keras_serializable("mine", "third_power")(CUBE)
    assert get_registered_name(Scale) == "mine>Scale"
    assert get_registered_object("mine>third_power") is CUBE
    model = own_model()
    model.save(tmp_path / name)
    assert not recwarn.list
    assert_array_equal(load_model(tmp_path / name).predict(X), model.predict(X))


@ENDINGS
def test_without_a_word_it_is_refused_by_name(name, tmp_path):
    model = own_model("relu")
    with pytest.warns(UserWarning, match=r"custom_objects=\{'Half': Half, 'Scale': Scale\}"):
        model.save(tmp_path / name)
    with pytest.raises(nn.saving.FormatError, match=r"received Scale\..*\{'Scale': Scale\}"):
        load_model(tmp_path / name)


@ENDINGS
def test_weights_load_into_a_model_that_has_the_classes(name, tmp_path, recwarn):
    model, fresh = own_model(), own_model()
    model.save(tmp_path / name)
    fresh.set_weights([w * 0 for w in fresh.get_weights()])
    fresh.load_weights(tmp_path / name)
    assert_array_equal(fresh.predict(X), model.predict(X))
    model.save_weights(tmp_path / "m.weights.h5")
    fresh.set_weights([w * 0 for w in fresh.get_weights()])
    fresh.load_weights(tmp_path / "m.weights.h5")
    assert_array_equal(fresh.predict(X), model.predict(X))


@ENDINGS
def test_a_function_with_a_known_name_is_not_taken_for_that(name, tmp_path):
    """Identity decides: one's own ``relu`` does not come back as the library's."""
    mine = Activation("relu", cube, cube_backward, by_input=True)
    model = own_model(mine)
    with pytest.warns(UserWarning, match=r"relu is your own"):
        model.save(tmp_path / name)
    with pytest.raises(nn.saving.FormatError, match=r"relu"):
        load_model(tmp_path / name, custom_objects={"Scale": Scale, "Half": Half})
    again = load_model(tmp_path / name, custom_objects={**OWN, "relu": mine})
    assert_array_equal(again.predict(X), model.predict(X))


def test_a_class_with_a_known_name_is_not_taken_for_that(tmp_path):
    mine = type("Dense", (Scale,), {"__module__": __name__})
    model = Sequential([Input((5,)), mine(), Dense(3)], seed=0)
    with pytest.raises(ValueError, match=r"a class of your own with a name of its own, received D"):
        model.save(tmp_path / "m.h5")
    with pytest.warns(UserWarning, match="Dense"):
        model.save(tmp_path / "m.keras")
    with pytest.raises(nn.saving.FormatError, match=r"custom_objects"):
        load_model(tmp_path / "m.keras")
    register_keras_serializable("mine")(mine)
    for name in ("m.h5", "m.keras"):
        model.save(tmp_path / name)
        assert type(load_model(tmp_path / name).layers[0]) is mine


def test_a_scope_and_the_table_serve_as_well(tmp_path, recwarn):
    own_model().save(tmp_path / "m.h5")
    with custom_object_scope(OWN):
        assert Dense(2, activation="cube").activation is CUBE
        load_model(tmp_path / "m.h5")
    with pytest.raises(ValueError, match="cube"):
        Dense(2, activation="cube")
    get_custom_objects().update(OWN)
    load_model(tmp_path / "m.h5")
    assert Dense(2, activation="cube").activation is CUBE


def test_a_layer_as_activation_comes_back(tmp_path):
    leaky = nn.layers.LeakyReLU(0.05)
    model = Sequential([Input((5,)), Dense(4, activation=leaky), Dense(3)], seed=0)
    for name in ("m.h5", "m.keras"):
        model.save(tmp_path / name)
        assert_array_equal(load_model(tmp_path / name).predict(X - 0.5), model.predict(X - 0.5))


def test_by_name_and_skip_mismatch(tmp_path):
    first = Sequential([Input((5,)), Dense(4, name="a"), Dense(3, name="b")], seed=0)
    first.save_weights(tmp_path / "w.h5")
    other = Sequential([Input((5,)), Dense(4, name="a"), Dense(2, name="c")], seed=1)
    kept = other.layers[1].get_weights()[0]
    with pytest.raises(nn.saving.FormatError):
        other.load_weights(tmp_path / "w.h5")
    other.load_weights(tmp_path / "w.h5", by_name=True)
    assert_array_equal(other.get_weights()[0], first.get_weights()[0])
    other = Sequential([Input((5,)), Dense(4, name="a"), Dense(2, name="b")], seed=1)
    with pytest.warns(
        UserWarning, match=r"b is left as it is: expected weights \[\(4, 2\), \(2,\)"
    ):
        other.load_weights(tmp_path / "w.h5", skip_mismatch=True)
    assert_array_equal(other.get_weights()[0], first.get_weights()[0])
    assert_array_equal(other.get_weights()[2], kept)


@pytest.mark.parametrize(
    ("act", "error", "sentence"),
    [
        (lambda m, p: m.save(p), IsADirectoryError, r"received the folder .*SavedModel is not"),
        (lambda m, p: m.save(p / "m.tf"), ValueError, r"expected a \.h5 or \.keras file, receiv"),
        (lambda m, p: m.save(p / "m.h5", zipped=True), ValueError, r"expected zipped=None"),
        (
            lambda m, p: m.save(p / "m.h5", save_format="tf"),
            TypeError,
            r"The file's ending decides",
        ),
        (lambda m, p: m.save(p / "here.h5", overwrite=False), FileExistsError, r"here\.h5 exists"),
        (
            lambda m, p: m.save_weights(p / "here.h5", False),
            FileExistsError,
            r"Pass overwrite=True",
        ),
        (
            lambda m, p: load_model(p / "here.h5", [Dense]),
            TypeError,
            r"custom_objects: expected a d",
        ),
        (lambda m, p: register_keras_serializable(Scale), TypeError, r"with brackets"),
        (
            lambda m, p: register_keras_serializable()(type("Bare", (), {})),
            TypeError,
            r"expected a class with get_config, received Bare",
        ),
    ],
)
def test_refusals(act, error, sentence, tmp_path):
    model = Sequential([Input((2,)), Flatten(), Dense(2)])
    model.save(tmp_path / "here.h5")
    with pytest.raises(error, match=sentence):
        act(model, tmp_path)
    assert json.dumps(model.layers[1].get_config())
