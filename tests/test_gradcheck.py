"""The checker teaches: what it says of a wrong layer, and of a file it is given."""

import subprocess
import sys

import numpy as np
import pytest

import nn
from nn import gradcheck
from nn.gradcheck import __main__ as command
from nn.gradcheck.hints import hint_for
from nn.layers import Activation, Conv2D, Dense, Layer

GOOD = """
import numpy as np
from nn.layers import Layer
from nn.losses import CategoricalCrossentropy

class Cube(Layer):
    def __init__(self, factor=1.0, **common):
        super().__init__(**common)
        self.factor = factor

    def _forward(self, x, training):
        if training:
            self.keep(x)
        return self.factor * x**3

    def _backward(self, dy):
        return self.factor * 3 * self.kept**2 * dy

class Halved(Cube):
    def _backward(self, dy):
        return super()._backward(dy) / 2

class Unfinished(Cube):
    def _backward(self, dy):
        super()._backward(dy)

class Mine(CategoricalCrossentropy):
    pass
"""


@pytest.fixture
def layer_file(tmp_path):
    path = tmp_path / "mylayer.py"
    path.write_text(GOOD, encoding="utf-8")
    return path


def judge(capsys, *arguments):
    status = command.main([*map(str, arguments), "--backend", "reference"])
    printed = capsys.readouterr()
    return status, printed.out, printed.err


def test_a_right_layer_of_a_file(layer_file, capsys):
    status, out, _ = judge(capsys, f"{layer_file}:Cube", "--shape", "5", "--config", "factor=0.5")
    assert status == 0
    assert "cube" in out
    assert "all 10" in out


def test_a_wrong_layer_of_a_file(layer_file, capsys):
    status, out, _ = judge(capsys, f"{layer_file}:Halved", "--shape", "2,3")
    assert status == 1
    assert "FAIL" in out
    assert "(ratio 0.5). It is 2 times too small everywhere" in out


def test_a_file_that_was_just_edited_is_read_anew(layer_file, capsys):
    assert judge(capsys, f"{layer_file}:Cube", "--shape", "4")[0] == 0
    layer_file.write_text(GOOD.replace("factor * 3 * self", "factor * 2 * self"), encoding="utf-8")
    assert judge(capsys, f"{layer_file}:Cube", "--shape", "4")[0] == 1


def test_a_loss_of_a_file(layer_file, capsys):
    assert judge(capsys, f"{layer_file}:Mine", "--config", "name=mine")[0] == 0


@pytest.mark.parametrize(
    ("target", "more", "words"),
    [
        ("{}", [], "expected FILE.py:Class, received"),
        ("{}x:Cube", ["--shape", "3"], "expected a Python file, found none of that name"),
        ("{}:Sphere", ["--shape", "3"], "expected one of Cube, Halved, Unfinished, Mine."),
        ("{}:np", ["--shape", "3"], "expected one of Cube"),
        ("{}:Cube", [], "--shape: expected numbers such as 5,5,2 (no batch axis), received None"),
        ("{}:Cube", ["--shape", "5,x"], "--shape: expected numbers such as 5,5,2"),
        ("{}:Cube", ["--shape", "3", "--config", "size=2"], "Cube cannot be made:"),
        ("{}:Cube", ["--shape", "3", "--config", "factor"], "--config: expected NAME=VALUE"),
        ("{}:Unfinished", ["--shape", "3"], "expected _backward to return an array of shape"),
    ],
)
def test_bad_input_is_one_sentence(layer_file, capsys, target, more, words):
    status, _, err = judge(capsys, target.format(layer_file), *more)
    assert status == 2
    assert err.startswith("gradcheck: ")
    assert words in err
    assert err.count("\n") == 1


def test_a_file_that_does_not_import(tmp_path, capsys):
    path = tmp_path / "broken.py"
    path.write_text("import numpy as np\n1 / 0\n", encoding="utf-8")
    status, _, err = judge(capsys, f"{path}:Layer", "--shape", "3")
    assert status == 2
    assert "cannot be imported: ZeroDivisionError: division by zero" in err


def test_the_command_as_a_reader_types_it(layer_file):
    done = subprocess.run(
        [sys.executable, "-m", "nn.gradcheck", "mylayer.py:Cube", "--shape", "4"],
        cwd=layer_file.parent,
        env={"PYTHONPATH": str(nn.__path__[0] + "/.."), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith("2 arrays checked, 0 failed.\n")


# --- hints ----------------------------------------------------------------------------------------

RIGHT = np.random.default_rng(0).standard_normal((2, 4, 4, 3))


def border_doubled():
    wrong = RIGHT.copy()
    wrong[:, 0] *= 3
    wrong[:, :, -1] *= 0.5
    return wrong


def every_second():
    wrong = np.zeros_like(RIGHT)
    wrong[:, ::2, ::2] = RIGHT[:, ::2, ::2]
    return wrong


def one_side():
    wrong = RIGHT.copy()
    wrong[:, 1:3, 1:3, 0] *= 1.5
    return wrong


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (-RIGHT, "The sign is turned"),
        (2 * RIGHT, "2 times too large everywhere: a sum for a mean"),
        (RIGHT / 4, "4 times too small everywhere"),
        (1.37 * RIGHT, "1.37 times too large everywhere: a constant of the formula"),
        (np.zeros_like(RIGHT), "zero everywhere"),
        (RIGHT * np.inf, "not finite everywhere"),
        (RIGHT.swapaxes(1, 2), "Axes 1 and 2 are transposed"),
        (RIGHT[:, ::-1, ::-1], r"reversed along axes [1, 2]: is the kernel flipped?"),
        (np.roll(RIGHT, 1, axis=1), "shifted along axis 1: are the padding's pixels"),
        (RIGHT.sum(0, keepdims=True).repeat(2, 0), "the sum over axis 0, repeated"),
        (RIGHT.mean(3, keepdims=True).repeat(3, 3), "the mean over axis 3, repeated"),
        (border_doubled(), "Only the image's border is wrong: the padding?"),
        (every_second(), "72 of 96 elements are zero where they should not be: windows left out"),
        (one_side(), "8 of 96 elements are 1.5 times the right ones"),
    ],
)
def test_hints(wrong, words):
    assert words in hint_for(wrong.ravel(), RIGHT.ravel(), wrong, RIGHT)


def test_hints_of_a_forgotten_mask():
    right = np.where(RIGHT > 0, RIGHT, 0)
    assert "elements should be zero: a mask" in hint_for(RIGHT.ravel(), right.ravel(), RIGHT, right)


class NotFlipped(Conv2D):
    def _backward(self, dy):
        dz = self._backward_parameters(dy)
        flipped = np.ascontiguousarray(self.params["kernel"][::-1, ::-1])
        x_shape = (len(dz), *self.x_shape)
        return nn.ops.conv2d_backward_input(dz, flipped, x_shape, self.strides, self.pads)


def test_a_flipped_kernel_is_named():
    result = gradcheck.check(NotFlipped(2, 3), (5, 5, 2))[0]
    assert not result.passed
    assert result.hint == "It is right with kernel[::-1, ::-1] in place of kernel in backward."


class WithoutClamp(Layer):
    """ReLU6 and hard sigmoid whose derivative forgets the upper clamp."""

    def __init__(self, name_of):
        super().__init__()
        self.name_of = name_of

    def _forward(self, x, training):
        if training:
            self.keep(x)
        return np.clip(x, 0, 6) if self.name_of == "relu6" else np.clip(x / 6 + 0.5, 0, 1)

    def _backward(self, dy):
        x = self.kept
        return dy * (x > 0) if self.name_of == "relu6" else dy * (x > -3) / 6


@pytest.mark.parametrize("name", ["relu6", "hard_sigmoid"])
def test_a_forgotten_clamp_is_seen(name):
    result = gradcheck.check(WithoutClamp(name), (12,))[0]
    assert not result.passed
    assert "elements should be zero: a mask or a clamp forgotten" in result.hint


def test_elements_at_kinks_are_left_out_and_counted():
    x = np.array([[0.0, 1.0, -2.0, 6.0, 3e-6, 2.0, 8.0, 5.0]])
    layer = Activation("relu6")
    layer.build((8,), np.random.default_rng(0), np.float64)

    def value():
        return float(layer.forward(x, training=True).sum())

    value()
    dx = layer.backward(np.ones((1, 8)))
    result = gradcheck.compare("relu6", "x", value, x, dx, np.random.default_rng(0))
    assert (result.passed, result.checked, result.left_out) == (True, 5, 3)


class Random(Layer):
    def _forward(self, x, training):
        self.keep(np.random.default_rng().random(x.shape))
        return x * self.kept

    def _backward(self, dy):
        return dy * self.kept


class KeepsAlways(Activation):
    def _forward(self, x, training):
        return super()._forward(x, True)


class Float32(Dense):
    def _forward(self, x, training):
        return super()._forward(x, training).astype(np.float32)


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        (Random(), "Two forward passes of one x differ. Draw random numbers from a generator"),
        (KeepsAlways("tanh"), r"forward(training=False) keeps nothing: call self.keep only if"),
        (Float32(3), "It is float32 for an x of float64: the dtype follows the input"),
    ],
)
def test_broken_rules_are_named(layer, words):
    assert any(words in r.hint for r in gradcheck.check(layer, (6,)) if not r.passed)


def test_what_is_no_layer_or_no_float64_is_refused():
    with pytest.raises(
        TypeError, match=r"check: expected a layer, received the class Dense\. Make"
    ):
        gradcheck.check(Dense, (3,))
    model = nn.Sequential([nn.Input((3,)), Dense(2, activation="softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy")
    with pytest.raises(TypeError, match="expected a model of float64, received float32"):
        gradcheck.check_model(model)


def test_the_fast_stage_is_held_against_float64():
    results = gradcheck.check_fast(gradcheck.cases.digit_network)
    assert len(results) == 10
    assert all(r.passed and r.checked == r.size for r in results)
