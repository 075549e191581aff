"""Optimisers: five steps each, against the formulas of their papers and frozen to twelve digits.

``tests/peers`` holds them against PyTorch and Keras themselves.
"""

import copy
import math
import pickle
from functools import partial

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import nn
from nn import optimizers
from nn.optimizers import SGD, Adadelta, Adam, AdamW, schedules

START = [1.0, -2.0, 0.5]
GRADIENTS = [[0.1, -0.2, 3.0], [0.2, 0.0, -1.0], [-0.3, 0.5, 0.01], [0.0, 0.0, 0.0], [1.0, -1, 0.4]]


def five_steps(optimizer, dtype=np.float64):
    """Return the parameters after each of five steps, (5, 3)."""
    p = np.array(START, dtype)
    optimizer.build([p])
    path = []
    for g in GRADIENTS:
        gradients = np.array(g, dtype)
        optimizer.step([p], [gradients])
        assert_array_equal(gradients, np.array(g, dtype))  # the gradients are only read
        path.append(p.copy())
    assert optimizer.iterations == 5
    return np.array(path)


# --- the papers' formulas, one number at a time ---------------------------------------------------


def scalar_path(step, **memory):
    """Apply ``step(p, g, t, memory) -> p`` to each parameter by itself."""
    columns = []
    for index, p in enumerate(START):
        own, column = dict(memory), []
        for t, g in enumerate(GRADIENTS, 1):
            p = step(p, g[index], t, own)
            column.append(p)
        columns.append(column)
    return np.array(columns).T


def sgd(p, g, t, m):
    return p - 0.1 * g


def momentum(p, g, t, m):
    m["v"] = 0.9 * m["v"] - 0.1 * g
    return p + m["v"]


def nesterov(p, g, t, m):
    m["v"] = 0.9 * m["v"] - 0.1 * g
    return p + 0.9 * m["v"] - 0.1 * g


def adadelta(p, g, t, m):
    """Zeiler 2012, algorithm 1: RMS(x) = sqrt(E[x^2] + eps)."""
    m["g2"] = 0.95 * m["g2"] + 0.05 * g**2
    dx = -math.sqrt(m["d2"] + 1e-7) / math.sqrt(m["g2"] + 1e-7) * g
    m["d2"] = 0.95 * m["d2"] + 0.05 * dx**2
    return p + dx


def adam(p, g, t, m, decay=0.0):
    """Kingma and Ba 2015, the efficient form: epsilon beside the raw second moment's root."""
    p -= 0.01 * decay * p
    m["m"] = 0.9 * m["m"] + 0.1 * g
    m["v"] = 0.999 * m["v"] + 0.001 * g**2
    rate = 0.01 * math.sqrt(1 - 0.999**t) / (1 - 0.9**t)
    return p - rate * m["m"] / (math.sqrt(m["v"]) + 1e-7)


def adamw(p, g, t, m):
    return adam(p, g, t, m, decay=0.1)


CASES = [
    (lambda: SGD(0.1), scalar_path(sgd)),
    (lambda: SGD(0.1, momentum=0.9), scalar_path(momentum, v=0.0)),
    (lambda: SGD(0.1, momentum=0.9, nesterov=True), scalar_path(nesterov, v=0.0)),
    (lambda: Adadelta(1.0), scalar_path(adadelta, g2=0.0, d2=0.0)),
    (lambda: Adam(0.01), scalar_path(adam, m=0.0, v=0.0)),
    (lambda: AdamW(0.01, weight_decay=0.1), scalar_path(adamw, m=0.0, v=0.0)),
]
NAMES = ["sgd", "momentum", "nesterov", "adadelta", "adam", "adamw"]


@pytest.mark.parametrize(("make", "expected"), CASES, ids=NAMES)
def test_five_steps_of_the_paper(backend, make, expected):
    assert_allclose(five_steps(make()), expected, rtol=1e-12)


@pytest.mark.parametrize(("make", "expected"), CASES, ids=NAMES)
def test_float32_stays_close(backend, make, expected):
    path = five_steps(make(), np.float32)
    assert path.dtype == np.float32
    assert_allclose(path, expected, rtol=2e-5)


# --- frozen: the last of the five steps -----------------------------------------------------------

GOLDEN = {
    "sgd": [0.9, -1.93, 0.259],
    "momentum": [0.871569, -1.953598, -0.42734],
    "nesterov": [0.7844121, -1.8882382, -0.575606],
    "adadelta": [0.9958121503831, -1.998081230846, 0.4989459939799],
    "adam": [0.9766118458722, -1.987105764146, 0.4775085232616],
    "adamw": [0.971688823923, -1.977174464036, 0.4750742282157],
}


@pytest.mark.parametrize(
    ("make", "name"), [(c[0], n) for c, n in zip(CASES, NAMES, strict=True)], ids=NAMES
)
def test_golden_last_step(make, name):
    """Whatever is rewritten, these numbers stay."""
    assert_allclose(five_steps(make())[-1], GOLDEN[name], rtol=1e-11)


# --- behaviour ------------------------------------------------------------------------------------


def test_sgd_by_hand(backend):
    # With momentum 0.5: v = -1, then v = -0.5 - 1 = -1.5; p = 10 - 1 - 1.5.
    p, optimizer = np.array([10.0]), SGD(1.0, momentum=0.5)
    optimizer.build([np.zeros(1)])
    for _ in range(2):
        optimizer.step([p], [np.array([1.0])])
    assert p.tolist() == [7.5]
    assert optimizer.slots["momentum"][0].tolist() == [-1.5]


def test_adams_first_step_has_the_length_of_the_learning_rate(backend):
    for gradient in (1e-3, 5.0, -40.0):
        p, optimizer = np.array([0.0]), Adam(0.01)
        optimizer.build([np.zeros(1)])
        optimizer.step([p], [np.array([gradient])])
        assert p[0] == pytest.approx(-0.01 * np.sign(gradient), rel=1e-2)


def test_weight_decay_shrinks_without_a_gradient(backend):
    p, optimizer = np.array([2.0]), AdamW(0.1, weight_decay=0.5)
    optimizer.build([np.zeros(1)])
    optimizer.step([p], [np.zeros(1)])
    assert p.tolist() == [2.0 * (1 - 0.1 * 0.5)]


@pytest.mark.parametrize(
    "make", [lambda: SGD(0.1, 0.9), lambda: Adadelta(5.0), lambda: Adam(0.05), lambda: AdamW(0.05)]
)
def test_each_finds_the_bottom_of_a_bowl(backend, make):
    optimizer, p = make(), np.array([3.0, -2.0])
    optimizer.build([p])
    before = (p**2).sum()
    for _ in range(300):
        optimizer.step([p], [2 * p])
    assert (p**2).sum() < before / 2


def test_slots_have_the_shapes_of_the_parameters_and_are_named_as_in_keras():
    optimizer, parameters = Adam(), [np.ones((3, 2), np.float32), np.ones(2, np.float32)]
    optimizer.build(parameters)
    assert {name: [s.shape for s in slots] for name, slots in optimizer.slots.items()} == {
        "momentum": [(3, 2), (2,)],
        "velocity": [(3, 2), (2,)],
    }
    assert optimizer.fits(parameters)
    assert not optimizer.fits(parameters[:1])
    assert not Adam().fits(parameters)


def test_the_fast_stage_lays_the_slots_out_flat_and_aligned():
    model = nn.Sequential([nn.Input((4,)), nn.layers.Dense(3, activation="softmax")], seed=0)
    model.compile("adam")
    before = [slot for slots in model.optimizer.slots.values() for slot in slots]
    before[0][...] = 5
    flat = model.flat.slots(model.optimizer)
    assert [vector.shape for vector in flat] == [(15,), (15,)]
    assert all(vector.ctypes.data % 64 == 0 for vector in flat)
    assert_array_equal(flat[0], [5.0] * 12 + [0.0] * 3)
    assert model.flat.slots(model.optimizer)[0] is flat[0]
    model.optimizer.slots["momentum"][1][...] = 7
    assert_array_equal(flat[0][12:], [7.0] * 3)


def test_names_of_slots():
    assert Adadelta.slot_names == ("accumulated_grad", "accumulated_delta_var")
    assert SGD().slot_names == ()


def test_defaults():
    assert (Adadelta().learning_rate, Adadelta().rho, Adadelta().epsilon) == (1.0, 0.95, 1e-7)
    assert (SGD().learning_rate, Adam().learning_rate) == (0.01, 0.001)
    assert AdamW().weight_decay == 0.004


def test_learning_rate_by_its_old_name():
    assert Adam(lr=0.5).learning_rate == 0.5
    optimizer = SGD(0.1)
    optimizer.lr = 0.25
    assert (optimizer.learning_rate, optimizer.lr) == (0.25, 0.25)


def test_old_signatures_run():
    # As Keras 2.2 printed them; epsilon=None meant the default, decay=0.0 none.
    assert Adadelta(lr=1.0, rho=0.95, epsilon=None, decay=0.0).epsilon == 1e-7
    Adam(lr=0.001, beta_1=0.9, beta_2=0.999, epsilon=None, decay=0.0, amsgrad=False)
    SGD(lr=0.01, momentum=0.0, decay=0.0, nesterov=False)


def test_a_schedule_is_asked_at_every_step():
    optimizer = SGD(schedules.PiecewiseConstantDecay([0, 1], [1.0, 0.5, 0.25]))
    optimizer.build([np.zeros(1)])
    p, seen = np.zeros(1), []
    for _ in range(4):
        seen.append(optimizer.learning_rate)
        optimizer.step([p], [np.ones(1)])
    assert seen == [1.0, 0.5, 0.25, 0.25]
    assert p.tolist() == [-2.0]
    optimizer.learning_rate = 0.125  # a number replaces the schedule
    assert (optimizer.schedule, optimizer.learning_rate) == (None, 0.125)


@pytest.mark.parametrize(
    "optimizer",
    [
        SGD(0.2, momentum=0.5, nesterov=True),
        Adadelta(0.5, rho=0.9, epsilon=1e-6),
        Adam(schedules.CosineDecay(0.1, 100, warmup_target=0.2, warmup_steps=5), beta_1=0.8),
        AdamW(0.1, weight_decay=0.01),
    ],
)
def test_configuration_round_trip(optimizer):
    config = optimizer.get_config()
    again = type(optimizer).from_config(config)
    assert again.get_config() == config
    assert again.learning_rate == optimizer.learning_rate


@pytest.mark.parametrize("identifier", ["adam", "Adam", "ADAM", Adam, Adam()])
def test_get_knows_names_classes_and_objects(identifier):
    assert type(optimizers.get(identifier)) is Adam


@pytest.mark.parametrize(
    ("make", "error", "sentence"),
    [
        (
            lambda: optimizers.get("ftrl"),
            ValueError,
            r"optimizer: expected one of SGD, Adad.*'ftrl",
        ),
        (lambda: SGD(-1), ValueError, r"SGD: expected a learning_rate from 0, received -1"),
        (lambda: SGD(math.nan), ValueError, r"expected a learning_rate from 0, received nan"),
        (lambda: SGD(math.inf), ValueError, r"expected a learning_rate from 0, received inf"),
        (lambda: SGD("fast"), ValueError, r"expected a learning_rate from 0, received 'fast'"),
        (lambda: SGD(momentum=1.0), ValueError, r"SGD: expected momentum in \[0, 1\), received 1"),
        (lambda: Adadelta(rho=-1), ValueError, r"Adadelta: expected rho in \[0, 1\), received -1"),
        (lambda: AdamW(beta_2=2), ValueError, r"AdamW: expected beta_2 in \[0, 1\), received 2"),
        (lambda: AdamW(weight_decay=-1), ValueError, r"expected weight_decay from 0, received -1"),
        (lambda: Adam(clipnorm=-1.0), ValueError, r"Adam: expected clipnorm from 0, received -1"),
        (
            lambda: SGD(use_ema=True),
            TypeError,
            r"SGD: use_ema is not supported, expected False",
        ),
        (
            lambda: Adam(amsgrad=True),
            TypeError,
            r"Adam: amsgrad is not supported, expected Fal",
        ),
        (
            lambda: Adam(alpha=1),
            TypeError,
            r"Adam: there is no argument 'alpha'\. It takes ams",
        ),
        (lambda: Adam(learningrate=1), TypeError, r"Did you mean learning_rate\?"),
        (lambda: SGD(0.1, 0.9, True, None, clipnorm=1, weight_decay=2), TypeError, r"twice"),
    ],
)
def test_refusals(make, error, sentence):
    with pytest.raises(error, match=sentence):
        make()


def test_an_optimiser_goes_on_in_its_model_and_begins_anew_in_another():
    model = nn.Sequential([nn.Input((2,)), nn.layers.Dense(2, activation="softmax")], seed=0)
    model.compile("adam", "sparse_categorical_crossentropy")
    model.train_on_batch(np.ones((4, 2), np.float32), np.array([0, 1, 0, 1]))
    assert model.optimizer.iterations == 1
    assert model.optimizer.slots["velocity"][0].any()
    model.compile(model.optimizer, "sparse_categorical_crossentropy")
    assert model.optimizer.iterations == 1  # as in Keras
    assert model.optimizer.slots["velocity"][0].any()
    other = nn.Sequential([nn.Input((2,)), nn.layers.Dense(2, activation="softmax")], seed=0)
    other.compile(model.optimizer, "sparse_categorical_crossentropy")
    assert other.optimizer.iterations == 0
    assert not any(slot.any() for slot in other.optimizer.slots["velocity"])
    with pytest.raises(ValueError, match="expected an optimizer of its own, received one that"):
        model.train_on_batch(np.ones((4, 2), np.float32), np.array([0, 1, 0, 1]))
    twin = copy.deepcopy(other)
    twin.train_on_batch(np.ones((4, 2), np.float32), np.array([0, 1, 0, 1]))
    assert (twin.optimizer.iterations, other.optimizer.iterations) == (1, 0)


def test_a_rate_can_be_assigned_as_kerass_variable():
    sgd = SGD(0.1)
    sgd.learning_rate.assign(0.5)
    assert sgd.learning_rate == 0.5
    assert sgd.learning_rate.numpy() == np.float32(0.5)
    assert type(pickle.loads(pickle.dumps(sgd.learning_rate))) is float
    with pytest.raises(ValueError, match="expected a learning_rate from 0, received 'fast'"):
        sgd.learning_rate.assign("fast")


# --- what fades away ------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("make", [partial(Adadelta, rho=0.9), Adam, partial(SGD, 0.1, 0.9)])
def test_the_kernels_end_at_zero_where_numpy_fades(dtype, make):
    """And change no weight by it: 1.2e-38 beside an epsilon of 1e-7 is nothing."""
    optimizers_, paths = (make(), make()), []
    for optimizer, name in zip(optimizers_, ("numba", "reference"), strict=True):
        optimizer.build([np.ones(4, dtype)])
        for index, (slot,) in enumerate(optimizer.slots.values()):
            slot[:] = np.array([3e-38, 1e-20, np.nan, 0.25 + index], dtype)
        p = np.ones(4, dtype)
        with nn.use_backend(name):
            for _ in range(20):
                optimizer.step([p], [np.zeros(4, dtype)])
        paths.append(p)
    kernel, numpy_ = (
        {name: slot for name, (slot,) in optimizer.slots.items()} for optimizer in optimizers_
    )
    for name, slot in kernel.items():
        assert_allclose(slot[1:], numpy_[name][1:], rtol=1e-5)
        assert np.isnan(slot[2])
    first = next(iter(kernel))
    assert kernel[first][0] == 0
    assert 0 < numpy_[first][0] < 1.2e-38
    assert_array_equal(*(path[:2] for path in paths))


def test_one_way_of_clipping():
    with pytest.raises(ValueError, match="expected one of clipnorm, clipvalue and global_clipnorm"):
        optimizers.SGD(clipnorm=1.0, clipvalue=0.5)
