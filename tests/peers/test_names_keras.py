"""Every public name of Keras 3 is here, or refused in a sentence that names it."""

import re
import types

import numpy as np
import pytest

import nn

# Refused too: what Keras 1 and 2 had, and "*" for every other name.
OLDER = """
LocallyConnected1D LocallyConnected2D Deconvolution2D Highway MaxoutDense Merge merge
ThresholdedReLU multi_gpu_model model_to_dot get_source_inputs tf engine api src function
gradients get_session set_session set_learning_phase learning_phase set_value get_value abs cast
concatenate dot eval exp log max mean min clip pow reshape sqrt square sum zeros ones variable *
text model_from_yaml print_summary HDF5Matrix mse MSE mae MAE
apply_affine_transform apply_brightness_shift apply_channel_shift random_brightness
random_channel_shift random_rotation random_shear random_shift random_zoom DataFrameIterator
DirectoryIterator Iterator
"""
REFUSED = re.compile(r"^nn[\w.]* has no (\w+)\. \w.*\.$")


def public(module):
    return [name for name in dir(module) if not name.startswith("_") and name != "src"]


def walk(module, path):
    """Yield (path of the module, name) of every public name, in the modules of keras."""
    for name in public(module):
        yield path, name
        value = getattr(module, name)
        if isinstance(value, types.ModuleType) and value.__name__.startswith("keras"):
            yield from walk(value, (*path, name))


def looked_up(path, name):
    """Return "here", "refused" or "unclear" for a name of Keras."""
    found = nn
    for part in (*path, name):
        try:
            found = getattr(found, part)
        except AttributeError as error:
            match = REFUSED.match(str(error))
            return "refused" if match and match[1] in (*path, name) else "unclear"
    return "here"


@pytest.fixture(scope="module")
def verdicts(keras):
    return {(*path, name): looked_up(path, name) for path, name in walk(keras, ())}


def test_every_name_is_here_or_refused(verdicts):
    counts = dict.fromkeys(("here", "refused", "unclear"), 0)
    for verdict in verdicts.values():
        counts[verdict] += 1
    print(f"\n{len(verdicts)} public names of Keras: {counts}")
    unclear = [".".join(name) for name, verdict in verdicts.items() if verdict == "unclear"]
    assert unclear == []


def test_the_page_does_not_claim_names_that_keras_has_not(keras):
    """What stands in the table of refusals is Keras's, of today or of older versions."""
    from nn import absent

    for module, groups in absent.ABSENT.items():
        where = keras
        for part in module.split(".")[1:]:
            where = getattr(where, part, None)
        names = " ".join(groups.values()).split()
        unknown = [name for name in names if not hasattr(where, name) and name not in OLDER.split()]
        assert unknown == [], module


def things(k):
    """Return one of each kind of object that scripts read attributes from, in use."""
    L = k.layers
    parts = [L.Conv2D(2, 3), L.MaxPooling2D(), L.BatchNormalization(), L.Dropout(0.5), L.Flatten()]
    model = k.Sequential([k.Input((8, 8, 1)), *parts, L.Dense(3, activation="softmax")])
    model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
    x, y = np.ones((6, 8, 8, 1), "float32"), np.eye(3, dtype="float32")[[0, 1, 2, 0, 1, 2]]
    C = k.callbacks
    found = [*model.layers, model, model.optimizer, model.fit(x, y, verbose=0)]
    found += [k.losses.CategoricalCrossentropy(), k.metrics.CategoricalAccuracy()]
    found += [C.Callback(), C.EarlyStopping(), C.ModelCheckpoint("a.keras"), C.ReduceLROnPlateau()]
    found += [k.optimizers.schedules.ExponentialDecay(0.1, 10, 0.9)]
    return {type(thing).__name__: thing for thing in found}


def test_every_attribute_is_here_or_refused(keras, torch):
    ours, unclear, counts = things(nn), [], {"here": 0, "refused": 0}
    of_torch = set(dir(torch.nn.Module()))
    for kind, thing in things(keras).items():
        for name in set(public(thing)) - of_torch:
            try:
                getattr(ours[kind], name)
                counts["here"] += 1
            except Exception as error:
                counts["refused"] += 1
                if not re.search(rf"has no {name}\. |not built|not compiled", str(error)):
                    unclear.append(f"{kind}.{name}: {error}")
    print(f"\nattributes of {len(ours)} objects: {counts}")
    assert unclear == []
