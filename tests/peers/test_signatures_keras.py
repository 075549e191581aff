"""Every public class and function is called as in Keras 3: order, names and defaults.

``inspect.signature`` of both sides is compared, parameter by parameter. What differs stands in
``EXCEPTIONS`` with the reason; an exception that is no longer one fails too.
"""

import inspect
import re

import numpy as np
import pytest

import nn

HOMES = (
    "activations", "callbacks", "initializers", "layers", "losses", "metrics", "models",
    "optimizers", "optimizers.schedules", "regularizers", "saving", "utils",
)  # fmt: skip
METHODS = {
    "models.Sequential": "models.Sequential", "layers.Layer": "layers.Dense",
    "optimizers.Optimizer": "optimizers.Adam", "callbacks.Callback": "callbacks.Callback",
    "callbacks.EarlyStopping": "callbacks.EarlyStopping",
}  # fmt: skip

# Part of "path: difference" -> why. Further keywords of ours behind Keras's are no difference.
EXCEPTIONS = {
    r"Adadelta: learning_rate is 1\.0": "as published, and in Keras before 2.4",
    r"(AveragePooling2D|AvgPool2D): pool_size is \(2, 2\)": "Keras 1 and 2 have the default, too",
    r"(losses|metrics)\.\w+: name is None, in Keras '(\w+)'": "None stands for that very name",
}


NAMES_OF_NONE = re.compile(next(part for part in EXCEPTIONS if "name is None" in part))


def found(library, path):
    for part in path.split("."):
        library = getattr(library, part, None)
    return library


def parameters(thing, bound):
    """Return (name, default) of what can be given by position, and whether others may follow."""
    given = list(inspect.signature(thing).parameters.values())[int(bound) :]
    named = [p for p in given if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return [(p.name, p.default) for p in named], {p.name: p.default for p in given}


def same_default(one, other):
    if isinstance(one, bool) != isinstance(other, bool):
        return False
    return one is other or (type(other) is not type and np.all(one == other))


def differences(theirs, ours, bound=False):
    """Yield what a caller who knows Keras's signature would find different here."""
    expected, _ = parameters(theirs, bound)
    try:
        given, named = parameters(ours, bound)
    except ValueError:
        yield "no signature"
        return
    for index, (name, default) in enumerate(expected):
        if name not in named:
            yield f"no {name}"
            continue
        if [n for n, _ in given].index(name) != index if (name, named[name]) in given else True:
            yield f"{name} stands elsewhere"
        if not same_default(named[name], default):
            yield f"{name} is {named[name]!r}, in Keras {default!r}"
    for name, default in list(named.items())[len(expected) :]:
        if default is inspect.Parameter.empty and name not in ("args", "kwargs"):
            parameter = inspect.signature(ours).parameters[name]
            if parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
                yield f"{name} must be given"


def walk(keras):
    """Yield (path, Keras's, ours) of every public class and function that both have."""
    for home in HOMES:
        for name in sorted(dir(found(keras, home))):
            theirs, ours = found(keras, f"{home}.{name}"), found(nn, f"{home}.{name}")
            if name[0] != "_" and callable(theirs) and ours is not None:
                yield f"{home}.{name}", theirs, ours
    for base, path in METHODS.items():
        for name in sorted(dir(found(keras, path))):
            theirs = inspect.getattr_static(found(keras, path), name)
            if name[0] == "_" or not inspect.isfunction(theirs) or name == "forward":
                continue  # forward is PyTorch's, under Keras's layers on that backend
            if theirs.__module__.startswith("keras") and hasattr(found(nn, path), name):
                yield f"{base}.{name}()", theirs, getattr(found(nn, path), name)


def test_signatures(keras):
    compared, different = 0, []
    for path, theirs, ours in walk(keras):
        compared += 1
        different += [f"{path}: {what}" for what in differences(theirs, ours, path.endswith("()"))]
    print(f"\n{compared} signatures, {len(different)} differences")
    new = [text for text in different if not any(re.search(part, text) for part in EXCEPTIONS)]
    assert new == []
    for part in EXCEPTIONS:
        assert any(re.search(part, text) for text in different), f"{part} is no longer different"


def test_no_name_stands_for_the_one_keras_has(keras):
    for path, theirs, ours in walk(keras):
        if any(NAMES_OF_NONE.search(f"{path}: {text}") for text in differences(theirs, ours)):
            assert ours().name == theirs().name


def test_the_walk_sees_what_is_wrong():
    def theirs(a, b=1, c=None):
        pass

    assert list(differences(theirs, lambda a, b=1, c=None, mine=3: None)) == []
    assert list(differences(theirs, lambda a, c=None, b=1: None)) == [
        "b stands elsewhere",
        "c stands elsewhere",
    ]
    assert list(differences(theirs, lambda a, b=True, c=None: None)) == ["b is True, in Keras 1"]
    assert list(differences(theirs, lambda a, b=1, *, c=None: None)) == ["c stands elsewhere"]
    assert list(differences(theirs, lambda a, b=1: None)) == ["no c"]
    assert list(differences(theirs, lambda a, b=1, c=None, *, mine: None)) == ["mine must be given"]


@pytest.mark.parametrize(
    ("make", "attribute", "value"),
    [
        (lambda k: k.layers.GlobalAveragePooling2D("channels_last"), "keepdims", False),
        (lambda k: k.layers.Conv2D(2, 3, 1, "same", None, 1, 1, "relu", False), "use_bias", False),
        (lambda k: k.layers.MaxPooling2D(2, None, "same", None, "p"), "name", "p"),
        (lambda k: k.layers.PReLU("zeros", None, None, (1, 2)), "shared_axes", [1, 2]),
        (lambda k: k.layers.Dropout(0.5, None, 3), "seed", 3),
        (
            lambda k: k.callbacks.ModelCheckpoint(
                "a.keras", "loss", 0, False, False, "auto", "epoch"
            ),
            "save_freq",
            "epoch",
        ),
    ],
)
def test_positions_mean_the_same(keras, make, attribute, value):
    assert getattr(make(keras), attribute) == getattr(make(nn), attribute) == value
