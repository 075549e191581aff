"""Layers of one's own: each slip against the contract is one sentence, on both engines."""

import numpy as np
import pytest

import nn
from nn.layers import Dense, Flatten, Layer


class Scale(Layer):
    """Right: y = a * x, one factor a feature."""

    def create_weights(self, rng):
        self.params["a"] = rng.uniform(0.5, 1.5, self.x_shape)

    def _forward(self, x, training):
        if training:
            self.keep(x)
        return x * self.params["a"]

    def _backward(self, dy):
        self.grads["a"] = (dy * self.kept).sum(axis=0)
        return dy * self.params["a"]


class MadeTooEarly(Scale):
    def __init__(self, **common):
        super().__init__(**common)
        self.params["a"] = np.ones(3)


class InitForgotten(Scale):
    def __init__(self):
        self.factor = 2


class Misnamed(Scale):
    def _backward(self, dy):
        self.grads["A"] = (dy * self.kept).sum(axis=0)
        return dy * self.params["a"]


class Unassigned(Scale):
    def _backward(self, dy):
        return dy * self.params["a"]


class GradientUnsummed(Scale):
    def _backward(self, dy):
        self.grads["a"] = dy * self.kept
        return dy * self.params["a"]


class BackwardReturnsNothing(Scale):
    def _backward(self, dy):
        super()._backward(dy)


class ForwardReturnsNothing(Scale):
    def _forward(self, x, training):
        super()._forward(x, training)


class DxOfAnotherShape(Scale):
    def _backward(self, dy):
        return super()._backward(dy)[:, :1]


class ShapeUntold(Scale):
    def _forward(self, x, training):
        return np.concatenate([super()._forward(x, training), x], axis=1)


class ShapeWithoutBatch(Scale):
    def compute_output_shape(self, input_shape):
        return (0, *input_shape[1:])


class NothingKept(Scale):
    def _forward(self, x, training):
        return x * self.params["a"]


class NoNumbers(Scale):
    def create_weights(self, rng):
        self.params["a"] = "ones"


class NoForward(Layer):
    pass


class NoBackward(Layer):
    def _forward(self, x, training):
        return x


def model_with(make, dtype="float32"):
    head = [Flatten(), Dense(2, activation="softmax")]
    model = nn.Sequential([nn.Input((3,)), make(), *head], seed=0, dtype=dtype)
    model.compile("sgd", "sparse_categorical_crossentropy")
    return model


def train(make, steps=1):
    model = model_with(make)
    # The layer in question is not the first: its dx is needed.
    model = nn.Sequential([nn.Input((3,)), Dense(3), *model.layers], seed=0)
    model.compile("sgd", "sparse_categorical_crossentropy")
    x, y = np.random.default_rng(0).random((8, 3), np.float32), np.arange(8) % 2
    for _ in range(steps):
        model.train_on_batch(x, y)
    return model


SLIPS = [
    (MadeTooEarly, TypeError, r"scale|made_too_early: expected no weights before build, received a "
     r"in __init__\. Make them in create_weights\(rng\)"),
    (InitForgotten, TypeError, r"InitForgotten is not initialised\. Call super\(\)\.__init__"),
    (Misnamed, ValueError, r"misnamed: expected grads for a, received A\. Assign self\.grads"),
    (Unassigned, ValueError, r"unassigned: expected grads for a, received none\."),
    (GradientUnsummed, ValueError, r"expected grads\['a'\] of shape \(3,\), that of params\['a'\], "
     r"received \(8, 3\)"),
    (BackwardReturnsNothing, TypeError, r"expected _backward to return an array of shape \(8, 3\), "
     r"received nothing\. Does it end in return\?"),
    (ForwardReturnsNothing, TypeError, r"expected _forward to return an array of shape \(8, 3\), "
     r"received nothing"),
    (DxOfAnotherShape, ValueError, r"expected _backward to return shape \(8, 3\), received "
     r"\(8, 1\)\. dx has the shape of x"),
    (ShapeUntold, ValueError, r"expected _forward to return shape \(8, 3\), received \(8, 6\)\. "
     r"Define _output_shape"),
    (NothingKept, RuntimeError, r"nothing was kept\. Call self\.keep\(\.\.\.\) in _forward if"),
    (NoNumbers, TypeError, r"expected an array of numbers for 'a', received 'ones'"),
    (NoForward, TypeError, r"NoForward must define _forward\(x, training\)"),
    (NoBackward, TypeError, r"NoBackward must define _backward\(dy\)"),
    (lambda: Scale, TypeError, r"add: expected a layer, received the class Scale\. Make one"),
    (lambda: len, TypeError, r"add: expected a layer, received <built-in function len>"),
]  # fmt: skip


@pytest.mark.parametrize("engine", ["auto", "plain"])
@pytest.mark.parametrize(("make", "error", "words"), SLIPS, ids=[s[0].__name__ for s in SLIPS])
def test_a_slip_is_one_sentence(make, error, words, engine):
    with nn.use_engine(engine), pytest.raises(error, match=words):
        train(make)


@pytest.mark.parametrize("engine", ["auto", "plain"])
def test_the_right_layer_trains(engine):
    with nn.use_engine(engine):
        before = model_with(Scale).layers[0].params["a"].copy()
        model = train(Scale, steps=3)
    layer = next(layer for layer in model.layers if isinstance(layer, Scale))
    assert np.abs(layer.params["a"] - before).max() > 1e-4


def test_weights_get_the_dtype_of_the_model():
    layer = model_with(Scale).layers[0]
    assert layer.params["a"].dtype == np.float32  # rng.uniform gives float64
    assert model_with(Scale, "float64").layers[0].params["a"].dtype == np.float64
