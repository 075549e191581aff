"""Callbacks: which hooks are called with what, what the built-in ones do and refuse."""

import csv
import os
import tempfile

import numpy as np

from .tools import Collector, examples, fitted, small

CASES = Collector()
X, Y = examples()
HOOKS = [
    f"on_{what}_{when}"
    for what in ("train", "epoch", "train_batch", "test", "test_batch", "predict", "predict_batch")
    for when in ("begin", "end")
]


def recorder(k, seen, hooks=HOOKS):
    """Return a callback that notes its calls: hook, number, names in the logs."""

    def method(hook):
        def called(self, *arguments, **options):
            logs = options.get("logs", arguments[-1] if arguments else None)
            number = arguments[0] if "epoch" in hook or "batch" in hook else None
            seen.append((hook, number, sorted(logs) if isinstance(logs, dict) else repr(logs)))

        return called

    return type("Recorder", (k.callbacks.Callback,), {hook: method(hook) for hook in hooks})()


def recorded(k, run):
    seen = []
    run(small(k, metrics=["accuracy"]), [recorder(k, seen)])
    return seen


V = (X[:6], Y[:6])
CASES.each(
    "hooks",
    {
        "fit": lambda k: recorded(k, lambda m, c: m.fit(X, Y, 8, verbose=0, callbacks=c)),
        "two epochs": lambda k: recorded(
            k, lambda m, c: m.fit(X, Y, epochs=2, verbose=0, callbacks=c)
        ),
        "validation": lambda k: recorded(
            k, lambda m, c: m.fit(X, Y, verbose=0, callbacks=c, validation_data=V)
        ),
        "initial_epoch": lambda k: recorded(
            k, lambda m, c: m.fit(X, Y, epochs=4, initial_epoch=2, verbose=0, callbacks=c)
        ),
        "evaluate": lambda k: recorded(
            k, lambda m, c: m.evaluate(X, Y, batch_size=8, verbose=0, callbacks=c)
        ),
        "predict": lambda k: recorded(
            k, lambda m, c: m.predict(X, batch_size=8, verbose=0, callbacks=c)
        ),
        "validation_freq": lambda k: recorded(
            k,
            lambda m, c: m.fit(
                X, Y, epochs=2, verbose=0, callbacks=c, validation_data=V, validation_freq=2
            ),
        ),
        "no epochs": lambda k: recorded(
            k, lambda m, c: m.fit(X, Y, epochs=0, verbose=0, callbacks=c)
        ),
    },
)


def logged(k, **fit):
    """Return the numbers of the logs of each batch and epoch."""
    seen = []
    note = k.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: seen.append(dict(logs)),
        on_epoch_end=lambda epoch, logs: seen.append(dict(logs)),
    )
    fitted(k, {"callbacks": [note], **fit}, metrics=["accuracy"])
    return seen


CASES.each(
    "logs",
    {
        "of batches and epochs": logged,
        "with validation": lambda k: logged(k, validation_data=V),
        "with weights": lambda k: logged(k, sample_weight=np.arange(20.0)),
    },
)


def lambdas(k, *names):
    seen = []
    options = {name: (lambda *_, logs=None, name=name: seen.append(name)) for name in names}
    fitted(k, {"callbacks": [k.callbacks.LambdaCallback(**options)]})
    return seen


@CASES.over(
    "LambdaCallback",
    [
        "on_epoch_begin",
        "on_epoch_end",
        "on_train_begin",
        "on_train_end",
        "on_train_batch_begin",
        "on_train_batch_end",
        "on_batch_end",
        "on_nonsense",
    ],
)
def _(k, value):
    return lambdas(k, value)


def with_callback(k, source, epochs=6, fit=None, files=False, rate=0.1):
    """Train with a callback; return the epochs, what it left, and the last figures."""
    with tempfile.TemporaryDirectory() as folder:
        before = os.getcwd()
        os.chdir(folder)
        try:
            callback = eval(source, {"k": k, "C": k.callbacks, "np": np})
            model, history = fitted(
                k,
                {"epochs": epochs, "callbacks": [callback], "validation_data": V, **(fit or {})},
                metrics=["accuracy"],
                optimizer=k.optimizers.SGD(rate),
            )
            left = sorted(os.listdir(folder)) if files else None
            rate = float(model.optimizer.learning_rate)
            return history.epoch, history.history, rate, left, model.get_weights()
        finally:
            os.chdir(before)


STOPS = """
C.EarlyStopping()
C.EarlyStopping("val_loss", patience=1)
C.EarlyStopping(monitor="loss", min_delta=0.05)
C.EarlyStopping(monitor="loss", min_delta=10, patience=2)
C.EarlyStopping("loss", 10, 2, 0, "min", None, True)
C.EarlyStopping("accuracy", patience=1)
C.EarlyStopping("accuracy", mode="max", patience=1)
C.EarlyStopping("accuracy", mode="min", patience=0)
C.EarlyStopping("val_accuracy", restore_best_weights=True)
C.EarlyStopping("loss", baseline=0.1, patience=1)
C.EarlyStopping("loss", min_delta=10, start_from_epoch=3)
C.EarlyStopping("loss", min_delta=10, patience=1, restore_best_weights=True)
C.EarlyStopping("nonsense")
C.EarlyStopping("val_acc", patience=0)
C.EarlyStopping(mode="nonsense")
C.EarlyStopping(patience=-1)
C.EarlyStopping(patience="two")
C.EarlyStopping(nonsense=1)
C.ReduceLROnPlateau("loss", min_delta=10, patience=1)
C.ReduceLROnPlateau("loss", factor=0.5, patience=1, min_delta=10)
C.ReduceLROnPlateau(monitor="val_loss", factor=0.2, patience=2, min_lr=0.05, min_delta=10)
C.ReduceLROnPlateau("loss", 0.5, 1, 0, "auto", 10, 2)
C.ReduceLROnPlateau("accuracy", patience=1, mode="max")
C.ReduceLROnPlateau("loss", factor=1.5)
C.ReduceLROnPlateau("loss", factor=1.0)
C.ReduceLROnPlateau("nonsense")
C.ReduceLROnPlateau(epsilon=1e-4)
C.ReduceLROnPlateau(mode="nonsense")
C.LearningRateScheduler(lambda epoch: 0.1 / (epoch + 1))
C.LearningRateScheduler(lambda epoch, lr: lr * 0.5)
C.LearningRateScheduler(lambda epoch, lr: lr * 0.5, verbose=1)
C.LearningRateScheduler(lambda epoch: "fast")
C.LearningRateScheduler(lambda epoch: None)
C.LearningRateScheduler(lambda epoch: np.float32(0.05))
C.LearningRateScheduler(0.1)
C.LearningRateScheduler(lambda: 0.1)
C.TerminateOnNaN()
C.History()
C.Callback()
C.ProgbarLogger()
C.SwapEMAWeights()
C.BackupAndRestore("backup")
C.RemoteMonitor()
C.Nonsense()
"""
for source in STOPS.strip().splitlines():
    CASES[source] = lambda k, source=source: with_callback(k, source)

FILES = """
C.ModelCheckpoint("a.keras")
C.ModelCheckpoint("a.h5")
C.ModelCheckpoint("{epoch}.keras")
C.ModelCheckpoint("{epoch:02d}-{val_loss:.2f}.keras")
C.ModelCheckpoint("{epoch:02d}-{val_accuracy:.2f}.weights.h5", save_weights_only=True)
C.ModelCheckpoint("best.keras", save_best_only=True)
C.ModelCheckpoint("best.keras", "val_accuracy", 0, True, False, "max")
C.ModelCheckpoint("best{epoch}.keras", monitor="accuracy", save_best_only=True, mode="max")
C.ModelCheckpoint("best{epoch}.keras", monitor="loss", save_best_only=True, mode="auto")
C.ModelCheckpoint("w.weights.h5", save_weights_only=True)
C.ModelCheckpoint("w.h5", save_weights_only=True)
C.ModelCheckpoint("{epoch}.keras", save_freq="epoch")
C.ModelCheckpoint("{epoch}.keras", save_freq=2)
C.ModelCheckpoint("{epoch}-{batch}.keras", save_freq=4)
C.ModelCheckpoint("a.keras", save_freq="nonsense")
C.ModelCheckpoint("a.keras", monitor="nonsense", save_best_only=True)
C.ModelCheckpoint("a.keras", mode="nonsense")
C.ModelCheckpoint("{nonsense}.keras")
C.ModelCheckpoint("a.txt")
C.ModelCheckpoint("a")
C.ModelCheckpoint("folder/a.keras")
C.ModelCheckpoint("a.keras", period=2)
C.ModelCheckpoint("best.keras", save_best_only=True, initial_value_threshold=0.0)
C.ModelCheckpoint()
C.CSVLogger("log.csv")
C.CSVLogger("log.csv", separator=";")
C.CSVLogger("log.csv", ",", True)
C.CSVLogger("no/such/log.csv")
C.CSVLogger()
"""
for source in FILES.strip().splitlines():
    CASES[source] = lambda k, source=source: with_callback(k, source, 3, files=True)[::3]


def csv_rows(k, *how, fit=None, **options):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "log.csv")
        for _ in range(2 if options.get("append") else 1):
            logger = k.callbacks.CSVLogger(path, *how, **options)
            fitted(k, {"callbacks": [logger], **(fit or {})}, metrics=["accuracy"])
        with open(path, newline="") as file:
            rows = list(csv.reader(file, delimiter=options.get("separator", ",")))
    return rows[0], [[float(v) if v not in ("NA", "") else v for v in row] for row in rows[1:]]


CASES.each(
    "CSVLogger writes",
    {
        "rows": csv_rows,
        "semicolons": lambda k: csv_rows(k, separator=";"),
        "validation": lambda k: csv_rows(k, fit={"validation_data": V}),
        "validation_freq": lambda k: csv_rows(
            k, fit={"validation_data": V, "validation_freq": 2, "epochs": 4}
        ),
    },
)

OTHER = """
C.Callback().model
C.EarlyStopping().monitor
C.EarlyStopping().patience
C.EarlyStopping().stopped_epoch
C.EarlyStopping().wait
C.EarlyStopping(min_delta=0.1).min_delta
C.ReduceLROnPlateau(factor=0.3).factor
C.ModelCheckpoint("a.keras").filepath
C.ModelCheckpoint("a.keras").save_best_only
C.History().history
C.CallbackList([]).callbacks
len(C.CallbackList([C.Callback(), C.Callback()]).callbacks)
C.CallbackList([C.Callback()], add_history=True).callbacks[-1].__class__.__name__
C.CallbackList([]).on_train_begin()
hasattr(C.Callback(), "on_train_batch_end")
hasattr(C.Callback(), "set_model")
"""
for source in OTHER.strip().splitlines():
    CASES[source] = lambda k, source=source: eval(source, {"C": k.callbacks})


def stopped_by(k, hook):
    def stop(self, number, logs=None):
        if number == 1:
            self.model.stop_training = True

    callback = type("Stop", (k.callbacks.Callback,), {hook: stop})()
    _, history = fitted(k, {"epochs": 5, "callbacks": [callback]})
    return history.epoch, history.history


@CASES.over("stop_training", ["on_epoch_end", "on_epoch_begin", "on_train_batch_end"])
def _(k, value):
    return stopped_by(k, value)


def nan_stop(k):
    x = X.copy()
    x[3] = np.nan
    model = small(k)
    history = model.fit(
        x, Y, epochs=4, verbose=0, callbacks=[k.callbacks.TerminateOnNaN()], shuffle=False
    )
    return history.epoch


CASES["TerminateOnNaN stops"] = nan_stop
CASES["params"] = lambda k: params(k)


def params(k):
    callback = k.callbacks.Callback()
    fitted(k, {"callbacks": [callback]})
    return {key: callback.params[key] for key in ("epochs", "steps")}, callback.model is not None
