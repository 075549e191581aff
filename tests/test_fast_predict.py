"""Predictions of the fast stage: any number of images, cut any way, gives the same answers."""

import numpy as np
import pytest

import nn
from nn import runtime
from nn.fast.dense.stage import BoundDense
from nn.fast.engine.buffers import SLACK
from nn.fast.engine.prediction import BLOCK, FEW
from nn.layers import (
    Activation,
    BatchNormalization,
    Conv2D,
    Dense,
    Flatten,
    Input,
    MaxPooling2D,
)

NETS = {
    "convolutions and dense layers": [
        Input((14, 14, 1)),
        Conv2D(9, 3, padding="same", activation="relu"),
        MaxPooling2D(),
        Conv2D(8, 3, activation="relu", use_bias=False),
        MaxPooling2D(),
        Flatten(),
        Dense(200, activation="relu"),  # 128 + 64 + 8 columns
        Dense(13, use_bias=False),
        Dense(5, activation="softmax"),
    ],
    "large images, one at a time": [
        Input((70, 66, 2)),
        Conv2D(32, 3, activation="relu"),
        MaxPooling2D(),
        Flatten(),
        Dense(3),
    ],
    "dense only": [Input((20,)), Dense(129, activation="relu"), Dense(3, activation="softmax")],
    "ends in a convolution": [
        Input((6, 6, 3)),
        Conv2D(4, 3),
        MaxPooling2D(),
        Flatten(),
        Activation("softmax"),
    ],
    "plain layers between": [
        Input((10, 10, 1)),
        Conv2D(8, 3, activation="relu"),
        MaxPooling2D(),
        BatchNormalization(),
        Flatten(),
        Dense(16, activation="tanh"),
        Dense(4, activation="softmax"),
    ],
}
COUNTS = (1, FEW, FEW + 1, 13, BLOCK, BLOCK + 1, 2 * BLOCK + 5)


def make(name):
    layers = [type(layer).from_config(layer.get_config()) for layer in NETS[name][1:]]
    return nn.Sequential([NETS[name][0], *layers], seed=2)


@pytest.mark.parametrize("name", NETS)
def test_any_number_of_examples_gets_the_answers_of_the_plain_layers(name):
    model = make(name)
    x = np.random.default_rng(1).standard_normal((COUNTS[-1], *model.x_shape))
    x = x.astype(np.float32)
    together = model.engine.predict(x)
    with nn.use_backend("reference"), runtime.use_engine("plain"):
        expected = model.predict(x)
    np.testing.assert_allclose(together, expected, atol=2e-5, rtol=1e-5)
    for count in COUNTS:
        np.testing.assert_array_equal(model.engine.predict(x[:count]), together[:count])
    before = runtime.num_threads()
    runtime.set_num_threads(3)
    try:
        np.testing.assert_array_equal(model.engine.predict(x), together)
    finally:
        runtime.set_num_threads(before)


@pytest.mark.parametrize("name", NETS)
def test_a_prediction_writes_only_inside_its_buffers(name):
    model = make(name)
    x = np.ones((BLOCK, *model.x_shape), np.float32)
    model(x)
    (buffers,) = model.engine._predictor._free
    ends = [buffer.data[-SLACK // 2 :] for buffer in buffers.y]
    dense = [stage for stage in buffers.stages if isinstance(stage, BoundDense)]
    ends += [stage.right[-4:] for stage in dense if stage.packed]
    for end in ends:
        end[:] = -7.25
    for count in (1, FEW, 3, BLOCK):
        model(x[:count])
    assert all((end == -7.25).all() for end in ends)


def test_the_answer_is_the_callers_own():
    model = make("dense only")
    first = model(np.zeros((1, 20), np.float32))
    kept = first.copy()
    model(np.ones((1, 20), np.float32))
    np.testing.assert_array_equal(first, kept)


def test_every_changed_weight_is_noticed():
    model = make("convolutions and dense layers")
    rng = np.random.default_rng(0)
    x = rng.standard_normal((1, 14, 14, 1)).astype(np.float32)
    model(x)  # now the weights are where they stay
    for layer in model.layers:
        for weights in layer.params.values():
            before = model(x)
            weights += 0.02 * rng.standard_normal(weights.shape).astype(np.float32)
            assert not np.array_equal(model(x), before), layer.name
    model.layers[-1].params["bias"][0] = np.nan
    assert np.isnan(model(x)).all()
