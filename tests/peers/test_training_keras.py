"""Keras as the judge of the optimisers, step by step, and of the learning-rate schedules."""

import numpy as np
import pytest

from nn import losses, metrics, optimizers
from nn.optimizers import schedules

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

OPTIMISERS = [
    ("SGD", {"learning_rate": 0.1}),
    ("SGD", {"learning_rate": 0.1, "momentum": 0.9}),
    ("SGD", {"learning_rate": 0.1, "momentum": 0.9, "nesterov": True}),
    ("Adadelta", {"learning_rate": 1.0, "rho": 0.95, "epsilon": 1e-7}),
    ("Adadelta", {"learning_rate": 0.3, "rho": 0.8, "epsilon": 1e-3}),
    ("Adam", {"learning_rate": 0.01}),
    ("Adam", {"learning_rate": 0.01, "beta_1": 0.5, "beta_2": 0.7, "epsilon": 1e-3}),
    ("AdamW", {"learning_rate": 0.01, "weight_decay": 0.1}),
]
KERAS_ONLY = [
    ("RMSprop", {"learning_rate": 0.01}),
    ("RMSprop", {"learning_rate": 0.01, "rho": 0.5, "momentum": 0.9, "epsilon": 1e-3}),
    ("RMSprop", {"learning_rate": 0.01, "momentum": 0.5, "centered": True}),
    ("SGD", {"learning_rate": 0.1, "clipnorm": 1.0}),
    ("SGD", {"learning_rate": 0.1, "clipvalue": 0.5, "weight_decay": 0.1}),
    ("Adam", {"learning_rate": 0.01, "global_clipnorm": 2.0, "weight_decay": 0.1}),
    ("Adadelta", {"learning_rate": 1.0, "weight_decay": 0.01}),
    ("RMSprop", {"learning_rate": 0.01, "clipnorm": 0.1}),
]
IDS = [f"{name}-{arguments}" for name, arguments in OPTIMISERS]


def gradients(rng):
    """Five gradients with the awkward cases: zero, tiny, huge, and one that changes its sign."""
    for step in range(5):
        g = rng.standard_normal(12).astype(np.float32)
        g[:4] = 0, 1e-8, 1e4, (-1) ** step
        yield g


@pytest.mark.parametrize(
    ("name", "arguments"), OPTIMISERS + KERAS_ONLY, ids=lambda value: str(value)
)
def test_five_steps_are_those_of_keras(keras, backend, rng, name, arguments):
    start = rng.standard_normal(12).astype(np.float32)
    variable = keras.Variable(start)
    theirs = getattr(keras.optimizers, name)(**arguments)
    theirs.build([variable])
    ours, p = getattr(optimizers, name)(**arguments), start.copy()
    ours.build([p])
    for g in gradients(rng):
        theirs.apply([keras.ops.convert_to_tensor(g)])
        ours.step([p], [g])
        expected = keras.ops.convert_to_numpy(variable.value)
        np.testing.assert_allclose(p, expected, rtol=2e-5, atol=2e-6)
    assert ours.iterations == 5


@pytest.mark.parametrize(("name", "arguments"), OPTIMISERS, ids=IDS)
def test_five_steps_are_those_of_pytorch(torch, backend, rng, name, arguments):
    start = rng.standard_normal(12)
    variable = torch.tensor(start, requires_grad=True)
    renamed = {"learning_rate": "lr", "epsilon": "eps"}
    given = {"epsilon": 1e-7, **arguments} if "Ada" in name else arguments
    theirs = {renamed.get(key, key): value for key, value in given.items()}
    if "Adam" in name:
        theirs["betas"] = theirs.pop("beta_1", 0.9), theirs.pop("beta_2", 0.999)
        # PyTorch adds epsilon after the bias correction of v, Keras before: no difference at 0.
        theirs["eps"] = given["epsilon"] = 0.0
    peer = getattr(torch.optim, name)([variable], **theirs)
    ours, p = getattr(optimizers, name)(**given), start.copy()
    ours.build([p])
    for g in gradients(rng):
        g = g.astype(np.float64) + 0.1 * (g == 0)  # without epsilon 0 / 0
        variable.grad = torch.tensor(g)
        peer.step()
        ours.step([p], [g])
        np.testing.assert_allclose(p, variable.detach().numpy(), rtol=1e-10, atol=1e-12)


SCHEDULES = [
    ("CosineDecay", {"initial_learning_rate": 0.5, "decay_steps": 20}),
    ("CosineDecay", {"initial_learning_rate": 0.5, "decay_steps": 20, "alpha": 0.1}),
    (
        "CosineDecay",
        {
            "initial_learning_rate": 0.01,
            "decay_steps": 20,
            "warmup_target": 0.5,
            "warmup_steps": 7,
        },
    ),
    ("InverseTimeDecay", {"initial_learning_rate": 0.5, "decay_steps": 3, "decay_rate": 0.4}),
    (
        "InverseTimeDecay",
        {"initial_learning_rate": 0.5, "decay_steps": 3, "decay_rate": 0.4, "staircase": True},
    ),
    ("PolynomialDecay", {"initial_learning_rate": 0.5, "decay_steps": 7, "power": 2.0}),
    (
        "PolynomialDecay",
        {"initial_learning_rate": 0.5, "decay_steps": 7, "end_learning_rate": 0.1, "cycle": True},
    ),
    ("PiecewiseConstantDecay", {"boundaries": [3, 10], "values": [1.0, 0.5, 0.1]}),
    ("ExponentialDecay", {"initial_learning_rate": 0.5, "decay_steps": 4, "decay_rate": 0.5}),
    (
        "ExponentialDecay",
        {"initial_learning_rate": 0.5, "decay_steps": 4, "decay_rate": 0.5, "staircase": True},
    ),
]


@pytest.mark.parametrize(("name", "arguments"), SCHEDULES, ids=[str(case) for case in SCHEDULES])
def test_schedules_are_those_of_keras(keras, name, arguments):
    theirs = getattr(keras.optimizers.schedules, name)(**arguments)
    ours = getattr(schedules, name)(**arguments)
    for step in range(35):
        assert ours(step) == pytest.approx(float(theirs(step)), rel=1e-5, abs=1e-7), step


@pytest.mark.parametrize("total", [10, 100, 37])
def test_one_cycle_is_that_of_pytorch(torch, total):
    parameter = torch.zeros(1, requires_grad=True)
    peer = torch.optim.SGD([parameter], lr=1.0)
    theirs = torch.optim.lr_scheduler.OneCycleLR(peer, max_lr=0.4, total_steps=total)
    ours = schedules.OneCycle(0.4, total)
    for step in range(total):
        assert ours(step) == pytest.approx(theirs.get_last_lr()[0], rel=1e-9), step
        peer.step()
        if step < total - 1:
            theirs.step()


# --- losses and metrics ---------------------------------------------------------------------------

LOSSES = [
    ("BinaryCrossentropy", {}),
    ("BinaryCrossentropy", {"label_smoothing": 0.2}),
    ("BinaryCrossentropy", {"from_logits": True, "label_smoothing": 0.1}),
    ("MeanSquaredError", {}),
    ("MeanAbsoluteError", {}),
    ("CategoricalCrossentropy", {"label_smoothing": 0.2}),
    ("CategoricalCrossentropy", {"from_logits": True}),
]


@pytest.mark.parametrize(("name", "arguments"), LOSSES, ids=lambda value: str(value))
@pytest.mark.parametrize("weighted", [False, True])
def test_losses_are_those_of_keras(keras, rng, name, arguments, weighted):
    t = rng.dirichlet(np.ones(4), 6).astype(np.float32)
    p = rng.dirichlet(np.ones(4), 6).astype(np.float32)
    p[0] = 0, 0, 0, 1  # sure, and clipped
    weights = rng.random(6).astype(np.float32) if weighted else None
    theirs = float(getattr(keras.losses, name)(**arguments)(t, p, sample_weight=weights))
    ours = getattr(losses, name)(**arguments)(t, p, sample_weight=weights)
    assert ours == pytest.approx(theirs, rel=2e-6)


METRICS = [
    ("Accuracy", {}),
    ("BinaryAccuracy", {}),
    ("BinaryAccuracy", {"threshold": 0.3}),
    ("CategoricalAccuracy", {}),
    ("SparseCategoricalAccuracy", {}),
    ("TopKCategoricalAccuracy", {"k": 2}),
    ("SparseTopKCategoricalAccuracy", {"k": 3}),
    ("MeanSquaredError", {}),
    ("MeanAbsoluteError", {}),
]


@pytest.mark.parametrize(("name", "arguments"), METRICS, ids=lambda value: str(value))
def test_metrics_are_those_of_keras(keras, rng, name, arguments):
    theirs, ours = getattr(keras.metrics, name)(**arguments), getattr(metrics, name)(**arguments)
    assert ours.name == theirs.name
    for weights in (None, rng.random(8).astype(np.float32)):
        p = rng.dirichlet(np.ones(5), 8).astype(np.float32)
        labels = rng.integers(0, 5, 8)
        y = labels if "Sparse" in name else np.eye(5, dtype=np.float32)[labels]
        p = p.round() if name == "Accuracy" else p
        theirs.update_state(y, p, sample_weight=weights)
        ours.update_state(y, p, sample_weight=weights)
        assert ours.result() == pytest.approx(float(theirs.result()), rel=1e-5)
