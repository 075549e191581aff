"""What the cases are made of: fixed arrays, models with fixed weights, plain results."""

import functools
import types

import numpy as np


def data(*shape, seed=0):
    """Return an array (float32) with negative and positive numbers, the same every time."""
    return np.random.default_rng(seed).normal(0, 1, shape).astype("float32")


def probabilities(*shape, seed=1):
    values = np.exp(data(*shape, seed=seed))
    return (values / values.sum(-1, keepdims=True)).astype("float32")


def pinned(thing):
    """Give a built layer or model weights that do not depend on the library."""
    rng = np.random.default_rng(7)
    weights = [np.abs(rng.normal(0.5, 0.4, np.shape(w))) - 0.3 for w in thing.get_weights()]
    thing.set_weights([w.astype("float32") for w in weights])
    return thing


def applied(layer, *shape, k, training=None, batch=2):
    """Return what a layer makes of a fixed batch, in a model of its own."""
    model = k.Sequential([k.Input(shape), layer])
    for part in model.layers:
        if part.get_weights():
            variance = "BatchNorm" in type(part).__name__
            pinned(part)
            if variance:
                part.set_weights([np.abs(w) + 0.5 for w in map(np.asarray, part.get_weights())])
    x = data(batch, *shape)
    return model.predict(x, verbose=0) if training is None else model(x, training=training)


def small(k, *, out=3, activation="softmax", hidden="relu", compiled=True, **options):
    """Return a model of two dense layers with fixed weights, compiled."""
    model = k.Sequential(
        [
            k.Input((4,)),
            k.layers.Dense(5, activation=hidden, name="hidden"),
            k.layers.Dense(out, activation=activation, name="out"),
        ]
    )
    pinned(model)
    if compiled:
        options = {"optimizer": "sgd", "loss": "categorical_crossentropy"} | options
        model.compile(**options)
    return model


def examples(count=20, classes=3):
    """Return x (count, 4) and one-hot y (count, classes)."""
    return data(count, 4), np.eye(classes, dtype="float32")[np.arange(count) % classes]


def fitted(k, fit=None, data_of=examples, **options):
    """Train the small model, without chance; return its history."""
    model = small(k, **options)
    x, y = data_of()
    settings = {"epochs": 2, "batch_size": 8, "verbose": 0, "shuffle": False} | (fit or {})
    return model, model.fit(x, y, **settings)


def plain(value):
    """Return a result as numbers, strings, and lists and dicts of those."""
    if value is None or isinstance(value, str | bool | bytes):
        return value
    if isinstance(value, dict):
        return {str(key): plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(part) for part in value]
    if isinstance(value, types.GeneratorType | range | map | zip):
        return [plain(part) for part in value]
    if hasattr(value, "detach"):
        return value.detach().cpu().numpy()
    if hasattr(value, "value") and hasattr(value, "assign"):
        return plain(value.value)
    if isinstance(value, np.dtype):
        return value.name
    if isinstance(value, np.ndarray | np.generic | int | float):
        return np.asarray(value)
    if isinstance(value, type):
        return value.__name__
    return type(value).__name__


def same(a, b):
    """Whether two plain results are the same, numbers within 1e-4."""
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray | bool):
        b = np.asarray(b)
        if a.shape != b.shape:
            return False
        return np.allclose(a.astype(float), b.astype(float), 1e-4, 1e-5, equal_nan=True)
    if isinstance(a, bool) and isinstance(b, np.ndarray):
        return same(b, a)
    return type(a) is type(b) and a == b


class Collector(dict):
    """Cases by name; a decorator adds functions of the library and of the values given."""

    def over(self, name, values):
        def decorate(function):
            for value in values:
                label = value[0] if isinstance(value, tuple) and callable(value[-1]) else value
                self[f"{name}({label!r})"] = functools.partial(function, value=value)
            return function

        return decorate

    def each(self, prefix, table):
        """Add functions ``k -> result`` from a dict, or from a list of their sources."""
        for name, function in table.items():
            self[f"{prefix}: {name}"] = function
