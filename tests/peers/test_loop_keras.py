"""Keras as the judge of ``fit``, ``evaluate`` and ``predict``: what they call, take and report."""

import inspect
import random
import warnings

import numpy as np
import pytest

import nn

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

HOOKS = [name for name in vars(nn.callbacks.Callback) if name.startswith("on_")]
N = 44
X = np.random.default_rng(1).random((N, 6)).astype(np.float32)
Y = np.random.default_rng(2).integers(0, 3, N)
HOT = np.eye(3, dtype=np.float32)[Y]
W = np.random.default_rng(3).random(N).astype(np.float32) * 2
VALIDATION = X[:20], Y[:20]


def make(k, loss="sparse_categorical_crossentropy", metrics=("accuracy",), rate=0.1):
    """Return the same compiled network of Keras or of nn."""
    model = k.Sequential(
        [k.Input((6,)), k.layers.Dense(8, "relu"), k.layers.Dense(3, activation="softmax")]
    )
    rng = np.random.default_rng(4)
    model.set_weights([rng.standard_normal(w.shape) * 0.5 for w in model.get_weights()])
    model.compile(k.optimizers.SGD(rate), loss, metrics=list(metrics))
    return model


def recorder(k, stop=None):
    """Return a callback that writes down each hook with its number and the keys of its logs."""

    def writes(hook):
        def method(self, number=None, logs=None):
            if isinstance(number, dict) or number is None:
                number, logs = None, number if logs is None else logs
            keys = None if logs is None else sorted(logs)
            self.calls.append((hook, number, keys))
            if stop == (hook, number):
                self.model.stop_training = True

        return method

    # on_batch_begin and on_batch_end are called by the hooks of training batches
    hooks = {hook: writes(hook) for hook in HOOKS if not hook.startswith("on_batch")}
    callback = type("Recorder", (k.callbacks.Callback,), hooks)()
    callback.calls = []
    return callback


def endless(x=X, y=Y, size=11, w=None):
    while True:
        for start in range(0, len(x), size):
            rows = slice(start, start + size)
            yield (x[rows], y[rows]) if w is None else (x[rows], y[rows], w[rows])


def finite(count, size=11, w=None):
    source = endless(size=size, w=w)
    return (next(source) for _ in range(count))


def dataset(k, size=16, w=None, y=Y):
    class Data(k.utils.PyDataset):
        def __len__(self):
            return -(-N // size)

        def __getitem__(self, index):
            rows = slice(index * size, (index + 1) * size)
            batch = X[rows], y[rows]
            return batch if w is None else (*batch, w[rows])

    return Data()


def figures(history):
    return {name: [float(v) for v in values] for name, values in history.history.items()}


def fit(k, *data, loss="sparse_categorical_crossentropy", stop=None, **arguments):
    """Fit; return the history, the hooks called and the weights learned."""
    model, record = make(k, loss), recorder(k, stop)
    given = {"epochs": 3, "batch_size": 16, "shuffle": False, **arguments}
    if given["batch_size"] == "none":
        del given["batch_size"]
    history = model.fit(*data, verbose=0, callbacks=[record], **given)
    params = {name: record.params.get(name) for name in ("epochs", "steps", "verbose")}
    return figures(history), history.epoch, record.calls, params, model.get_weights()


def own(**arguments):
    return {"batch_size": "none", "shuffle": False, **arguments}


def method(k, name, *data, **arguments):
    model, record = make(k), recorder(k)
    with_record = {} if "on_batch" in name else {"callbacks": [record]}
    if "on_batch" not in name:
        arguments.setdefault("verbose", 0)
    found = getattr(model, name)(*data, **with_record, **arguments)
    if isinstance(found, dict):
        found = {key: float(value) for key, value in found.items()}
    params = {name: (record.params or {}).get(name) for name in ("epochs", "steps", "verbose")}
    return found, record.calls, params, model.get_weights()


def twice(k):
    """Batches one by one: each figure is that of its batch alone."""
    model = make(k)
    first = model.train_on_batch(X[:10], Y[:10])
    second = model.train_on_batch(X[10:20], Y[10:20], return_dict=True)
    third = model.test_on_batch(X[20:], Y[20:])
    return list(map(float, first)), dict(second), list(map(float, third)), model.get_weights()


CASES = {
    "fit": lambda k: fit(k, X, Y),
    "fit-validation": lambda k: fit(k, X, Y, validation_data=VALIDATION),
    "fit-validation-batches": lambda k: fit(
        k, X, Y, validation_data=VALIDATION, validation_batch_size=7
    ),
    "fit-validation-freq": lambda k: fit(
        k, X, Y, epochs=5, validation_data=VALIDATION, validation_freq=2
    ),
    "fit-validation-freq-list": lambda k: fit(
        k, X, Y, epochs=4, validation_data=VALIDATION, validation_freq=[1, 4]
    ),
    "fit-validation-steps": lambda k: fit(
        k, X, Y, validation_data=VALIDATION, validation_steps=1, validation_batch_size=8
    ),
    "fit-validation-split": lambda k: fit(k, X, Y, validation_split=0.3),
    "fit-validation-split-weights": lambda k: fit(k, X, Y, validation_split=0.3, sample_weight=W),
    "fit-validation-weights": lambda k: fit(k, X, Y, validation_data=(*VALIDATION, W[:20])),
    "fit-initial-epoch": lambda k: fit(k, X, Y, epochs=5, initial_epoch=3),
    "fit-initial-epoch-past": lambda k: fit(k, X, Y, epochs=2, initial_epoch=3),
    "fit-epochs-numpy": lambda k: fit(k, X, Y, epochs=np.int64(2)),
    "fit-no-epochs": lambda k: fit(k, X, Y, epochs=0),
    "fit-batch-size-none": lambda k: fit(k, X, Y, batch_size=None),
    "fit-batch-size-numpy": lambda k: fit(k, X, Y, batch_size=np.int32(10)),
    "fit-batch-large": lambda k: fit(k, X, Y, batch_size=1000),
    "fit-steps": lambda k: fit(k, X, Y, batch_size="none", steps_per_epoch=4),
    "fit-steps-uneven": lambda k: fit(k, X, Y, batch_size="none", steps_per_epoch=5),
    "fit-steps-batch-size": lambda k: fit(k, X, Y, steps_per_epoch=2),
    "fit-steps-exact": lambda k: fit(k, X, Y, steps_per_epoch=3),
    "fit-steps-many": lambda k: fit(k, X, Y, steps_per_epoch=7),
    "fit-sample-weight": lambda k: fit(k, X, Y, sample_weight=W),
    "fit-sample-weight-column": lambda k: fit(k, X, Y, sample_weight=W[:, None]),
    "fit-sample-weight-hot": lambda k: fit(
        k, X, HOT, loss="categorical_crossentropy", sample_weight=W
    ),
    "fit-sample-weight-mse": lambda k: fit(k, X, HOT, loss="mse", sample_weight=W),
    "fit-class-weight": lambda k: fit(k, X, Y, class_weight={0: 3.0, 2: 0.5}),
    "fit-class-weight-hot": lambda k: fit(
        k, X, HOT, loss="categorical_crossentropy", class_weight={0: 3.0, 2: 0.5}
    ),
    "fit-class-weight-split": lambda k: fit(
        k, X, Y, class_weight={0: 3.0, 2: 0.5}, validation_split=0.25
    ),
    "fit-both-weights": lambda k: fit(k, X, Y, class_weight={0: 3.0}, sample_weight=W),
    "fit-generator": lambda k: fit(k, endless(), **own(steps_per_epoch=4)),
    "fit-generator-uneven": lambda k: fit(k, endless(), **own(steps_per_epoch=3)),
    "fit-generator-weights": lambda k: fit(k, endless(w=W), **own(steps_per_epoch=4)),
    "fit-generator-finite": lambda k: fit(k, finite(4), **own(epochs=1)),
    "fit-generator-dry": lambda k: fit(k, finite(6), **own(steps_per_epoch=4)),
    "fit-generator-validation": lambda k: fit(
        k, endless(), **own(steps_per_epoch=4, validation_data=endless(), validation_steps=2)
    ),
    "fit-generator-finite-epochs": lambda k: fit(k, finite(4), **own()),
    "fit-generator-empty": lambda k: fit(k, finite(0), **own()),
    "fit-generator-y": lambda k: fit(k, endless(), Y, **own(steps_per_epoch=4)),
    "fit-generator-split": lambda k: fit(
        k, endless(), **own(steps_per_epoch=4, validation_split=0.2)
    ),
    "fit-dataset": lambda k: fit(k, dataset(k), **own()),
    "fit-dataset-batch-size": lambda k: fit(k, dataset(k), shuffle=False),
    "fit-dataset-weights": lambda k: fit(k, dataset(k, w=W), **own()),
    "fit-dataset-class-weight": lambda k: fit(k, dataset(k), **own(class_weight={1: 4.0})),
    "fit-dataset-steps": lambda k: fit(k, dataset(k), **own(steps_per_epoch=2)),
    "fit-dataset-validation": lambda k: fit(
        k, X, Y, validation_data=dataset(k), validation_steps=2
    ),
    "fit-stop-batch": lambda k: fit(k, X, Y, stop=("on_train_batch_end", 1)),
    "fit-stop-epoch": lambda k: fit(k, X, Y, stop=("on_epoch_end", 1)),
    "fit-stop-epoch-begin": lambda k: fit(
        k, X, Y, validation_data=VALIDATION, stop=("on_epoch_begin", 1)
    ),
    "fit-stop-train-begin": lambda k: fit(k, X, Y, stop=("on_train_begin", None)),
    "fit-lists": lambda k: fit(k, [X], [Y]),
    "fit-validation-list": lambda k: fit(k, X, Y, validation_data=[X[:9], Y[:9]]),
    "fit-float64": lambda k: fit(k, X.astype(float), Y.astype(float)),
    "fit-uint8": lambda k: fit(k, (X * 9).astype(np.uint8), Y.astype(np.uint8)),
    "fit-labels-column": lambda k: fit(k, X, Y[:, None]),
    "fit-labels-int32": lambda k: fit(k, X, Y.astype(np.int32)),
    "fit-labels-hot": lambda k: fit(k, X, HOT),
    "fit-labels-few": lambda k: fit(k, X, Y[:-1]),
    "fit-shuffle-batch": lambda k: fit(k, X, Y, shuffle="batch")[1:4],
    "evaluate": lambda k: method(k, "evaluate", X, Y),
    "evaluate-batches": lambda k: method(k, "evaluate", X, Y, batch_size=7),
    "evaluate-weights": lambda k: method(k, "evaluate", X, Y, sample_weight=W),
    "evaluate-dict": lambda k: method(k, "evaluate", X, Y, return_dict=True),
    "evaluate-steps": lambda k: method(k, "evaluate", X, Y, batch_size=10, steps=2),
    "evaluate-steps-alone": lambda k: method(k, "evaluate", X, Y, steps=2),
    "evaluate-generator": lambda k: method(k, "evaluate", endless(), steps=4),
    "evaluate-generator-finite": lambda k: method(k, "evaluate", finite(3)),
    "evaluate-dataset": lambda k: method(k, "evaluate", dataset(k, w=W)),
    "evaluate-dataset-steps": lambda k: method(k, "evaluate", dataset(k), steps=2),
    "predict": lambda k: method(k, "predict", X),
    "predict-batches": lambda k: method(k, "predict", X, batch_size=7),
    "predict-steps": lambda k: method(k, "predict", X, batch_size=10, steps=2),
    "predict-steps-alone": lambda k: method(k, "predict", X, steps=2),
    "predict-dataset": lambda k: method(k, "predict", dataset(k)),
    "predict-generator": lambda k: method(k, "predict", endless(), steps=3),
    "predict-list": lambda k: method(k, "predict", [X]),
    "train-on-batch": lambda k: method(k, "train_on_batch", X, Y, return_dict=True),
    "train-on-batch-weights": lambda k: method(
        k, "train_on_batch", X, Y, sample_weight=W, return_dict=True
    ),
    "train-on-batch-class-weight": lambda k: method(
        k, "train_on_batch", X, Y, class_weight={1: 3.0}, return_dict=True
    ),
    "test-on-batch-weights": lambda k: method(
        k, "test_on_batch", X, Y, sample_weight=W, return_dict=True
    ),
    "predict-on-batch": lambda k: method(k, "predict_on_batch", X),
    "batch-by-batch": twice,
}
DIFFERENT = {
    "fit-batch-size-numpy": "Keras on PyTorch alone refuses NumPy's whole numbers.",
    "fit-generator-dry": "Keras repeats the first two batches of a generator that has ended.",
    "fit-generator-finite-epochs": "The same: here the training ends, as in Keras 2.",
    "evaluate-generator-finite": "Keras does not know the steps before they are done.",
    "fit-stop-train-begin": "Keras takes one step: a run that had stopped is not resumed here.",
}


def result(case, k):
    """Return what a case gives, or the exception's class."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return CASES[case](k)
    except (ValueError, TypeError, RuntimeError, KeyError, AttributeError, IndexError) as error:
        return error


def differences(ours, theirs, where=""):
    """Return where two nested results differ, as lines."""
    if isinstance(theirs, dict):
        if not isinstance(ours, dict) or ours.keys() != theirs.keys():
            return [f"{where}: {ours!r} for {theirs!r}"]
        return [d for k in theirs for d in differences(ours[k], theirs[k], f"{where}.{k}")]
    if isinstance(theirs, list | tuple):
        if not isinstance(ours, list | tuple) or len(ours) != len(theirs):
            return [f"{where}: {ours!r}\n   for {theirs!r}"]
        return [d for i, t in enumerate(theirs) for d in differences(ours[i], t, f"{where}[{i}]")]
    if isinstance(theirs, float | np.ndarray) and not isinstance(ours, str | None):
        ours, theirs = np.asarray(ours), np.asarray(theirs)
        same = ours.shape == theirs.shape and np.allclose(ours, theirs, rtol=1e-4, atol=1e-6)
        return [] if same else [f"{where}: {ours!r}\n   for {theirs!r}"]
    return [] if ours == theirs else [f"{where}: {ours!r} for {theirs!r}"]


@pytest.mark.parametrize("engine", ["auto", "plain"])
@pytest.mark.parametrize("case", CASES)
def test_the_loop_is_that_of_keras(case, engine, keras):
    theirs = result(case, keras)
    with nn.use_engine(engine):
        ours = result(case, nn)
    if isinstance(theirs, Exception) and case not in DIFFERENT:
        assert isinstance(ours, ValueError | TypeError), f"Keras says: {theirs}"
        assert "expected" in str(ours), repr(ours)
        return
    if isinstance(ours, Exception):
        raise ours
    found = differences(ours, theirs)
    assert bool(found) == (case in DIFFERENT), "\n".join(found[:6])


def test_the_loader_of_pytorch(keras, torch):
    """It gives lists of tensors, and can be iterated anew."""
    data = torch.utils.data.TensorDataset(torch.tensor(X), torch.tensor(Y))
    results = []
    for k in (keras, nn):
        loader, model = torch.utils.data.DataLoader(data, batch_size=16), make(k)
        history = model.fit(loader, epochs=3, validation_data=loader, shuffle=False, verbose=0)
        measured = [float(figure) for figure in model.evaluate(loader, verbose=0)]
        results.append((figures(history), measured, model.predict(loader, verbose=0)))
    assert not (found := differences(*reversed(results))), found


# --- callbacks ------------------------------------------------------------------------------------


def monitor(k, kind, series, arguments):
    """Return what a callback does, epoch by epoch, when it is told these figures."""
    model = make(k, metrics=["accuracy"])
    model.evaluate(X, Y, verbose=0)
    callback, seen = getattr(k.callbacks, kind)(**arguments), []
    callback.set_model(model)
    model.stop_training = False
    callback.on_train_begin({})
    for epoch, value in enumerate(series):
        callback.on_epoch_begin(epoch, {})
        callback.on_epoch_end(epoch, {arguments["monitor"]: value})
        rate, counted = float(model.optimizer.learning_rate), getattr(callback, "best_epoch", None)
        seen.append((bool(model.stop_training), callback.wait, counted, round(rate, 6)))
        if model.stop_training:
            break
    return seen


@pytest.mark.parametrize("kind", ["EarlyStopping", "ReduceLROnPlateau"])
@pytest.mark.parametrize("seed", range(60))
def test_what_monitors_do(kind, seed, keras):
    """Ties, NaN and infinity among the figures; but a first figure of NaN is never best here."""
    choose = random.Random(seed).choice
    arguments = {
        "monitor": choose(["val_loss", "val_accuracy"]),
        "patience": choose([0, 1, 2, 3]),
        "min_delta": choose([0, 0.05, -0.05]),
        "mode": choose(["auto", "min", "max"]),
    }
    own = {
        "EarlyStopping": {
            "baseline": choose([None, 0.5]),
            "start_from_epoch": choose([0, 2]),
            "restore_best_weights": choose([False, True]),
        },
        "ReduceLROnPlateau": {
            "factor": choose([0.1, 0.5]),
            "cooldown": choose([0, 1, 2]),
            "min_lr": choose([0, 0.02]),
        },
    }
    figures = [0.3, 0.31, 0.5, 0.7, 0.8, float("nan"), float("inf")]
    series = [0.42] * 3 + [choose(figures) for _ in range(10)]
    case = kind, series, {**arguments, **own[kind]}
    assert monitor(nn, *case) == monitor(keras, *case)


def files(k, folder, **arguments):
    """Return the names of the files that a checkpoint leaves."""
    folder = folder / k.__name__ / "new"
    checkpoint = k.callbacks.ModelCheckpoint(folder / "{epoch}-{loss:.3f}.keras", **arguments)
    make(k).fit(X, Y, 16, 4, 0, [checkpoint], validation_data=VALIDATION, shuffle=False)
    return sorted(path.name for path in folder.glob("*"))


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"save_best_only": True},
        {"monitor": "accuracy", "save_best_only": True, "mode": "max"},
        {"monitor": "accuracy", "save_best_only": True, "mode": "min"},
        {"monitor": "missing", "save_best_only": True, "mode": "min"},
        {"save_freq": 5},
        {"save_best_only": True, "initial_value_threshold": 0.1},
    ],
    ids=str,
)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_files_of_checkpoints(arguments, tmp_path, keras):
    assert files(nn, tmp_path, **arguments) == files(keras, tmp_path, **arguments)


@pytest.mark.parametrize("append", [False, True])
@pytest.mark.parametrize(
    "fit", [{}, {"validation_data": VALIDATION}, {"validation_data": VALIDATION, "freq": 2}]
)
def test_tables_of_the_csv_logger(append, fit, tmp_path, keras):
    written = []
    for k in (keras, nn):
        path = tmp_path / f"{k.__name__}.csv"
        logger, model = k.callbacks.CSVLogger(str(path), ";", append), make(k)
        given = {**fit, "validation_freq": fit.get("freq", 1), "callbacks": [logger]}
        given.pop("freq", None)
        for _ in range(2):
            model.fit(X, Y, 16, 3, 0, shuffle=False, **given)
        rows = [line.split(";") for line in path.read_text(encoding="utf-8").split()]
        written.append([[c if c.isalpha() or "_" in c else float(c) for c in row] for row in rows])
    assert not (found := differences(*reversed(written))), found


def described(function):
    parameters = inspect.signature(inspect.unwrap(function)).parameters.values()
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD,)
    return [(p.name, p.default) for p in parameters if p.kind in kinds and p.name != "self"]


@pytest.mark.parametrize(
    "name",
    [
        *("fit", "evaluate", "predict", "train_on_batch", "test_on_batch", "predict_on_batch"),
        *("EarlyStopping", "ModelCheckpoint", "ReduceLROnPlateau", "TerminateOnNaN"),
        *(
            "CallbackList",
            "CSVLogger",
            "LearningRateScheduler",
            "LambdaCallback",
            "History",
            "TensorBoard",
        ),
    ],
)
def test_signatures_of_the_loop(name, keras):
    """Order, names and defaults; what stands by keyword alone is ours."""
    ours, theirs = (
        getattr(k.Sequential, name) if name[0].islower() else getattr(k.callbacks, name).__init__
        for k in (nn, keras)
    )
    assert described(ours) == described(theirs)
