"""A walk over Keras's behaviours: the same here, or refused in a sentence; never a stray error.

Each case is a function of the library. What Keras answers is the judge:

same       the same numbers within 1e-4, or both refuse
refused    Keras answers, and here a sentence names what is not supported
different  another answer, or an answer where Keras refuses
unclear    an error of Python's own
crash      an error of the machinery below
"""

import collections
import importlib
import re
import traceback
import warnings

import pytest
from behaviours import tools

import nn

MODULES = ("layers", "losses", "optimizers", "training", "models", "callbacks", "helpers")
CRASHES = (AssertionError, SystemError, MemoryError, RecursionError, ZeroDivisionError)
# Errors of Python's own, or of NumPy's, that say nothing to a user of Keras.
STRAY = re.compile(
    "object has no attribute|unexpected keyword|required positional|positional argument|aligned"
    "|not subscriptable|not callable|unsupported operand|object is not|'NoneType'|not iterable"
    "|could not broadcast|multiple values for|invalid literal|not supported between|has no len"
    "|must be real number|setting an array|operands could not|cannot reshape|out of bounds"
    "|truth value|input arrays|cannot unpack|expected str, bytes|cannot be interpreted"
    "|mismatch in its core|directory: '"
)
SENTENCE = re.compile(r"\w.*\s.*\s.*([.)]|was changed|…)$", re.DOTALL)

# What is different, and why: a part of the case's name to the reason.
DIFFERENT = {
    # Answered here, refused by Keras 3
    r"np\.int64|np\.float32\(0\.1\)|np\.array\(0\.1\)": "NumPy's numbers are numbers",
    r"decay=0\.1|\.lr$|fit_generator|predict_proba|dtype=.int32|batch_input_shape"
    "|generator: workers|period=2": "spellings of Keras 1 and 2 are translated, with a warning",
    r"save_weights\(.a\.|ModelCheckpoint\(.w\.h5|saved\(k, m, .a.\)|ModelCheckpoint\(.a.\)": (
        "names of files as Keras 2 took them"
    ),
    r"with [xy]\(\[\[|tolist\(\)|sample_weight=\[1|of lists|predict of x|k\.Input\(4\)": (
        "lists are arrays too"
    ),
    r"metrics=.accuracy.|fit\('accuracy'\)|O\.Adam$|optimizers\.SGD, ": (
        "one metric needs no list, and an optimiser's class no brackets"
    ),
    r"generator: class_weight": "weights of the classes of a generator, as in Keras 2",
    r"nonsense.\)$|val_acc|monitor=.nonsense": "a monitor that is not there warns, as in Keras 2",
    r"one model after another": "an optimiser given to another model begins anew, as in Keras 2",
    r"assigned\(O.SGD\(S.": "setting the rate replaces a schedule",
    # Other answers
    r"[Aa]dadelta\(\)|.adadelta.": "Adadelta's rate is 1.0, as published and in Keras before 2.4",
    r"AveragePooling2D\(.*padding=.same": "on PyTorch Keras counts the padding in even windows",
    r"m\.metrics_names|for metric in m\.metrics|\.loss\b": (
        "the metrics and the loss themselves, not the containers and the names"
    ),
    r"isinstance\(c, k\.Sequential": "every model is layers in a row",
    r"GlorotUniform\(seed=3\)\.get_config": "what only Keras 3 reads stays out of files",
}


def answer(case, library):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return "value", tools.plain(case(library))
        except Exception as error:
            return "error", error
        finally:
            library.backend.set_floatx("float32")  # of the case that asks for another


def is_clear(error):
    """Whether an error is one of our sentences."""
    text = str(error)
    if isinstance(error, (*CRASHES, KeyError, IndexError, NameError)):
        return False
    return bool(SENTENCE.search(text)) and not STRAY.search(text)


def in_python(error):
    """Return the text of an error without the names of packages and classes."""
    return re.sub(r"\w+\.|keras|nn", "", str(error))


def verdict(case, keras):
    """Return the class of a case, and what to print of it."""
    their_kind, theirs = answer(case, keras)
    our_kind, ours = answer(case, nn)
    if our_kind == their_kind == "error" and in_python(ours) == in_python(theirs):
        return "same", ""
    if our_kind == "error" and not is_clear(ours):
        kind = "crash" if isinstance(ours, CRASHES) else "unclear"
        frame = traceback.extract_tb(ours.__traceback__)[-1]
        where = f"{frame.filename.rsplit('/', 2)[-1]}:{frame.lineno}"
        return kind, f"{type(ours).__name__}: {ours} ({where}); Keras: {str(theirs)[:80]}"
    if our_kind == "error":
        return ("same" if their_kind == "error" else "refused"), str(ours)
    if their_kind == "error":
        return "different", f"{str(ours)[:120]}; Keras refuses: {theirs}"
    if tools.same(theirs, ours):
        return "same", ""
    return "different", f"{str(ours)[:300]}; Keras: {str(theirs)[:300]}"


@pytest.fixture(scope="module")
def verdicts(keras):
    found = {}
    for module in MODULES:
        cases = importlib.import_module(f"behaviours.{module}").CASES
        found |= {f"{module}: {name}": verdict(case, keras) for name, case in cases.items()}
    return found


def of(verdicts, kind):
    return {name: text for name, (found, text) in verdicts.items() if found == kind}


def test_the_counts(verdicts):
    counts = collections.Counter(kind for kind, _ in verdicts.values())
    print(f"\n{len(verdicts)} cases: {dict(counts)}")
    for name, text in of(verdicts, "refused").items():
        print(f"  refused  {name}: {text[:160]}")


@pytest.mark.parametrize("kind", ["crash", "unclear"])
def test_no_stray_errors(verdicts, kind):
    found = of(verdicts, kind)
    assert not found, "\n" + "\n".join(f"{name}: {text}" for name, text in found.items())


def test_what_is_different_is_written_down(verdicts):
    found = of(verdicts, "different")
    new = [name for name in found if not any(re.search(part, name) for part in DIFFERENT)]
    assert not new, "\n" + "\n".join(f"{name}: {found[name]}" for name in new)
    for part in DIFFERENT:
        assert any(re.search(part, name) for name in found), f"{part} is no longer different"
    assert len(DIFFERENT) <= 15
