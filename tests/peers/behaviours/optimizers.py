"""Optimisers: steps with every argument, clipping, schedules, and what is refused."""

import numpy as np

from .tools import Collector, examples, fitted, small

CASES = Collector()


def steps(k, optimizer, count=4):
    """Return the weights after some steps."""
    model = small(k, optimizer=optimizer)
    x, y = examples()
    for _ in range(count):
        model.train_on_batch(x, y)
    return model.get_weights()


STEPS = """
O.SGD()
O.SGD(0.1)
O.SGD(learning_rate=0.1, momentum=0.9)
O.SGD(0.1, 0.9, True)
O.SGD(0.1, momentum=0.9, nesterov=True)
O.SGD(0.1, weight_decay=0.01)
O.SGD(0.1, clipnorm=0.1)
O.SGD(0.1, clipvalue=0.01)
O.SGD(0.1, global_clipnorm=0.1)
O.SGD(0.1, use_ema=True)
O.SGD(0.1, use_ema=False, ema_momentum=0.9)
O.SGD(0.1, loss_scale_factor=2.0)
O.SGD(0.1, gradient_accumulation_steps=2)
O.SGD(0.1, name="mine")
O.SGD(np.float32(0.1))
O.SGD(lambda: 0.1)
O.SGD(np.array(0.1))
O.Adam()
O.Adam(0.01)
O.Adam(0.01, beta_1=0.8, beta_2=0.9, epsilon=1e-3)
O.Adam(0.01, amsgrad=True)
O.Adam(0.01, weight_decay=0.1)
O.Adam(0.01, clipnorm=0.1)
O.AdamW(0.01)
O.AdamW(0.01, weight_decay=0.1)
O.RMSprop()
O.RMSprop(0.01, rho=0.8)
O.RMSprop(0.01, momentum=0.9)
O.RMSprop(0.01, centered=True)
O.RMSprop(0.01, epsilon=1e-3)
O.Adadelta()
O.Adadelta(1.0)
O.Adadelta(1.0, rho=0.9, epsilon=1e-6)
O.Adagrad()
O.Adagrad(0.1, initial_accumulator_value=0.2)
O.Adamax(0.01)
O.Nadam(0.01)
O.Ftrl(0.01)
O.Lion(0.01)
O.Adafactor(0.01)
O.Lamb(0.01)
"sgd"
"SGD"
"adam"
"Adam"
"adamw"
"rmsprop"
"RMSprop"
"adadelta"
"adagrad"
"adamax"
"nadam"
"ftrl"
"lion"
"nonsense"
None
3
O.Adam
{"class_name": "SGD", "config": {"learning_rate": 0.1}}
{"class_name": "Adam", "config": {"learning_rate": 0.01, "beta_1": 0.8}}
O.get("adam")
O.get({"class_name": "adam", "config": {}})
O.SGD.from_config({"learning_rate": 0.1, "momentum": 0.5})
O.SGD.from_config(O.SGD(0.2, momentum=0.3).get_config())
O.SGD(S.ExponentialDecay(0.1, 2, 0.5))
O.SGD(S.ExponentialDecay(0.1, 2, 0.5, staircase=True))
O.SGD(S.InverseTimeDecay(0.1, 2, 0.5))
O.SGD(S.PolynomialDecay(0.1, 3, 0.01))
O.SGD(S.PiecewiseConstantDecay([1, 2], [0.1, 0.05, 0.01]))
O.Adam(S.CosineDecay(0.1, 4))
O.SGD(0.1, decay=0.1)
O.SGD(0.1, nonsense=1)
O.SGD("fast")
O.SGD(None)
O.SGD(-0.1)
O.SGD(0.0)
O.SGD(0.1, momentum=1.5)
O.SGD(0.1, momentum=-0.5)
O.SGD(0.1, momentum="x")
O.SGD(0.1, clipnorm=0.1, clipvalue=0.1)
O.SGD(0.1, clipnorm=-1.0)
O.Adam(0.01, epsilon=0.0)
O.Adam(0.01, beta_1=1.0)
O.Adam(0.01, beta_1=2.0)
O.Adam(0.01, None)
O.LossScaleOptimizer(O.SGD(0.1))
"""
for source in STEPS.strip().splitlines():
    CASES[f"steps of {source}"] = lambda k, source=source: steps(
        k, eval(source, {"k": k, "O": k.optimizers, "S": k.optimizers.schedules, "np": np})
    )

SCHEDULES = """
ExponentialDecay(0.1, 10, 0.5)
ExponentialDecay(0.1, decay_steps=10, decay_rate=0.5, staircase=True)
PolynomialDecay(0.1, 20, end_learning_rate=0.01, power=2.0)
PolynomialDecay(0.1, 20, 0.01, cycle=True)
InverseTimeDecay(0.1, 10, 0.5)
InverseTimeDecay(0.1, 10, 0.5, staircase=True)
PiecewiseConstantDecay([10, 20], [0.1, 0.05, 0.01])
PiecewiseConstantDecay(boundaries=[5], values=[1.0, 0.5])
CosineDecay(0.1, 20)
CosineDecay(0.1, 20, alpha=0.1)
CosineDecay(0.0, 20, warmup_target=0.1, warmup_steps=5)
CosineDecayRestarts(0.1, 10)
ExponentialDecay(0.1, 0, 0.5)
PiecewiseConstantDecay([10], [0.1])
PiecewiseConstantDecay([20, 10], [0.1, 0.2, 0.3])
CosineDecay(0.1, -5)
"""
for source in SCHEDULES.strip().splitlines():
    CASES[f"{source} at steps"] = lambda k, source=source: [
        float(eval(f"S.{source}", {"S": k.optimizers.schedules})(step))
        for step in (0, 1, 5, 10, 11, 19, 20, 25, 40)
    ]
    CASES[f"{source} get_config"] = lambda k, source=source: {
        key: value
        for key, value in eval(f"S.{source}", {"S": k.optimizers.schedules}).get_config().items()
        if key != "name"
    }


@CASES.over("rates in histories", ["sgd", "adam"])
def _(k, value):
    model, _ = fitted(k, optimizer=value)
    return float(model.optimizer.learning_rate)


ATTRIBUTES = """
float(O.SGD(0.1).learning_rate)
O.SGD(0.1).momentum
O.SGD(0.1).nesterov
O.SGD(0.1).name.rstrip("_0123456789")
O.Adam(name="mine").name
O.Adam().beta_1
O.Adam().epsilon
O.Adam().amsgrad
O.RMSprop().rho
O.Adadelta().rho
O.AdamW().weight_decay
O.SGD(clipnorm=1.0).clipnorm
O.SGD(clipvalue=1.0).clipvalue
O.SGD(global_clipnorm=1.0).global_clipnorm
int(O.SGD().iterations)
O.SGD(0.1).get_config()["learning_rate"]
O.SGD(0.1, momentum=0.9).get_config()["momentum"]
sorted(O.SGD(0.1).get_config())
sorted(O.Adam().get_config())
sorted(O.RMSprop().get_config())
O.SGD(S.ExponentialDecay(0.1, 10, 0.5)).get_config()["learning_rate"]["class_name"]
O.serialize(O.SGD(0.1))["class_name"]
O.deserialize({"class_name": "SGD", "config": {"learning_rate": 0.2}}).momentum
assigned(O.SGD(0.1), 0.5)
assigned(O.Adam(), np.float32(0.5))
assigned(O.SGD(0.1), "x")
assigned(O.SGD(S.ExponentialDecay(0.1, 10, 0.5)), 0.5)
O.SGD(0.1).learning_rate.assign(0.5)
O.SGD(0.1).lr
O.SGD(0.1).nonsense
O.SGD(0.1).variables
O.SGD(0.1).apply_gradients([])
O.SGD(0.1).minimize(None, None)
isinstance(O.SGD(), k.optimizers.Optimizer)
"""


def assigned(optimizer, rate):
    optimizer.learning_rate = rate
    return float(optimizer.learning_rate)


for source in ATTRIBUTES.strip().splitlines():
    CASES[source] = lambda k, source=source: eval(
        source,
        {
            "k": k,
            "O": k.optimizers,
            "S": k.optimizers.schedules,
            "np": np,
            "assigned": assigned,
        },
    )


@CASES.over("rate changed between steps", [0.5, 0.0])
def _(k, value):
    model = small(k, optimizer=k.optimizers.SGD(0.1, momentum=0.9))
    x, y = examples()
    model.train_on_batch(x, y)
    model.optimizer.learning_rate = value
    model.train_on_batch(x, y)
    return model.get_weights(), int(model.optimizer.iterations)


@CASES.over("compiled again", ["sgd", "adam"])
def _(k, value):
    model = small(k, optimizer=k.optimizers.SGD(0.1, momentum=0.9))
    x, y = examples()
    model.train_on_batch(x, y)
    model.compile(value, "mse")
    return model.train_on_batch(x, y), model.get_weights()


@CASES.over("one optimiser for two models", ["sgd"])
def _(k, value):
    optimizer = k.optimizers.SGD(0.1)
    first = small(k, optimizer=optimizer)
    second = small(k, optimizer=optimizer)
    x, y = examples()
    first.train_on_batch(x, y)
    return second.train_on_batch(x, y)


@CASES.over("compiled again with its own optimiser", ["sgd", "adam", "rmsprop"])
def _(k, value):
    model = small(k, optimizer=value)
    x, y = examples()
    for _ in range(3):
        model.train_on_batch(x, y)
    model.compile(model.optimizer, "mse")
    model.train_on_batch(x, y)
    return model.get_weights(), int(model.optimizer.iterations)


@CASES.over("one optimiser for one model after another", ["sgd"])
def _(k, value):
    optimizer = k.optimizers.SGD(0.1)
    for _ in range(2):
        model = small(k, optimizer=optimizer)
        model.train_on_batch(*examples())
    return model.get_weights()
