"""Our own files: what is saved comes back, whole or not at all; and how digits are fed in."""

import dataclasses
import errno
import json
import os
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest

import nn
from nn import atomic, saving
from nn.datasets.mnist import load_test
from nn.layers import (
    ELU,
    LAYERS,
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
    Identity,
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
from nn.saving import DigitInput, FormatError

KERAS_FILE = (
    Path(os.environ.get("NN_DATA_DIR") or Path(__file__).parents[2] / "shared" / "data")
    / "keras" / "mnist-keras-2.3.h5"
)  # fmt: skip


@pytest.fixture(autouse=True)
def plain_engine():
    """These networks are tiny: no kernel needs compiling."""
    with nn.use_backend("reference"):
        yield


def every_layer():
    """Return a model with every layer there is."""
    return nn.Sequential(
        [
            Input((784,)), Rescaling(2.0, -1.0), Reshape((28, 28, 1)),
            ZeroPadding2D(((1, 0), (0, 2))), Cropping2D(((1, 0), (0, 2))), UpSampling2D((2, 1)),
            Permute((2, 1, 3)), GaussianNoise(0.1), Identity(), SpatialDropout2D(0.1, seed=3),
            Conv2D(3, (3, 5), strides=(2, 1), padding="same", activation="elu", use_bias=False,
                   kernel_initializer="he_normal", kernel_regularizer="l1_l2"),
            BatchNormalization(momentum=0.9, epsilon=1e-4), MaxPooling2D((2, 3), 2, "same"),
            LeakyReLU(0.1), Conv2D(4, 3), PReLU(shared_axes=(1, 2)), ReLU(2.0, 0.1, 0.01),
            ELU(0.5), AveragePooling2D(2),
            BatchNormalization(scale=False), Dropout(0.25), GlobalAveragePooling2D(keepdims=True),
            GlobalMaxPooling2D(keepdims=True), GaussianDropout(0.2, seed=2), Flatten(),
            Dense(6, activation="tanh"), Activation("sigmoid"),
            Dense(10, kernel_regularizer="l2", bias_initializer=nn.initializers.Constant(0.1)),
            Softmax(),
        ],
        name="everything",
        seed=5,
    )  # fmt: skip


def trained(optimizer=None, loss="categorical_crossentropy"):
    model = every_layer()
    model.compile(optimizer or nn.optimizers.Adam(0.01), loss, metrics=["accuracy"])
    rng = np.random.default_rng(0)
    x, y = rng.random((12, 784), np.float32), np.eye(10, dtype=np.float32)[np.arange(12) % 10]
    model.fit(x, y, batch_size=6, epochs=1, verbose=0)
    return model, x, y


def test_the_model_above_has_every_layer():
    assert {type(layer).__name__ for layer in every_layer().layers} >= set(LAYERS) - {"InputLayer"}


@pytest.mark.parametrize("name", ["x.h5", "x.hdf5", "x.keras"])
@pytest.mark.parametrize(
    "optimizer",
    [
        nn.optimizers.Adam(0.01),
        nn.optimizers.AdamW(0.01, weight_decay=0.1),
        nn.optimizers.Adadelta(),
        nn.optimizers.SGD(0.1, momentum=0.9, nesterov=True),
        nn.optimizers.SGD(0.1),
        nn.optimizers.Adam(nn.optimizers.schedules.CosineDecay(0.01, 50)),
        nn.optimizers.RMSprop(0.01),
        nn.optimizers.RMSprop(0.01, momentum=0.5, centered=True),
        nn.optimizers.AdamW(0.01),
    ],
    ids=lambda o: type(o).__name__,
)
def test_everything_comes_back(tmp_path, name, optimizer):
    model, x, y = trained(optimizer)
    model.metadata = {"seed": 5, "history": [0.1, 0.2], "näme": {"a": None}}
    model.save(tmp_path / name)
    again = nn.load_model(tmp_path / name)
    assert np.array_equal(again.predict(x), model.predict(x))
    assert again.metadata == model.metadata
    assert again.name == "everything"
    assert [layer.name for layer in again.layers] == [layer.name for layer in model.layers]
    assert again.optimizer.get_config() == model.optimizer.get_config()
    assert again.optimizer.iterations == 2
    for slot, arrays in model.optimizer.slots.items():
        for found, values in zip(again.optimizer.slots[slot], arrays, strict=True):
            assert np.array_equal(found, values)
    assert again.metric == "accuracy"
    for layer in (*model.layers, *again.layers):
        if hasattr(layer, "rng"):
            layer.rng = np.random.default_rng(3)
    assert again.train_on_batch(x[:6], y[:6]) == model.train_on_batch(x[:6], y[:6])
    assert np.array_equal(again.predict(x), model.predict(x))


def test_the_second_file_is_like_the_first(tmp_path):
    model, _, _ = trained()
    model.save(tmp_path / "a.h5")
    nn.load_model(tmp_path / "a.h5").save(tmp_path / "b.h5")
    with h5py.File(tmp_path / "a.h5") as a, h5py.File(tmp_path / "b.h5") as b:
        names = []
        a.visit(names.append)
        for name in names:
            assert name in b
            if isinstance(a[name], h5py.Dataset):
                assert np.array_equal(a[name][()], b[name][()])
        for name in a.attrs:
            first, second = a.attrs[name], b.attrs[name]
            assert first == second or json.loads(first) == json.loads(second)


@pytest.mark.parametrize(
    "loss",
    [
        nn.losses.CategoricalCrossentropy(label_smoothing=0.1),
        nn.losses.CategoricalCrossentropy(from_logits=True),
    ],
)
@pytest.mark.parametrize("name", ["x.h5", "x.keras"])
def test_a_loss_with_options_comes_back(tmp_path, loss, name):
    model, _, _ = trained(loss=loss)
    model.save(tmp_path / name)
    assert nn.load_model(tmp_path / name).loss.get_config() == loss.get_config()


def test_uncompiled_models_and_compile_false(tmp_path):
    model = every_layer()
    model.save(tmp_path / "x.h5")
    assert not nn.load_model(tmp_path / "x.h5").compiled
    trained()[0].save(tmp_path / "x.h5")
    assert not nn.load_model(tmp_path / "x.h5", compile=False).compiled


@pytest.mark.parametrize("keras", [2, 3])
def test_the_state_comes_back_in_either_order(tmp_path, keras):
    model, _, _ = trained()
    saving.save_model(model, tmp_path / "x.h5", keras=keras)
    with h5py.File(tmp_path / "x.h5") as file:
        assert ("optimizer_weights" in file) == (keras == 2)
    again = nn.load_model(tmp_path / "x.h5")
    for slot, arrays in model.optimizer.slots.items():
        for found, values in zip(again.optimizer.slots[slot], arrays, strict=True):
            assert np.array_equal(found, values)


@pytest.mark.parametrize("name", ["w.weights.h5", "w.h5", "whole.h5", "whole.keras"])
def test_weights_load_into_a_model_of_the_same_architecture(tmp_path, name):
    model, x, _ = trained()
    if name.startswith("whole"):
        model.save(tmp_path / name)
    else:
        model.save_weights(tmp_path / name)
    fresh = every_layer()
    fresh.load_weights(tmp_path / name)
    assert np.array_equal(fresh.predict(x), model.predict(x))


@pytest.mark.parametrize("name", ["w.weights.h5", "w.h5"])
def test_weights_of_another_architecture_change_nothing(tmp_path, name):
    every_layer().save_weights(tmp_path / name)
    other = nn.Sequential([Input((784,)), Dense(6), Dense(10)], seed=0)
    before = other.get_weights()
    with pytest.raises(FormatError, match=r"another architecture|expected kernel of shape"):
        other.load_weights(tmp_path / name)
    assert all(np.array_equal(a, b) for a, b in zip(before, other.get_weights(), strict=True))


def test_many_layers_split_the_list_of_names(tmp_path):
    names = [f"{i:04}" + "x" * 180 for i in range(400)]
    layers = [Activation("relu", name=name) for name in names]
    model = nn.Sequential([Input((3,)), *layers, Dense(2)], seed=0)
    model.save(tmp_path / "x.h5")
    with h5py.File(tmp_path / "x.h5") as file:
        assert "layer_names0" in file["model_weights"].attrs
    assert [y.name for y in nn.load_model(tmp_path / "x.h5").layers][:400] == names


# -- writing is all or nothing ------------------------------------------------------------------


@pytest.mark.parametrize("name", ["x.h5", "x.keras", "x.weights.h5"])
def test_a_failure_leaves_what_was_there(tmp_path, monkeypatch, name):
    model = every_layer()
    path = tmp_path / name
    path.write_bytes(b"precious")

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(atomic.os, "fsync", full)
    with pytest.raises(OSError, match=r"cannot write .*x.*: No space left.* Nothing that existed"):
        model.save(path)
    assert path.read_bytes() == b"precious"
    assert os.listdir(tmp_path) == [name]


def test_a_really_full_disk(tmp_path):
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")

    def write(place):
        with open("/dev/full", "w") as full:
            full.write("x" * 100_000)

    with pytest.raises(OSError, match="No space left"):
        atomic.write_atomically(tmp_path / "x.h5", write)
    assert os.listdir(tmp_path) == []


def test_missing_and_read_only_folders(tmp_path):
    model = every_layer()
    with pytest.raises(FileNotFoundError, match="cannot write"):
        model.save(tmp_path / "none" / "x.h5")
    with pytest.raises(IsADirectoryError, match="received the folder"):
        model.save(tmp_path)
    locked = tmp_path / "locked"
    locked.mkdir()
    locked.chmod(0o500)
    if os.access(locked, os.W_OK):
        pytest.skip("this user may write everywhere")
    with pytest.raises(PermissionError, match="cannot write"):
        model.save(locked / "x.h5")


def test_permissions_are_those_of_any_new_file(tmp_path):
    (tmp_path / "plain").touch()
    every_layer().save(tmp_path / "x.h5")
    assert (tmp_path / "x.h5").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_metadata_has_to_be_json(tmp_path):
    model = every_layer()
    model.metadata["model"] = model
    with pytest.raises(ValueError, match="metadata: expected numbers"):
        model.save(tmp_path / "x.h5")
    assert os.listdir(tmp_path) == []


def test_archives_hold_what_keras_expects(tmp_path):
    trained()[0].save(tmp_path / "x.keras")
    with zipfile.ZipFile(tmp_path / "x.keras") as archive:
        assert sorted(archive.namelist()) == ["config.json", "metadata.json", "model.weights.h5"]
        config = json.loads(archive.read("config.json"))
    assert config["module"] == "keras"
    assert config["compile_config"]["optimizer"]["class_name"] == "Adam"


# -- digits for strangers' models -----------------------------------------------------------------


@pytest.mark.parametrize(
    "shape", [(28, 28, 1), (28, 28), (784,), (784, 1), (1, 784), (28, 28, 3), (32, 32, 1)]
)
def test_digits_are_brought_into_the_form_a_model_wants(shape, rng):
    images = rng.random((3, 28, 28), np.float32)
    x = DigitInput().prepare(images[..., None], shape)
    assert x.shape == (3, *shape)
    assert x.dtype == np.float32
    middle = x[:, 2:30, 2:30, 0] if shape[0] == 32 else x
    if shape[-1] == 3:
        assert np.array_equal(x[..., 0], x[..., 2])
        middle = x[..., 1]
    assert np.array_equal(middle.reshape(3, 28, 28), images)


def test_conventions_transform_as_they_say(rng):
    images = rng.random((2, 28, 28), np.float32)
    found = DigitInput(2.0, -1.0, transpose=True, invert=True).prepare(images, (28, 28))
    np.testing.assert_allclose(found, 2 * (1 - images.transpose(0, 2, 1)) - 1, atol=1e-6)
    assert DigitInput(2.0, -1.0, True, True).describe() == "-1 to 1, transposed, inverted"


def test_other_models_are_refused():
    with pytest.raises(FormatError, match="digit model's input shape"):
        DigitInput().prepare(np.zeros((1, 28, 28)), (224, 224, 3))
    with pytest.raises(ValueError, match=r"images: expected shape \(N, 28, 28\)"):
        DigitInput().prepare(np.zeros((28, 28)), (784,))
    with pytest.raises(FormatError, match="10 classes"):
        saving.check_digit_model(nn.Sequential([Input((784,)), Dense(26)]))


def test_the_users_word_is_stored_in_the_file(tmp_path):
    model = nn.Sequential([Input((784,)), Dense(10)], seed=0)
    model.save(tmp_path / "x.h5")
    told = nn.load_model(tmp_path / "x.h5", input_scale=255, invert=True)
    assert DigitInput.of(told) == DigitInput(255, 0, False, True)
    told.save(tmp_path / "y.keras")
    assert DigitInput.of(nn.load_model(tmp_path / "y.keras")) == DigitInput(255, 0, False, True)
    turned = nn.load_model(tmp_path / "y.keras", transpose=True)
    assert DigitInput.of(turned) == DigitInput(255, 0, True, True)
    with pytest.raises(ValueError, match="input_scale: expected a number"):
        nn.load_model(tmp_path / "x.h5", input_scale="255")


@pytest.mark.parametrize("last", ["softmax", "sigmoid", "linear"])
def test_outputs_become_probabilities(last, rng):
    model = nn.Sequential([Input((28, 28, 1)), Flatten(), Dense(10, activation=last)], seed=0)
    p = saving.digit_probabilities(model, rng.random((4, 28, 28)))
    np.testing.assert_allclose(p.sum(axis=1), 1, atol=1e-6)
    raw = model.predict(rng.random((1, 28, 28, 1)).astype(np.float32))
    if last == "linear":
        saving.add_softmax(model)
        assert isinstance(model.layers[-1], Softmax)
        assert raw.sum() != pytest.approx(1)


@pytest.mark.parametrize(
    "truth",
    [
        DigitInput(),
        DigitInput(255.0),
        DigitInput(2.0, -1.0, invert=True),
        DigitInput(255.0, 0.0, transpose=True),
    ],
)
def test_probing_finds_the_convention(easy_digits, truth):
    x, y = easy_digits
    model = nn.Sequential([Input((784,)), Dense(32, "relu"), Dense(10, "softmax")], seed=0)
    model.compile(nn.optimizers.Adam(0.005), "sparse_categorical_crossentropy")
    model.fit(x[:400].reshape(-1, 784), y[:400], epochs=12, verbose=0)
    # Fold the convention into the first layer: now it wants scale * x + offset.
    kernel, bias = model.layers[0].get_weights()
    if truth.transpose:
        kernel = kernel.reshape(28, 28, 32).transpose(1, 0, 2).reshape(784, 32)
    if truth.invert:
        kernel, bias = -kernel, bias + kernel.sum(axis=0)
    kernel = kernel / truth.scale
    model.layers[0].set_weights([kernel, bias - truth.offset * kernel.sum(axis=0)])
    evidence = saving.probe_input(model, x[400:], y[400:])
    equal = [t.convention for t in evidence.trials if t.accuracy == evidence.trials[0].accuracy]
    assert truth in equal
    assert {(c.transpose, c.invert) for c in equal} == {(truth.transpose, truth.invert)}
    assert evidence.convincing
    assert len(evidence.trials) == 20
    table = str(evidence).splitlines()
    assert evidence.best.describe() in table[1]
    assert "right of 200" in table[0]
    model.metadata["input"] = dataclasses.asdict(evidence.best)
    found = saving.digit_probabilities(model, x[400:]).argmax(axis=1)
    assert (found == y[400:]).mean() == evidence.trials[0].accuracy


def test_probing_admits_that_it_does_not_know(easy_digits):
    x, y = easy_digits
    model = nn.Sequential([Input((784,)), Dense(10, "softmax")], seed=0)
    evidence = saving.probe_input(model, (x[:100] * 255).astype(np.uint8), y[:100])
    assert not evidence.convincing
    assert "nothing can be concluded" in str(evidence)
    with pytest.raises(ValueError, match="labels: expected 100 digits"):
        saving.probe_input(model, x[:100], y[:50])


@pytest.fixture
def keras_file():
    if not KERAS_FILE.is_file():
        pytest.skip(f"{KERAS_FILE} is not there")
    return KERAS_FILE


def test_the_original_programs_weights_open(keras_file, mnist):
    model = nn.load_model(keras_file)
    assert model.count_params() == 261_962
    assert model.optimizer.iterations == 5628
    assert model.metadata["source"]["keras_version"] == "2.3.0"
    x, y = mnist
    right = model.predict(x[:100, :, :, None].astype(np.float32) / 255).argmax(axis=1) == y[:100]
    assert right.mean() > 0.98


@pytest.mark.slow
def test_the_original_programs_weights_score_what_is_known(keras_file, mnist):
    """A reading check with a published figure; nothing is chosen by it."""
    x, y = load_test(KERAS_FILE.parents[1], download=False)
    with nn.use_backend("numba"):
        p = nn.load_model(keras_file).predict(x[..., None].astype(np.float32) / 255)
    assert (p.argmax(axis=1) == y).mean() == 0.9949


def test_loading_imports_neither_h5py_nor_numba(tmp_path):
    import subprocess
    import sys

    nn.Sequential([Input((4,)), Dense(2)]).save(tmp_path / "x.h5")
    program = (
        "import sys, nn; nn.load_model(sys.argv[1]); "
        "print([m for m in ('h5py', 'numba', 'tensorflow') if m in sys.modules])"
    )
    run = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "x.h5")],
        capture_output=True, text=True, cwd=Path(__file__).parents[1],
    )  # fmt: skip
    assert run.stdout.strip() == "[]", run.stderr
