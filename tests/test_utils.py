"""The helpers under Keras's names, and what is refused among them."""

import importlib.util

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import nn
from nn import backend, utils
from nn.layers import Dense, Input, ReLU
from nn.models import Sequential


def test_labels_become_rows():
    from nn.utils.np_utils import to_categorical  # as scripts of Keras 1 and 2 import it

    rows = to_categorical([2, 0, 1])
    assert_array_equal(rows, [[0, 0, 1], [1, 0, 0], [0, 1, 0]])
    assert rows.dtype == np.float64
    assert to_categorical([[1], [0]], 4, dtype="float32").shape == (2, 4)
    assert utils.np_utils.to_categorical is utils.to_categorical is to_categorical


def test_rows_are_normalised():
    x = np.array([[3.0, 4.0], [0.0, 0.0]])
    assert_allclose(utils.normalize(x), [[0.6, 0.8], [0, 0]])
    assert_allclose(utils.normalize(x, axis=0, order=1), [[1, 1], [0, 0]])


def test_a_source_of_batches():
    class Rows(utils.Sequence):
        def __len__(self):
            return 3

        def __getitem__(self, index):
            return index

    assert list(Rows(workers=4)) == [0, 1, 2]
    assert Rows().num_batches == 3
    with pytest.raises(NotImplementedError, match=r"PyDataset must define __len__"):
        len(utils.PyDataset())


@pytest.mark.skipif(not importlib.util.find_spec("matplotlib"), reason="matplotlib is missing")
@pytest.mark.parametrize("direction", ["TB", "LR"])
def test_a_picture_of_a_model(direction, tmp_path):
    from PIL import Image

    model = Sequential([Input((4,)), Sequential([Dense(3), ReLU()]), Dense(2)])
    options = {"show_shapes": True, "show_layer_activations": True, "show_trainable": True}
    for name, nested in (("a.png", False), ("b.png", True)):
        utils.plot_model(
            model, tmp_path / name, rankdir=direction, expand_nested=nested, dpi=40, **options
        )
    sizes = []
    for name in ("a.png", "b.png"):
        with Image.open(tmp_path / name) as image:
            sizes.append(image.size)
    longer = direction == "TB"
    assert sizes[1][longer] == pytest.approx(1.5 * sizes[0][longer], abs=2)
    assert sizes[1][not longer] == sizes[0][not longer]
    with pytest.raises(ValueError, match=r"expected rankdir 'TB' or 'LR', received 'BT'"):
        utils.plot_model(model, tmp_path / "c.png", rankdir="BT")


def test_plot_model_without_matplotlib(monkeypatch, tmp_path):
    monkeypatch.setitem(__import__("sys").modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r"plot_model: matplotlib is missing\. pip install mat"):
        utils.plot_model(Sequential([Input((4,)), Dense(2)]), tmp_path / "m.png")


def test_a_whole_script_finds_its_names():
    """``import nn as keras`` serves scripts that write every name in full."""
    assert nn.saving.load_model
    assert nn.saving.register_keras_serializable is nn.utils.register_keras_serializable
    assert {"Sequential", "Model", "Input", "saving"} <= {*nn.__all__}
    for name in ("Model", "Sequential", "clone_model", "load_model", "model_from_json"):
        assert getattr(nn.models, name)
    backend.clear_session()
    backend.set_image_data_format("channels_last")
    backend.set_floatx("float32")
    assert backend.image_data_format() == "channels_last"


@pytest.mark.parametrize(
    ("act", "sentence"),
    [
        (lambda: utils.model_to_dot, r"nn\.utils has no model_to_dot\. Use plot_model"),
        (lambda: utils.get_file, r"Download the file with your browser, or use nn\.datasets"),
        (lambda: backend.mean, r"nn\.backend has no mean\. Arrays here are NumPy's"),
        (lambda: nn.nothing, r"module 'nn' has no attribute 'nothing'"),
        (lambda: backend.set_image_data_format("channels_first"), r"'channels_last', received"),
        (lambda: backend.set_floatx("float16"), r"floatx: expected 'float32', received 'float16'"),
    ],
)
def test_what_is_refused(act, sentence):
    with pytest.raises((AttributeError, ValueError), match=sentence):
        act()
