"""``Sequential``: building, weights in one vector, describing itself, asking it."""

import copy

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import nn
from nn.layers import (
    Activation,
    BatchNormalization,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    Input,
    MaxPooling2D,
    ReLU,
    Softmax,
)
from nn.models import Sequential

# --- building -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "make",
    [
        lambda: Sequential([Input((6, 6, 1)), Conv2D(2, 3), Flatten(), Dense(3)], seed=1),
        lambda: Sequential([Input(shape=(6, 6, 1)), Conv2D(2, 3), Flatten(), Dense(3)], seed=1),
        lambda: Sequential([Conv2D(2, 3, input_shape=(6, 6, 1)), Flatten(), Dense(3)], seed=1),
        lambda: Sequential(
            [Conv2D(2, 3, batch_input_shape=(None, 6, 6, 1)), Flatten(), Dense(3)], seed=1
        ),
    ],
)
def test_ways_to_say_what_goes_in(make):
    model = make()
    assert model.built
    assert (model.x_shape, model.y_shape) == ((6, 6, 1), (3,))
    assert [layer.name for layer in model.layers] == ["conv2d", "flatten", "dense"]
    assert model.count_params() == 2 * 10 + 33 * 3


@pytest.mark.parametrize("shape", [(6, 6, 1), (None, 6, 6, 1), [None, 6, 6, 1]])
def test_building_later(shape):
    model = Sequential([Conv2D(2, 3), Flatten(), Dense(3)])
    assert not model.built
    model.build(shape)
    assert model.y_shape == (3,)


def test_the_first_batch_builds_too():
    model = Sequential([Flatten(), Dense(3)])
    assert model(np.zeros((2, 4, 4, 1))).shape == (2, 3)
    assert model.x_shape == (4, 4, 1)


def test_adding_one_by_one_gives_the_same_weights():
    together = Sequential([Input((5,)), Dense(4), Dense(3)], seed=2)
    one_by_one = Sequential(seed=2)
    for layer in (Input((5,)), Dense(4), Dense(3)):
        one_by_one.add(layer)
    for a, b in zip(together.get_weights(), one_by_one.get_weights(), strict=True):
        assert_array_equal(a, b)


def test_names_become_unique():
    model = Sequential([Input((4,)), Dense(3), ReLU(), Dense(3), Dense(2, name="dense_1")])
    assert [layer.name for layer in model.layers] == ["dense", "relu", "dense_1", "dense_1_1"]


def test_a_model_inside_a_model_is_one_of_its_layers_and_runs_in_the_row():
    features = Sequential([Input((6, 6, 1)), Conv2D(2, 3), ReLU(), Flatten()], seed=1)
    model = Sequential([features, Dense(3)], seed=2)
    assert model.layers == [features, model.row[-1]]
    assert [layer.name for layer in model.row] == ["conv2d", "relu", "flatten", "dense"]
    assert model.x_shape == (6, 6, 1)
    assert model(np.ones((1, 6, 6, 1))).shape == (1, 3)


@pytest.mark.parametrize(
    ("act", "error", "sentence"),
    [
        (lambda: Sequential(["relu"]), TypeError, r"add: expected a layer, received 'relu'"),
        (
            lambda: Sequential(Dense(3)),
            TypeError,
            r"Sequential: expected a list of layers, received",
        ),
        (
            lambda: Sequential.from_config({"layers": [{"class_name": "Lambda", "config": {}}]}),
            ValueError,
            r"'lambda': expected a layer class that nn has or can express, received Lambda\.",
        ),
        (lambda: Sequential([Dense]), TypeError, r"add: expected a layer, received the class D"),
        (
            lambda: Sequential([Dense(3)]).count_params(),
            ValueError,
            r"the input shape is not known\. Start the model with Input\(\(28, 28, 1\)\) or call",
        ),
        (lambda: Sequential([Dense(3)]).build(()), ValueError, r"build: expected a shape of posit"),
        (lambda: Sequential([Dense(3)]).build((None,)), ValueError, r"build: expected a shape of"),
        (lambda: Sequential([ReLU()]).build((4, None, 1)), ValueError, r"build: expected a shape"),
        (
            lambda: Sequential([Input((3,)), ReLU()]).build((4,)),
            ValueError,
            r"build: expected input_shape \(3,\), as built, received \(4,\)",
        ),
        (lambda: Sequential(seed=-1), ValueError, r"seed: expected a whole number from 0, receiv"),
        (lambda: Sequential(seed=1.5), ValueError, r"seed: expected a whole number from 0, receiv"),
        (lambda: Sequential(dtype="int8"), ValueError, r"dtype: expected 'float32' or 'float64'"),
    ],
)
def test_what_cannot_be_built(act, error, sentence):
    with pytest.raises(error, match=sentence):
        act()


def test_the_same_layer_twice_is_refused():
    layer = Dense(4)
    with pytest.raises(
        ValueError, match=r"a layer that is not yet in the model, received dense ag"
    ):
        Sequential([Input((4,)), layer, layer])


# --- one flat vector ------------------------------------------------------------------------------


def test_parameters_are_one_aligned_vector_and_layers_hold_views():
    model = Sequential([Input((4, 4, 1)), Conv2D(2, 3), Flatten(), Dense(3)], seed=0)
    flat = model.parameters
    assert (flat.shape, flat.dtype) == ((model.count_params(),), np.float32)
    assert flat.ctypes.data % 64 == 0
    kernel = model.layers[0].params["kernel"]
    assert np.shares_memory(kernel, flat)
    flat[:] = np.arange(flat.size)  # layer by layer, kernel before bias, in C order
    assert kernel.ravel().tolist() == list(range(18))
    assert model.layers[0].params["bias"].tolist() == [18, 19]
    assert model.layers[2].params["kernel"][0].tolist() == [20, 21, 22]
    assert model.parameters is flat
    assert model.gradients.shape == flat.shape


def test_gradients_stand_in_the_same_order(backend, rng):
    model = Sequential([Input((4,)), Dense(3, activation="relu"), Dense(2)], dtype="float64")
    model.forward(rng.standard_normal((5, 4)), training=True)
    model.backward(rng.standard_normal((5, 2)))
    own = [g.ravel() for layer in model.layers for g in layer.grads.values()]
    assert_array_equal(model.gradients, np.concatenate(own))


def test_averages_of_a_batch_normalization_are_not_among_the_parameters():
    model = Sequential([Input((4,)), Dense(3), BatchNormalization()])
    assert model.parameters.size == 15 + 6
    assert model.count_params() == 15 + 12
    assert len(model.weights) == 6


def test_weights_go_out_and_in():
    model = Sequential([Input((4,)), Dense(3), BatchNormalization(), Dense(2)], seed=0)
    weights = model.get_weights()
    assert [w.shape for w in weights] == [(4, 3), (3,), (3,), (3,), (3,), (3,), (3, 2), (2,)]
    weights[0][:] = 7  # copies: the model does not notice
    assert (model.get_weights()[0] != 7).all()
    model.set_weights(weights)
    assert (model.parameters[:12] == 7).all()


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda w: w[:-1], r"set_weights: expected 4 arrays, received 3"),
        (
            lambda w: [*w[:2], w[2].T, w[3]],
            r"set_weights: expected array 2 of shape \(3, 2\), received \(2, 3\)",
        ),
    ],
)
def test_set_weights_changes_all_or_nothing(spoil, sentence):
    model = Sequential([Input((4,)), Dense(3), Dense(2)], seed=0)
    before = model.parameters.copy()
    with pytest.raises(ValueError, match=sentence):
        model.set_weights(spoil([w + 1 for w in model.get_weights()]))
    assert_array_equal(model.parameters, before)


def test_one_layer_of_two_models_is_trained_by_both(backend, points):
    """A feature extractor made of a model's layers does not leave that model with stale copies."""
    x, y = points
    model = Sequential([Input((4,)), Dense(8, activation="relu"), Dense(3, "softmax")], seed=0)
    model.compile("sgd", "sparse_categorical_crossentropy")
    model.fit(x, y, verbose=0)
    features = Sequential([Input((4,)), *model.layers[:1]])
    before = features.predict(x)
    loss = model.evaluate(x, y)
    model.fit(x, y, epochs=5, verbose=0)
    assert model.evaluate(x, y) < loss
    assert np.abs(features.predict(x) - before).max() > 1e-3
    assert_allclose(features.predict(x), model.layers[0].forward(x), rtol=1e-5, atol=1e-6)


def test_arrays_put_into_a_layer_are_taken_up():
    model = Sequential([Input((2,)), Dense(1)])
    assert model.parameters.shape == (3,)
    model.layers[0].params["kernel"] = np.array([[3.0], [4.0]], np.float32)
    assert model.parameters.tolist() == [3, 4, 0]
    assert model(np.ones((1, 2))).tolist() == [[7]]


def test_a_copy_is_a_model_of_its_own(backend, points, small_model):
    x, y = points
    model = small_model()
    model.fit(x, y, verbose=0)
    before = model.parameters.copy()
    twin = copy.deepcopy(model)
    model.fit(x, y, epochs=2, verbose=0)
    assert_array_equal(twin.parameters, before)
    twin.fit(x, y, epochs=2, verbose=0)  # it trains its own layers, in its own memory
    assert_array_equal(twin.parameters, model.parameters)
    assert_array_equal(twin.predict(x), model.predict(x))
    assert not np.shares_memory(twin.parameters, model.parameters)


# --- describing -----------------------------------------------------------------------------------


def digit_network():
    return Sequential(
        [
            Input((28, 28, 1)),
            Conv2D(32, 5, activation="relu"),
            MaxPooling2D(2),
            Conv2D(64, 3, activation="relu"),
            MaxPooling2D(2),
            Flatten(),
            Dense(128, activation="relu"),
            Dropout(0.3),
            Dense(64, activation="relu"),
            Dropout(0.5),
            Dense(10, activation="softmax"),
        ],
        name="digits",
        seed=0,
    )


def test_summary():
    lines = []
    digit_network().summary(print_fn=lines.append)
    assert "\n".join(lines) == (
        'Model: "digits"\n'
        "Layer (type)                    Output Shape        Param #\n"
        "------------------------------  ------------------  -------\n"
        "conv2d (Conv2D)                 (None, 24, 24, 32)  832\n"
        "max_pooling2d (MaxPooling2D)    (None, 12, 12, 32)  0\n"
        "conv2d_1 (Conv2D)               (None, 10, 10, 64)  18,496\n"
        "max_pooling2d_1 (MaxPooling2D)  (None, 5, 5, 64)    0\n"
        "flatten (Flatten)               (None, 1600)        0\n"
        "dense (Dense)                   (None, 128)         204,928\n"
        "dropout (Dropout)               (None, 128)         0\n"
        "dense_1 (Dense)                 (None, 64)          8,256\n"
        "dropout_1 (Dropout)             (None, 64)          0\n"
        "dense_2 (Dense)                 (None, 10)          650\n"
        "Total params: 233,162 (910.79 KB)\n"
        "Trainable params: 233,162 (910.79 KB)\n"
        "Non-trainable params: 0 (0.00 B)"
    )


def test_summary_prints_and_counts_what_is_not_trained(capsys):
    Sequential([Input((4,)), BatchNormalization()]).summary()
    assert capsys.readouterr().out.endswith(
        "Total params: 16 (64.00 B)\nTrainable params: 8 (32.00 B)\n"
        "Non-trainable params: 8 (32.00 B)\n"
    )


def summary_of(model, **options):
    lines = []
    model.summary(print_fn=lines.append, **options)
    return lines


def test_summary_of_what_is_not_built():
    lines = summary_of(Sequential([Dense(3)]))
    assert lines[3].split() == ["dense", "(Dense)", "?", "0", "(unbuilt)"]
    assert lines[4] == "Total params: 0 (0.00 B)"


def test_summary_of_a_model_inside_a_model():
    inner = Sequential([Dense(3, name="a"), BatchNormalization(name="b")], name="inner")
    model = Sequential([Input((4,)), inner, Dense(2, name="c")])
    inner.trainable = False
    assert [line.split()[0] for line in summary_of(model)[3:5]] == ["inner", "c"]
    lines = summary_of(model, expand_nested=True, show_trainable=True)
    assert [line.split("  ")[0] for line in lines[3:7]] == [
        "inner (Sequential)", "", "", "c (Dense)"
    ]  # fmt: skip
    assert [line.split()[-1] for line in lines[2:7]] == ["---------", "N", "N", "N", "Y"]
    assert lines[-1] == "Non-trainable params: 27 (108.00 B)"


def test_summary_of_some_layers_on_narrow_lines():
    model = digit_network()
    lines = summary_of(model, line_length=40, layer_range=("dense", "dense_1"))
    names = [line.split()[0] for line in lines[3:-3]]
    assert names == ["dense", "dropout", "dense_1"]
    assert max(map(len, lines[:-3])) <= 40
    lines = summary_of(model, positions=[10, 20, 30])
    assert lines[3] == "conv2d (  (None, 2  832"
    with pytest.raises(ValueError, match=r"expected names out of conv2d, .*received \('x', 'y'\)"):
        model.summary(layer_range=("x", "y"))
    with pytest.raises(ValueError, match=r"summary: expected columns of 4 characters or more"):
        model.summary(line_length=8)


def test_summary_counts_the_optimisers_numbers_once_there_are_any(points, small_model):
    model = small_model(optimizer="adam")
    x, y = points
    assert not any("Optimizer" in line for line in summary_of(model))
    model.fit(x, y, verbose=0)
    count = model.count_params()
    assert summary_of(model)[-1].startswith(f"Optimizer params: {2 * count + 2:,} (")
    assert summary_of(model)[-4].startswith(f"Total params: {3 * count + 2:,} (")


def test_summary_shows_how_the_plain_engine_runs(capsys):
    with nn.use_engine("plain"):
        Sequential([Input((4,)), Dense(3)]).summary(plan=True)
    printed = capsys.readouterr().out.splitlines()
    assert printed[-3].split() == ["Stage", "Layers", "Kernels", "Bytes"]
    assert printed[-1].split() == ["1", "dense", "plain", "layer"]


def test_configuration_round_trip():
    model = digit_network()
    again = Sequential.from_config(model.get_config(), seed=0)
    assert again.get_config() == model.get_config()
    assert again.name == "digits"
    for a, b in zip(model.get_weights(), again.get_weights(), strict=True):
        assert_array_equal(a, b)


def test_get_layer():
    model = digit_network()
    assert model.get_layer("conv2d_1") is model.layers[2]
    assert model.get_layer(index=-1) is model.layers[-1]
    with pytest.raises(ValueError, match=r"get_layer: expected one of conv2d, .*received 'conv3d'"):
        model.get_layer("conv3d")
    with pytest.raises(ValueError, match=r"get_layer: expected one of .*received 10"):
        model.get_layer(index=10)


# --- compile --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "error", "sentence"),
    [
        ({"optimizer": "ftrl"}, ValueError, r"optimizer: expected one of SGD.*'ftrl'"),
        ({"loss": "hinge"}, ValueError, r"loss: expected one of categorical_cr.*'hinge'"),
        ({"metrics": ["auc"]}, ValueError, r"metrics: expected names of accuracy, .*'auc'"),
        ({"metrics": [3]}, ValueError, r"metrics: expected names of accuracy, .*received 3"),
        ({"loss_weights": [2]}, TypeError, r"compile: expected loss_weights None, received \[2\]"),
        ({"metric": None}, TypeError, r"no argument 'metric'\. Did you mean metrics\?"),
    ],
)
def test_compile_refuses_by_name_and_changes_nothing(small_model, arguments, error, sentence):
    model = small_model(optimizer="sgd")
    before = model.optimizer, model.loss, model.metric
    with pytest.raises(error, match=sentence):
        model.compile(**{"optimizer": "adam", "metrics": None, **arguments})
    assert (model.optimizer, model.loss, model.metric) == before


def test_what_needs_compiling_says_so(points):
    model = Sequential([Input((4,)), Dense(3)])
    x, y = points
    assert not model.compiled
    for act in (model.fit, model.evaluate, model.train_on_batch):
        with pytest.raises(RuntimeError, match=r"not compiled\. Call compile\(optimizer, loss\)"):
            act(x, y)
    assert model.predict(x).shape == (90, 3)  # asking needs no loss


def test_compiling_before_building(points):
    x, y = points
    model = Sequential([Dense(8, activation="relu"), Dense(3, activation="softmax")], seed=0)
    model.compile("adam", "sparse_categorical_crossentropy")
    first, *_, last = model.fit(x, y, epochs=5, verbose=0).history["loss"]
    assert last < first


# --- asking ---------------------------------------------------------------------------------------


def test_probabilities(backend, easy_digits, digit_model):
    x, _ = easy_digits
    p = digit_model().predict(x[:70])
    assert (p.shape, p.dtype) == ((70, 10), np.float32)
    assert_allclose(p.sum(axis=1), 1, rtol=1e-5)


def test_batches_do_not_change_the_answer(backend, easy_digits, digit_model):
    x, _ = easy_digits
    model = digit_model()
    p = model.predict(x[:300])
    assert_allclose(model.predict(x[:300], batch_size=7), p, rtol=1e-5)
    assert_allclose(model(x[3:4]), p[3:4], rtol=1e-5)
    assert_allclose(model.forward(x[:5]), p[:5], rtol=1e-5)


@pytest.mark.parametrize("kind", ["uint8", "bool", "int64", "float64", "list", "fortran", "view"])
def test_inputs_of_every_kind(easy_digits, digit_model, kind):
    x = (easy_digits[0][:6] > 0.5).astype(np.float32)
    given = {
        "list": lambda: x.tolist(),
        "fortran": lambda: np.asfortranarray(x),
        "view": lambda: np.repeat(x, 2, axis=0)[::2],
    }.get(kind, lambda: x.astype(kind))()
    model = digit_model()
    assert_allclose(model.predict(given), model.predict(x), rtol=1e-6)


def test_evaluate(backend, points, small_model):
    x, y = points
    model = small_model()
    loss, accuracy = model.evaluate(x, y, verbose=0)
    p = model.predict(x)
    assert loss == pytest.approx(-np.log(p[np.arange(90), y]).mean(), rel=1e-5)
    assert accuracy == pytest.approx((p.argmax(axis=1) == y).mean())
    assert model.evaluate(x, y, batch_size=13, return_dict=True) == pytest.approx(
        {"loss": loss, "accuracy": accuracy}, rel=1e-5
    )
    assert model.metrics_names == ["loss", "accuracy"]


def test_without_metrics_there_is_one_number(points, small_model):
    x, y = points
    model = small_model(metrics=())
    assert isinstance(model.evaluate(x, y), float)
    assert isinstance(model.train_on_batch(x, y), float)
    assert model.metrics_names == ["loss"]


def test_logits_or_probabilities_make_the_same_loss(backend, points):
    x, y = points
    losses = []
    for activation, from_logits in (("softmax", False), (None, True)):
        model = Sequential([Input((4,)), Dense(3, activation=activation)], seed=4)
        model.compile("sgd", nn.losses.SparseCategoricalCrossentropy(from_logits=from_logits))
        losses.append([model.train_on_batch(x, y) for _ in range(5)])
    assert_allclose(*losses, rtol=1e-5)


@pytest.mark.parametrize("head", [ReLU, nn.layers.Softmax, lambda: Dense(3, "sigmoid")])
def test_heads_of_other_kinds_train_too(backend, points, head):
    x, y = points
    model = Sequential([Input((4,)), Dense(3), head()], seed=4)
    model.compile(nn.optimizers.SGD(0.02), "sparse_categorical_crossentropy")
    x = np.abs(x) + 0.1
    model.set_weights([np.abs(w) + 0.1 for w in model.get_weights()])
    before = model.evaluate(x, y)
    model.fit(x, y, epochs=5, verbose=0)
    assert model.evaluate(x, y) < before


@pytest.mark.parametrize(
    "head",
    [
        [Dense(3, "softmax")],
        [Dense(3), Activation("softmax")],
        [Dense(3), Softmax()],
        [Dense(3, "relu"), Softmax()],
        [Dense(3, "softmax"), Softmax()],
        [Dense(3, "softmax"), Activation("softmax")],
        [Dense(3, "sigmoid")],
        [Dense(3, "relu"), Dropout(0.0), Softmax()],
        [Dense(3), BatchNormalization(), Softmax()],
    ],
    ids=lambda head: "-".join(getattr(h, "activation", h).name for h in head),
)
def test_engines_agree_on_every_kind_of_head(points, head):
    x, y = points
    figures = []
    for engine in nn.runtime.ENGINES:
        with nn.use_backend("numba"), nn.use_engine(engine):
            model = Sequential([Input((4,)), Dense(8, "relu"), *copy.deepcopy(head)], seed=4)
            model.compile(nn.optimizers.SGD(0.05), "sparse_categorical_crossentropy")
            figures.append([model.train_on_batch(x, y) for _ in range(3)])
            figures[-1] += model.predict(x).ravel().tolist()
    assert_allclose(*figures, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("x", "sentence"),
    [
        (np.zeros((28, 28)), r"expected x of shape \(N, 28, 28, 1\), received \(28, 28\)\. Add ax"),
        (np.zeros((3, 784)), r"received \(3, 784\)\. Reshape: x\.reshape\(-1, 28, 28, 1\)"),
        (np.zeros((0, 28, 28, 1)), r"x: expected at least one example, received none"),
        ([], r"x: expected at least one example, received none"),
        (None, r"x: expected an array of shape \(N, …\), received a NoneType"),
        ([[1, 2], [3]], r"x: expected an array of shape \(N, …\), received a list of 2"),
        (np.array([["a"]]), r"expected numbers in x, received <U1"),
        (np.array([[None]]), r"expected numbers in x, received object"),
        (np.zeros((1, 28, 28, 1), complex), r"expected numbers in x, received complex128"),
    ],
)
def test_predict_refuses(digit_model, x, sentence):
    with pytest.raises(ValueError, match=sentence):
        digit_model().predict(x)


def test_predicting_leaves_no_trace(backend, points, small_model):
    x, y = points
    model = small_model(dropout=0.5)
    model.train_on_batch(x, y)
    chance, weights = model.random_state(), model.parameters.copy()
    model.predict(x)
    model.evaluate(x, y)
    assert model.random_state() == chance
    assert_array_equal(model.parameters, weights)


def test_calling_with_training_drops_units(points, small_model):
    x, _ = points
    model = small_model(dropout=0.5)
    assert (model(x, training=True) != model(x, training=True)).any()


def test_two_layers_do_not_share_a_given_name():
    model = nn.Sequential([nn.Input((2,)), nn.layers.Dense(2), nn.layers.Dense(2)])
    assert [layer.name for layer in model.layers] == ["dense", "dense_1"]
    model.add(nn.layers.Dense(3, name="mine"))
    with pytest.raises(ValueError, match=r"expected a layer with a name of its own, .*'mine'"):
        model.add(nn.layers.Dense(3, name="mine"))
    assert len(model.layers) == 3


def test_what_is_asked_of_nothing_is_told():
    with pytest.raises(ValueError, match=r"expected layers, received none\. Call add"):
        nn.Sequential().predict(np.zeros((2, 3), np.float32))
    with pytest.raises(TypeError, match="Model: expected inputs and outputs, received inputs=None"):
        nn.Model()
    with pytest.raises(TypeError, match="clone_model: expected a model, received 3"):
        nn.models.clone_model(3)
    with pytest.raises(FileNotFoundError, match=r"received missing\.keras: there is none"):
        nn.load_model("missing.keras")
    with pytest.raises(TypeError, match="filepath: expected the path of a file, received None"):
        nn.load_model(None)
    assert nn.Sequential([nn.Input((4,)), nn.layers.Dense(2)]).compute_output_shape((7, 4)) == (
        7,
        2,
    )
