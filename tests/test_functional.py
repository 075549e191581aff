"""Layers called in a row, models made of both ends, and models inside models."""

import copy
import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import nn
from nn.layers import Conv2D, Dense, Dropout, Flatten, Input, Rescaling, Softmax
from nn.models import Model, Sequential


@pytest.fixture(autouse=True)
def plain_engine():
    with nn.use_backend("reference"):
        yield


def chain():
    x = Input((6, 6, 1))
    h = Conv2D(2, 3, activation="relu")(x)
    h = Flatten()(h)
    return x, h, Dense(3, activation="softmax")(h)


def with_a_warning(make):
    with pytest.warns(FutureWarning, match=r"put is an older name\. Write (in|out)puts") as seen:
        model = make()
    assert len(seen) == 2
    return model


@pytest.mark.parametrize(
    "make",
    [
        lambda x, y: Model(x, y),
        lambda x, y: nn.Model(inputs=x, outputs=y),
        lambda x, y: Model([x], [y]),
        lambda x, y: Model(inputs={"pixels": x}, outputs=(y,)),
        lambda x, y: with_a_warning(lambda: Model(input=x, output=y)),
    ],
)
def test_a_chain_is_the_same_model_as_a_list(make):
    x, _, y = chain()
    model = make(x, y)
    same = Sequential([Input((6, 6, 1)), *model.layers[1:]])
    images = np.random.default_rng(0).random((4, 6, 6, 1), np.float32)
    assert_array_equal(model.predict(images), same.predict(images))
    assert (model.input_shape, model.output_shape) == ((None, 6, 6, 1), (None, 3))
    assert (x.shape, y.shape, y.dtype, y.name) == ((None, 6, 6, 1), (None, 3), "float32", "dense")
    assert [type(layer).__name__ for layer in model.layers] == [
        "InputLayer", "Conv2D", "Flatten", "Dense",
    ]  # fmt: skip


def test_a_chain_trains():
    rng = np.random.default_rng(0)
    nn.utils.set_random_seed(3)
    x = Input((4,))
    model = Model(x, Dense(3, activation="softmax")(Dropout(0.1)(Dense(16, activation="relu")(x))))
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    points = rng.normal(size=(90, 4)).astype(np.float32)
    labels = points[:, :3].argmax(axis=1)
    losses = model.fit(points, labels, epochs=40, verbose=0).history["loss"]
    assert losses[-1] < 0.8 * losses[0]


def test_what_a_layer_inside_gives_shares_its_weights():
    model = Sequential([Input((6, 6, 1)), Conv2D(2, 3), Flatten(), Dense(3)], seed=0)
    inner = Model(model.input, model.layers[1].output)
    images = np.random.default_rng(0).random((2, 6, 6, 1), np.float32)
    expected = model.layers[0].forward(images).reshape(2, -1)
    assert_allclose(inner.predict(images), expected, rtol=1e-5)
    assert inner.layers[1] is model.layers[0]
    behind = Model(model.layers[1].output, model.output)
    assert_allclose(behind.predict(expected), model.predict(images), rtol=1e-4, atol=1e-6)
    model.layers[0].params["kernel"][...] = 0
    assert (inner.predict(images) == 0).all()
    assert inner.count_params() == 20


def test_a_layer_is_called_on_an_array():
    layer = Dense(2)
    x = [[1.0, 2.0, 3.0]]
    assert layer(x).shape == (1, 2)  # built by the first call
    assert_allclose(layer(x), x @ layer.params["kernel"], rtol=1e-5)
    assert layer(np.ones((1, 3), np.float64)).dtype == np.float32
    dropped = Dropout(0.5)
    ones = np.ones((4, 100), np.float32)
    assert_array_equal(dropped(ones), ones)
    assert (dropped(ones, training=True) == 0).any()


def test_a_model_is_called_on_a_tensor():
    base = Sequential([Input((6, 6, 1)), Conv2D(2, 3), Flatten()], name="base", seed=0)
    base.trainable = False
    x = Input((6, 6, 1))
    model = Model(x, Dense(3)(base(x)))
    assert [layer.name for layer in model.layers] == ["input_layer", "base", "dense"]
    assert model.get_layer("base") is base
    assert len(model.trainable_weights) == 2
    base.trainable = True
    assert len(model.trainable_weights) == 4


def test_a_frozen_model_inside_stays_as_it_was():
    base = Sequential([Input((4,)), Dense(5, activation="relu")], seed=0)
    model = Sequential([base, Dense(3, activation="softmax")], seed=1)
    model.layers[0].trainable = False
    model.compile("sgd", "sparse_categorical_crossentropy")
    before, head = base.get_weights(), model.layers[1].get_weights()
    rng = np.random.default_rng(0)
    model.fit(rng.random((20, 4), np.float32), rng.integers(0, 3, 20), verbose=0)
    for kept, now in zip(before, base.get_weights(), strict=True):
        assert_array_equal(kept, now)
    assert (model.layers[1].get_weights()[0] != head[0]).any()


def test_a_frozen_model_with_layers_that_are_not_is_refused():
    base = Sequential([Input((4,)), Dense(5), Dense(4)], name="base", seed=0)
    model = Sequential([base, Dense(3, activation="softmax")], seed=1)
    base.trainable = False
    base.layers[1].trainable = True  # Keras trains none of the base
    assert len(model.trainable_weights) == 2
    model.compile("sgd", "sparse_categorical_crossentropy")
    with pytest.raises(ValueError, match=r"base: expected frozen layers in a frozen model, receiv"):
        model.fit(np.ones((4, 4)), np.zeros(4, int), verbose=0)
    base.trainable = True
    base.layers[0].trainable = False
    model.fit(np.ones((4, 4)), np.zeros(4, int), verbose=0)
    twin = nn.models.clone_model(base)
    assert [layer.trainable for layer in twin.layers] == [False, True]
    base.trainable = False
    assert nn.models.clone_model(base).trainable is False


def test_the_last_layer_can_be_exchanged():
    model = Sequential([Input((4,)), Dense(5), Dense(3)], seed=0)
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(np.ones((4, 4)), np.zeros(4, int), verbose=0)
    old = model.pop()
    assert (old.units, len(model.layers), model.output_shape) == (3, 1, (None, 5))
    model.add(Dense(2, activation="softmax"))
    assert model.layers[-1].output is model.output
    model.fit(np.ones((4, 4)), np.zeros(4, int), verbose=0)
    assert model.predict(np.ones((1, 4))).shape == (1, 2)
    model.pop(), model.pop()
    with pytest.raises(TypeError, match=r"pop: expected a model with layers, received one without"):
        model.pop()


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_copies_train_on_alike(copied):
    rng = np.random.default_rng(0)
    x, y = rng.random((20, 4), np.float32), rng.integers(0, 3, 20)
    base = Sequential([Input((4,)), Dense(5, activation="relu"), Dropout(0.3)], seed=0)
    model = Sequential([base, Dense(3, activation="softmax")], seed=1)
    model.compile(nn.optimizers.Adam(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(x, y, epochs=2, verbose=0)
    twin = copied(model)
    assert twin.layers[0].layers[0] is twin.row[0]
    assert twin.layers[1].output is twin.output
    for one in (model, twin):
        one.fit(x, y, epochs=3, verbose=0)
    assert_array_equal(twin.predict(x), model.predict(x))
    assert not np.shares_memory(twin.parameters, model.parameters)


def module_level(x):
    return x * x


def test_functions_of_ones_own_are_pickled_by_name_or_refused():
    x = np.ones((2, 4), np.float32)
    model = Sequential([Input((4,)), Dense(3, activation=module_level)], seed=0)
    assert_array_equal(pickle.loads(pickle.dumps(model)).predict(x), model.predict(x))
    model = Sequential([Input((4,)), Dense(3, activation=lambda x: x * x)], seed=0)
    with pytest.raises(TypeError, match=r"pickle: expected functions defined at the top.*<lambda>"):
        pickle.dumps(model)
    assert_array_equal(copy.deepcopy(model).predict(x), model.predict(x))


def test_outputs_have_numpy_and_compute_like_arrays():
    model = Sequential([Input((4,)), Dense(3)])
    y = model(np.ones((2, 4)))
    assert type(y.numpy()) is np.ndarray
    assert type(Dense(2)(np.ones((2, 4))).numpy()) is np.ndarray
    assert f"{y.mean():.2f} {y[0, 0]:.2f}"
    assert type(y + 1) is type(y.sum(axis=0)) is type(np.exp(y)) is np.ndarray
    assert isinstance(y.max(), np.float32)
    assert type(model.predict(np.ones((2, 4)))) is np.ndarray


def test_weights_have_keras_other_names():
    model = Sequential([Input((4,)), Dense(3), nn.layers.BatchNormalization()])
    counts = [len(model.variables), len(model.trainable_variables)]
    assert [*counts, len(model.non_trainable_variables)] == [6, 4, 2]
    variable, gamma = model.layers[1].variables[0], model.layers[1].params["gamma"]
    assert np.shares_memory(variable, gamma)
    assert model.losses == []


def test_a_sequential_is_a_model():
    assert isinstance(Sequential(), Model)
    assert isinstance(Model(*chain()[::2]), Sequential)
    assert not isinstance(Dense(2), Model)


@pytest.mark.parametrize(
    ("act", "error", "sentence"),
    [
        (lambda x, h, y: Model([x, x], y), TypeError, r"one tensor.*received 2 of them.*branch"),
        (lambda x, h, y: Model(x, [h, y]), TypeError, r"outputs to be one tensor.*received 2 of t"),
        (
            lambda x, h, y: Dense(2)([h, y]),
            TypeError,
            r"dense: expected one tensor, received 2\.",
        ),
        (lambda x, h, y: Model(Input((6, 6, 1)), y), ValueError, r"outputs that come from the inp"),
        (lambda x, h, y: Model(x, Dense(2)), TypeError, r"outputs to be one tensor, as Input and "),
        (lambda x, h, y: Model(), TypeError, r"Model"),
        (lambda x, h, y: x / 255, TypeError, r"input_layer: the tensor has a shape but no numbers"),
        (lambda x, h, y: np.asarray(y), TypeError, r"dense: the tensor has a shape but no numbers"),
        (lambda x, h, y: y[0], TypeError, r"Rescaling\(1 / 255\)"),
        (
            lambda x, h, y: Dense(2)("pixels"),
            TypeError,
            r"expected an array of numbers or the t",
        ),
        (lambda x, h, y: Dense(2)(x), ValueError, r"Put a Flatten before it"),
        (lambda x, h, y: Sequential([y]), TypeError, r"received the output of dense\. Add the lay"),
        (lambda x, h, y: type("Mine", (Model,), {}), TypeError, r"received the class Mine\."),
        (
            lambda x, h, y: Sequential([x, Flatten(), x]),
            ValueError,
            r"received another Input",
        ),
        (lambda x, h, y: Dense(2).output, AttributeError, r"dense: it has no input and output y"),
        (
            lambda x, h, y: Sequential(None, "me"),
            TypeError,
            r"trainable True or False, received",
        ),
    ],
)
def test_what_is_no_row_is_refused(act, error, sentence):
    with pytest.raises(error, match=sentence):
        act(*chain())


def test_a_layer_called_twice_in_a_row_is_refused():
    x = Input((4,))
    layer = Dense(4)
    with pytest.raises(ValueError, match=r"a layer that is not yet in the model, received dense a"):
        Model(x, layer(layer(x)))


def test_layers_are_for_reading():
    model = Sequential([Input((4,)), Dense(5), Rescaling(2.0), Softmax()])
    for change in (
        lambda: model.layers.pop(),
        lambda: model.layers.append(Dense(2)),
        lambda: model.layers.__setitem__(0, Dense(2)),
    ):
        with pytest.raises(TypeError, match=r"this list is for reading\. Use model\.add\(layer\)"):
            change()
    with pytest.raises(AttributeError, match=r"layers: expected to be read, received a new list"):
        model.layers = model.layers[:1]
    assert len(model.layers[:-1]) == 2
    assert model.layers + [1] == [*model.row, 1]


def test_what_is_not_built_has_no_shape_and_says_so():
    model = Sequential([Dense(2)])
    for name in ("input_shape", "output_shape", "input", "output", "inputs", "outputs"):
        assert not hasattr(model, name)
        assert not hasattr(model.layers[0], name)
    with pytest.raises(ValueError, match=r"dense: it is not built yet"):
        model.layers[0].count_params()
    assert (model.weights, model.built) == ([], False)
    with pytest.raises(ValueError, match=r"the input shape is not known"):
        model.count_params()
