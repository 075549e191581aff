"""Files of every Keras open here: real ones out of tests/files/keras, old layouts made by hand."""

import json
from pathlib import Path

import h5py
import numpy as np
import pytest

import nn
from nn import saving
from nn.layers import (
    BatchNormalization,
    Conv2D,
    Dense,
    Flatten,
    GlobalAveragePooling2D,
    Input,
    MaxPooling2D,
)
from nn.saving import FormatError
from nn.saving.save import legacy_config

FILES = Path(__file__).parent / "files" / "keras"
WHOLE = sorted(
    p.name
    for p in FILES.iterdir()
    if p.suffix in (".h5", ".keras") and not p.name.endswith((".weights.h5", "_legacy.h5"))
)


def answers(name):
    """Return the inputs and outputs recorded beside a file, inputs in our layout."""
    stem = name.removesuffix(".h5").removesuffix(".keras")
    with np.load(FILES / f"{stem}.npz") as data:
        return data["x"], data["p"]


@pytest.fixture(autouse=True)
def plain_engine():
    """These networks are tiny: no kernel needs compiling."""
    with nn.use_backend("reference"):
        yield


@pytest.mark.parametrize("name", WHOLE)
def test_real_files_predict_as_the_keras_that_wrote_them(name):
    x, expected = answers(name)
    model = saving.load_model(FILES / name)
    if x.ndim == 4 and model.x_shape != x.shape[1:]:
        x = x.transpose(0, 2, 3, 1)  # the file is channels_first
    np.testing.assert_allclose(model.predict(x), expected, atol=1e-5)
    assert model.metadata["source"]["keras_version"][0] in "123"


@pytest.mark.parametrize(
    "weights", ["keras-2.3-cnn_legacy.h5", "keras-2.15-cnn.weights.h5", "keras-3.15-cnn.weights.h5"]
)
def test_weights_only_files_load_into_the_architecture(weights):
    whole = next(n for n in WHOLE if n.startswith(weights.split("cnn")[0] + "cnn"))
    model = nn.Sequential.from_config(saving.load_model(FILES / whole).get_config())
    x, expected = answers(whole)
    assert np.abs(model.predict(x) - expected).max() > 1e-3
    model.load_weights(FILES / weights)
    np.testing.assert_allclose(model.predict(x), expected, atol=1e-5)
    with pytest.raises(FormatError, match=r"model\.load_weights"):
        saving.load_model(FILES / weights)


@pytest.mark.parametrize(
    ("name", "kind", "steps"),
    [
        ("keras-2.3-cnn.h5", "Adadelta", 2),
        ("keras-2.15-cnn.h5", "Adadelta", 2),
        ("keras-3.0.5-cnn.h5", "Adadelta", 2),
        ("keras-3.15-logits.keras", "Adam", 2),
    ],
)
def test_the_training_state_comes_along(name, kind, steps):
    model = saving.load_model(FILES / name)
    assert type(model.optimizer).__name__ == kind
    assert model.optimizer.iterations == steps
    assert all(slot.any() for slots in model.optimizer.slots.values() for slot in slots)


def test_logits_become_probabilities_when_asked(tmp_path):
    x, logits = answers("keras-3.15-logits.keras")
    model = saving.load_model(FILES / "keras-3.15-logits.keras")
    assert model.loss.from_logits
    model = saving.load_model(FILES / "keras-3.15-logits.keras", probabilities=True)
    e = np.exp(logits)
    np.testing.assert_allclose(model.predict(x), e / e.sum(1, keepdims=True), atol=1e-5)
    assert not model.loss.from_logits
    model.save(tmp_path / "again.h5")
    again = saving.load_model(tmp_path / "again.h5", probabilities=True)
    assert len(again.layers) == len(model.layers)


def test_an_optimiser_that_nn_lacks_leaves_a_note(tmp_path):
    path = tmp_path / "ftrl.h5"
    path.write_bytes((FILES / "keras-2.3-functional.h5").read_bytes())
    with h5py.File(path, "r+") as file:
        training = file.attrs["training_config"]
        training = training if isinstance(training, str) else training.decode()
        file.attrs["training_config"] = training.replace("RMSprop", "Ftrl").encode()
    model = saving.load_model(path)
    assert not model.compiled
    assert "Ftrl" in " ".join(model.metadata["source"]["notes"])


def test_rmsprop_goes_on_with_its_state():
    model = saving.load_model(FILES / "keras-2.3-functional.h5")
    assert type(model.optimizer) is nn.optimizers.RMSprop
    notes = " ".join(model.metadata["source"]["notes"])
    assert "the optimiser starts anew" in notes or model.optimizer.iterations > 0


# -- layouts made by hand -----------------------------------------------------------------------


def write_legacy(path, config, groups, *, keras=None, backend=None, split=0):
    """Write a legacy file; ``groups`` is a list of (layer, [(weight name, array)])."""
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = json.dumps(config).encode()
        weights = file.create_group("model_weights")
        names = np.array([name.encode() for name, _ in groups])
        if split:
            for i, piece in enumerate(np.array_split(names, split)):
                weights.attrs[f"layer_names{i}"] = piece
        else:
            weights.attrs["layer_names"] = names
        if keras:
            file.attrs["keras_version"] = weights.attrs["keras_version"] = keras.encode()
        if backend:
            weights.attrs["backend"] = backend.encode()
        for name, arrays in groups:
            group = weights.create_group(name)
            group.attrs["weight_names"] = [n.encode() for n, _ in arrays]
            for inner, values in arrays:
                group.create_dataset(inner, data=values)


def keras_1(kind, **config):
    return {"class_name": kind, "config": config}


@pytest.fixture
def network():
    """A convolutional network with batch normalisation, all its weights random."""
    model = nn.Sequential(
        [
            Input((10, 10, 1)), Conv2D(3, 3, activation="relu"), BatchNormalization(),
            MaxPooling2D(2), Conv2D(4, (2, 3)), Flatten(), Dense(5, activation="relu"), Dense(10),
            nn.layers.Activation("softmax"),
        ],
        seed=3,
    )  # fmt: skip
    rng = np.random.default_rng(1)
    model.set_weights([rng.uniform(0.1, 1, w.shape) for w in model.get_weights()])
    return model


def channels_first(model, names):
    """Return the groups of `model` as a channels-first Keras 1 on Theano keeps them."""
    conv, norm, conv2, dense, last = (model.layers[i].get_weights() for i in (0, 1, 3, 5, 6))
    turned = [w[::-1, ::-1].transpose(3, 2, 0, 1) for w in (conv[0], conv2[0])]
    kernel = dense[0].reshape(3, 2, 4, 5).transpose(2, 0, 1, 3).reshape(24, 5)
    arrays = [[turned[0], conv[1]], norm, [turned[1], conv2[1]], [kernel, dense[1]], last]
    return [
        (name, [(f"{name}_{i}", a) for i, a in enumerate(group)])
        for name, group in zip(names, arrays, strict=True)
    ]


def test_keras_1_on_theano_with_channels_first(tmp_path, network, rng):
    names = [
        "convolution2d_1", "batchnormalization_1", "convolution2d_2", "dense_1", "dense_2",
    ]  # fmt: skip
    layers = [
        keras_1(
            "Convolution2D", name=names[0], nb_filter=3, nb_row=3, nb_col=3, border_mode="valid",
            subsample=[1, 1], dim_ordering="th", activation="relu", bias=True,
            batch_input_shape=[None, 1, 10, 10], input_dtype="float32", init="glorot_uniform",
        ),
        keras_1("BatchNormalization", name=names[1], mode=0, axis=1, epsilon=1e-3, momentum=0.99),
        keras_1("MaxPooling2D", name="p", pool_size=[2, 2], strides=[2, 2], dim_ordering="th"),
        keras_1("Convolution2D", name=names[2], nb_filter=4, nb_row=2, nb_col=3,
                dim_ordering="th", activation="linear"),
        keras_1("Dropout", name="d", p=0.25),
        keras_1("Flatten", name="f"),
        keras_1("Dense", name=names[3], output_dim=5, activation="relu", input_dim=None),
        keras_1("Dense", name=names[4], output_dim=10, activation="linear"),
        keras_1("Activation", name="a", activation="softmax"),
    ]  # fmt: skip
    config = {"class_name": "Sequential", "config": layers}
    path = tmp_path / "old.h5"
    write_legacy(path, config, channels_first(network, names))
    model = saving.load_model(path)
    x = rng.random((4, 10, 10, 1), np.float32)
    np.testing.assert_allclose(model.predict(x), network.predict(x), atol=1e-5)
    assert model.x_shape == (10, 10, 1)
    assert model.metadata["source"]["input_shape"] == [1, 10, 10]


@pytest.mark.parametrize("split", [0, 3])
@pytest.mark.parametrize("as_list", [True, False])
def test_keras_2_lists_dicts_and_split_names(tmp_path, network, rng, as_list, split):
    config = legacy_config(network)
    layers = config["config"]["layers"][1:]
    layers[0]["config"]["batch_input_shape"] = [None, 10, 10, 1]
    if as_list:
        config["config"] = layers
    groups = []
    for layer in network.layers:
        names = [f"elsewhere/{name}:0" for name in layer.weight_names]  # another prefix
        groups.append((layer.name, list(zip(names, layer.weights, strict=True))))
    version = {"keras": "2.1.5", "backend": "tensorflow"}
    write_legacy(tmp_path / "x.h5", config, groups, **version, split=split)
    model = saving.load_model(tmp_path / "x.h5")
    x = rng.random((4, 10, 10, 1), np.float32)
    assert np.array_equal(model.predict(x), network.predict(x))


def test_names_out_of_step_are_matched_in_order(tmp_path, network, rng):
    groups = [
        (f"other_{i}", [(f"w/{n}:0", a) for n, a in zip(y.weight_names, y.weights, strict=True)])
        for i, y in enumerate(network.layers)
    ]
    write_legacy(tmp_path / "x.h5", legacy_config(network), groups, keras="2.2.4")
    x = rng.random((4, 10, 10, 1), np.float32)
    model = saving.load_model(tmp_path / "x.h5")
    assert np.array_equal(model.predict(x), network.predict(x))


def test_theano_kernels_of_keras_2_are_turned(tmp_path, rng):
    ours = nn.Sequential([Input((6, 6, 1)), Conv2D(2, 3), Flatten(), Dense(3)], seed=0)
    kernel, bias = ours.layers[0].get_weights()
    groups = [
        ("conv2d", [("conv2d/kernel", kernel[::-1, ::-1]), ("conv2d/bias", bias)]),
        ("flatten", []),
        ("dense", [("dense/kernel", ours.layers[2].weights[0]), ("dense/bias", np.zeros(3))]),
    ]
    write_legacy(tmp_path / "x.h5", legacy_config(ours), groups, keras="2.0.8", backend="theano")
    x = rng.random((2, 6, 6, 1), np.float32)
    found = saving.load_model(tmp_path / "x.h5").predict(x)
    np.testing.assert_allclose(found, ours.predict(x), atol=1e-6)


def test_open_and_missing_input_shapes_are_28_by_28(tmp_path):
    ours = nn.Sequential([Input((28, 28, 1)), Conv2D(2, 3), GlobalAveragePooling2D()], seed=0)
    config = legacy_config(ours)
    ours.save(tmp_path / "x.h5")
    for shape in ([None, None, None, 1], None):
        first = config["config"]["layers"][0]["config"]
        first.pop("batch_input_shape", None)
        if shape:
            first["batch_input_shape"] = shape
        with h5py.File(tmp_path / "x.h5", "a") as file:
            file.attrs["model_config"] = json.dumps(config)
            file.attrs.pop("nn_metadata", None)
        model = saving.load_model(tmp_path / "x.h5")
        assert model.x_shape == (28, 28, 1)
        assert "input shape" in " ".join(model.metadata["source"]["notes"])


# -- refusals -----------------------------------------------------------------------------------


def refused(tmp_path, edit, match):
    """Edit a good file's configuration and expect it to be refused."""
    model = nn.Sequential(
        [Input((8, 8, 1)), Conv2D(2, 3), BatchNormalization(name="b"), Flatten(), Dense(4)]
    )
    model.save(tmp_path / "x.h5")
    config = legacy_config(model)
    edit(config["config"]["layers"])
    with h5py.File(tmp_path / "x.h5", "a") as file:
        file.attrs["model_config"] = json.dumps(config)
    with pytest.raises(FormatError, match=match):
        saving.load_model(tmp_path / "x.h5")


@pytest.mark.parametrize(
    ("position", "layer", "match"),
    [
        (2, keras_1("Lambda", name="mine", function=["4wEAAA==", None, None]), "'mine'.*Lambda"),
        (2, keras_1("LSTM", name="lstm", units=3), "'lstm'.*received LSTM"),
        (2, keras_1("Attention3000", name="a"), "received Attention3000"),
        (2, keras_1("Activation", name="a", activation="my_own"), "received my_own"),
        (2, keras_1("MaxPooling2D", name="p", pool_size=[9, 9]), "fits into 6x6"),
        (2, keras_1("MaxPooling2D", name="p", data_format="channels_first"), "channels_last"),
        (2, keras_1("ReLU", name="r", max_value=-6.0), "max_value from 0"),
        (2, keras_1("Permute", name="p", dims=[2, 1]), "expected an input of 2 axes"),
        (2, keras_1("UpSampling2D", name="u", interpolation="bilinear"), "interpolation nearest"),
        (2, keras_1("Cropping2D", name="c", cropping=[3, 0]), "cropping that leaves some of 6x6"),
        (3, keras_1("Rescaling", name="r", scale="x"), "scale as a number"),
    ],
)
def test_what_has_no_equal_here_is_refused_by_name(tmp_path, position, layer, match):
    refused(tmp_path, lambda layers: layers.insert(position, layer), match)


@pytest.mark.parametrize(
    ("key", "value", "match"),
    [
        ("filters", 10**9, "filters from 1"),
        ("filters", 900_000, "expected kernel of shape .*900000"),
        ("filters", True, "whole number"),
        ("filters", 3, r"Conv2D 'conv2d': expected kernel of shape \(3, 3, 1, 3\)"),
        ("kernel_size", [3], "two numbers"),
        ("kernel_size", [-3, 3], "kernel_size from 1"),
        ("strides", [0, 1], "strides from 1"),
        ("padding", "causal", "one of valid, same"),
        ("use_bias", "yes", "true or false"),
        ("use_bias", False, r"expected 1 weights \(kernel\)"),
        ("data_format", "sideways", "channels_last or channels_first"),
        ("dilation_rate", [500, 500], "fits into"),
    ],
)
def test_impossible_configurations_are_refused(tmp_path, key, value, match):
    refused(tmp_path, lambda layers: layers[1]["config"].update({key: value}), match)


@pytest.mark.parametrize(
    ("key", "value", "match"),
    [
        ("axis", 1, "'b'.*axis 1"),
        ("mode", 2, "mode 0"),
        ("epsilon", -1, "epsilon from 0"),
        ("scale", False, "expected 3 weights"),
    ],
)
def test_other_batch_normalisations_are_refused(tmp_path, key, value, match):
    refused(tmp_path, lambda layers: layers[2]["config"].update({key: value}), match)


def test_branches_are_refused_by_name(tmp_path):
    def node(*names):
        return [[[name, 0, 0, {}] for name in names]]

    layers = [
        {**keras_1("InputLayer", batch_input_shape=[None, 4]), "name": "i", "inbound_nodes": []},
        {**keras_1("Dense", units=2), "name": "a", "inbound_nodes": node("i")},
        {**keras_1("Dense", units=2), "name": "b", "inbound_nodes": node("i")},
        {**keras_1("Add"), "name": "sum", "inbound_nodes": node("a", "b")},
    ]
    config = {
        "class_name": "Functional",
        "config": {
            "name": "m", "layers": layers, "input_layers": [["i", 0, 0]],
            "output_layers": [["sum", 0, 0]],
        },
    }  # fmt: skip
    write_legacy(tmp_path / "x.h5", config, [("a", [])], keras="2.9.0")
    with pytest.raises(FormatError, match=r"layer 'sum': expected one source.*Add.*'a', 'b'"):
        saving.load_model(tmp_path / "x.h5")


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("[" * 100_000, "depth"),
        ('{"a": ' * 70 + "1" + "}" * 70, "depth"),
        ("{", "JSON"),
        ("3", "class_name"),
        ('{"class_name": "Sequential", "config": []}', "list of layers"),
        ('{"class_name": "MyModel", "config": {}}', "Sequential or a functional"),
        ('"' + "x" * (5 << 20) + '"', "bytes of JSON"),
        ('{"a": ' + "9" * 5000 + "}", "JSON"),
    ],
)
def test_hostile_json_is_refused(tmp_path, text, match):
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file.attrs["model_config"] = text
    with pytest.raises(FormatError, match=match):
        saving.load_model(tmp_path / "x.h5")


def test_other_files_are_refused(tmp_path):
    (tmp_path / "page.h5").write_text("<!DOCTYPE html>")
    with pytest.raises(FormatError, match="download page"):
        saving.load_model(tmp_path / "page.h5")
    (tmp_path / "empty.h5").touch()
    with pytest.raises(FormatError, match="0 bytes"):
        saving.load_model(tmp_path / "empty.h5")
    with pytest.raises(FormatError, match="SavedModel"):
        saving.load_model(tmp_path)
    with pytest.raises(FileNotFoundError):
        saving.load_model(tmp_path / "none.h5")
