"""Learning-rate schedules: worked values, edges, refusals."""

import math

import pytest

from nn.optimizers.schedules import (
    SCHEDULES,
    Constant,
    CosineDecay,
    ExponentialDecay,
    LearningRateSchedule,
    OneCycle,
    PiecewiseConstantDecay,
)


def test_constant():
    assert [Constant(0.1)(step) for step in (0, 5, 10**6)] == [0.1, 0.1, 0.1]


def test_piecewise_constant_includes_its_boundary():
    schedule = PiecewiseConstantDecay([2, 4], [1.0, 0.1, 0.01])
    assert [schedule(step) for step in range(7)] == [1, 1, 1, 0.1, 0.1, 0.01, 0.01]


def test_exponential():
    smooth = ExponentialDecay(1.0, 10, 0.25)
    assert [smooth(step) for step in (0, 5, 10, 20)] == [1, 0.5, 0.25, 0.0625]
    stairs = ExponentialDecay(1.0, 10, 0.25, staircase=True)
    assert [stairs(step) for step in (0, 9, 10, 19)] == [1, 1, 0.25, 0.25]


def test_cosine():
    schedule = CosineDecay(2.0, 90)
    # 1 + cos of 0, 60, 90, 120 and 180 degrees is 2, 3/2, 1, 1/2 and 0.
    values = [schedule(step) for step in (0, 30, 45, 60, 90, 1000)]
    assert values == pytest.approx([2.0, 1.5, 1.0, 0.5, 0.0, 0.0])


def test_cosine_down_to_a_fraction():
    schedule = CosineDecay(2.0, 90, alpha=0.1)
    assert [schedule(step) for step in (0, 45, 90)] == pytest.approx([2.0, 1.1, 0.2])


def test_cosine_with_warm_up():
    schedule = CosineDecay(0.0, 100, warmup_target=1.0, warmup_steps=10)
    assert [schedule(step) for step in (0, 1, 5, 9)] == pytest.approx([0, 0.1, 0.5, 0.9])
    assert [schedule(step) for step in (10, 60, 110)] == pytest.approx([1, 0.5, 0])
    late = CosineDecay(0.5, 100, warmup_target=1.0, warmup_steps=10)
    assert late(5) == pytest.approx(0.75)


def test_one_cycle():
    schedule = OneCycle(1.0, 101, rise=0.3, initial_divisor=25, final_divisor=1e4)
    peak = 0.3 * 101 - 1
    values = [schedule(step) for step in range(101)]
    assert values[0] == pytest.approx(1 / 25)
    assert values[100] == pytest.approx(1 / 25 / 1e4)
    top = max(range(101), key=values.__getitem__)
    assert abs(top - peak) < 1
    assert values[top] == pytest.approx(1.0, abs=1e-3)
    assert values[: top + 1] == sorted(values[: top + 1])
    assert values[top:] == sorted(values[top:], reverse=True)
    assert schedule(10**6) == pytest.approx(values[100])  # past its end it stays down


def test_one_cycle_of_few_steps_is_finite():
    for steps in (1, 2, 3):
        assert all(math.isfinite(OneCycle(1.0, steps)(step)) for step in range(steps + 1))


@pytest.mark.parametrize(
    "schedule",
    [
        Constant(0.1),
        PiecewiseConstantDecay([2, 4], [1.0, 0.1, 0.01]),
        ExponentialDecay(1.0, 10, 0.25, staircase=True),
        CosineDecay(0.0, 100, 0.1, warmup_target=1.0, warmup_steps=10),
        OneCycle(1.0, 100, rise=0.2),
    ],
)
def test_configuration_round_trip(schedule):
    again = SCHEDULES[type(schedule).__name__](**schedule.get_config())
    assert [again(step) for step in range(0, 120, 7)] == [schedule(s) for s in range(0, 120, 7)]


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (
            lambda: PiecewiseConstantDecay([1], [1.0]),
            "expected 2 values for 1 boundaries, received",
        ),
        (lambda: PiecewiseConstantDecay([2, 1], [1, 2, 3]), "expected ascending boundaries, recei"),
        (lambda: ExponentialDecay(1.0, 0, 0.5), "expected decay_steps above 0, received 0"),
        (lambda: CosineDecay(1.0, -1), "CosineDecay: expected decay_steps above 0, received -1"),
        (lambda: OneCycle(1.0, 0), "OneCycle: expected total_steps above 0, received 0"),
        (lambda: OneCycle(1.0, 9, rise=1), r"OneCycle: expected rise in \(0, 1\), received 1"),
    ],
)
def test_refusals(make, sentence):
    with pytest.raises(ValueError, match=sentence):
        make()


def test_a_schedule_must_say_what_it_does():
    with pytest.raises(TypeError, match=r"LearningRateSchedule must define __call__\(step\)"):
        LearningRateSchedule()(0)
