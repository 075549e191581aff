"""Callbacks: each means what it means in Keras."""

import csv
import math
import struct

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import nn
from nn.callbacks import (
    Callback,
    CallbackList,
    CSVLogger,
    EarlyStopping,
    History,
    LambdaCallback,
    LearningRateScheduler,
    ModelCheckpoint,
    ReduceLROnPlateau,
    TensorBoard,
    TerminateOnNaN,
    WeightAveraging,
    tensorboard,
)


class Pretend(Callback):
    """Replaces a figure by given ones, epoch by epoch; stands before the callback under test."""

    def __init__(self, values, name="val_loss"):
        self.values, self.name = values, name

    def on_epoch_end(self, epoch, logs=None):
        logs[self.name] = self.values[epoch]


@pytest.fixture
def fit(points, small_model):
    """Return a function: fit a model for as many epochs as there are figures."""

    def run(values, *callbacks, name="val_loss", **arguments):
        model = small_model(**arguments)
        weights = []
        keep = LambdaCallback(on_epoch_end=lambda epoch, logs: weights.append(model.get_weights()))
        history = model.fit(
            *points,
            epochs=len(values),
            batch_size=45,
            callbacks=[Pretend(values, name), keep, *callbacks],
            verbose=0,
        )
        return model, history, weights

    return run


def is_at(model, weights):
    return all(np.array_equal(a, b) for a, b in zip(model.get_weights(), weights, strict=True))


# --- the hooks ------------------------------------------------------------------------------------


def test_a_list_among_the_callbacks_hands_on_the_model_and_what_fit_does(points, small_model):
    model, inner = small_model(), History()
    model.fit(*points, epochs=2, callbacks=[CallbackList([inner], model=model)], verbose=0)
    assert inner.model is model
    assert (inner.params["epochs"], len(inner.history["loss"])) == (2, 2)


class Diary(Callback):
    def __init__(self):
        self.entries = []


def _writes(hook):
    def method(self, number=None, logs=None):
        self.entries.append(hook if isinstance(number, dict | None) else f"{hook} {number}")

    return method


for hook in (
    "on_train_begin",
    "on_train_end",
    "on_epoch_begin",
    "on_epoch_end",
    "on_train_batch_begin",
    "on_train_batch_end",
    "on_test_begin",
    "on_test_end",
):
    setattr(Diary, hook, _writes(hook))


def test_order_of_the_hooks(points, small_model):
    diary = Diary()
    small_model().fit(*points, batch_size=45, validation_data=points, callbacks=diary, verbose=0)
    assert diary.entries == [
        "on_train_begin",
        "on_epoch_begin 0",
        "on_train_batch_begin 0",
        "on_train_batch_end 0",
        "on_train_batch_begin 1",
        "on_train_batch_end 1",
        "on_test_begin",
        "on_test_end",
        "on_epoch_end 0",
        "on_train_end",
    ]


def test_batch_hooks_by_their_older_names(points, small_model):
    class Losses(Callback):  # the example of Keras's old documentation
        def on_train_begin(self, logs=None):
            self.losses = []

        def on_batch_end(self, batch, logs=None):
            self.losses.append(logs.get("loss"))

    losses = Losses()
    small_model().fit(*points, batch_size=30, epochs=2, callbacks=[losses], verbose=0)
    assert len(losses.losses) == 6


def test_lambda_callback_hears_batches_too(points, small_model):
    heard = []
    callback = LambdaCallback(
        on_train_batch_begin=lambda batch, logs: heard.append(("begin", batch)),
        on_train_batch_end=lambda batch, logs: heard.append(("end", batch, sorted(logs))),
        on_epoch_end=lambda epoch, logs: heard.append(("epoch", epoch)),
    )
    small_model().fit(*points, batch_size=90, callbacks=[callback], verbose=0)
    assert heard == [("begin", 0), ("end", 0, ["accuracy", "loss"]), ("epoch", 0)]


def test_lambda_callback_knows_its_hooks():
    with pytest.raises(TypeError, match="LambdaCallback: there is no hook 'on_epoch'"):
        LambdaCallback(on_epoch=print)


def test_a_callback_can_end_the_training_within_an_epoch(points, small_model):
    class Stop(Callback):
        def on_train_batch_end(self, batch, logs=None):
            self.model.stop_training = True

    model = small_model()
    history = model.fit(*points, batch_size=30, epochs=5, callbacks=[Stop()], verbose=0)
    assert history.epoch == [0]
    assert model.optimizer.iterations == 1
    model.fit(*points, batch_size=30, verbose=0)  # and the next fit starts afresh
    assert model.optimizer.iterations == 4


def test_a_callback_can_end_the_training_before_it_begins(points, small_model):
    model = small_model()
    stop = LambdaCallback(on_train_begin=lambda logs: setattr(model, "stop_training", True))
    assert model.fit(*points, epochs=5, callbacks=[stop], verbose=0).epoch == []


def test_history_can_be_read_by_a_callback_of_ones_own(points, small_model):
    own = History()
    returned = small_model().fit(*points, epochs=2, callbacks=[own], verbose=0)
    assert own.history == returned.history


# --- EarlyStopping --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "arguments", "epochs"),
    [
        ([3, 2, 1, 0], {}, 4),
        ([3, 2, 2.5, 1], {}, 3),  # patience 0: the first epoch without improvement is the last
        ([3, 2, 2.5, 1, 2], {"patience": 2}, 5),
        ([3, 2, 2.5, 2.5, 1], {"patience": 2}, 4),
        ([3, 2.9, 2.8, 2.7], {"min_delta": 0.5, "patience": 1}, 2),
        ([1, 2, 3, 2], {"mode": "max"}, 4),
        ([3, 3, 3, 3], {"start_from_epoch": 2}, 4),
        ([3, 2, 1, 0.5], {"baseline": 0.1, "patience": 2}, 4),  # better, but never good enough
        ([3, 2, 2, 2], {"baseline": 2.5, "patience": 1}, 3),
        ([3, math.nan, 2, 1], {"patience": 2}, 4),  # NaN is no improvement
        ([3, math.nan, math.nan, 1], {"patience": 2}, 3),
    ],
)
def test_early_stopping(fit, values, arguments, epochs):
    _, history, _ = fit(values, EarlyStopping(**arguments))
    assert len(history.epoch) == epochs


def test_early_stopping_restores_the_best(fit, capsys):
    stopping = EarlyStopping(patience=2, restore_best_weights=True, verbose=1)
    model, _, weights = fit([3, 1, 2, 2, 0], stopping)
    assert (stopping.best, stopping.best_epoch, stopping.stopped_epoch) == (1, 1, 3)
    assert is_at(model, weights[1])
    assert capsys.readouterr().out.splitlines() == [
        "Epoch 4: early stopping",
        "Restored the weights of epoch 2.",
    ]


def test_early_stopping_restores_also_without_stopping(fit):
    model, _, weights = fit([1, 2, 3], EarlyStopping(patience=9, restore_best_weights=True))
    assert is_at(model, weights[0])
    model, _, weights = fit([1, 2, 3], EarlyStopping(patience=9))
    assert is_at(model, weights[2])


def test_early_stopping_restores_the_best_even_below_the_baseline(fit):
    stopping = EarlyStopping(baseline=0.1, patience=9, restore_best_weights=True)
    model, _, weights = fit([3, 1, 2], stopping)
    assert is_at(model, weights[1])


def test_early_stopping_knows_which_way_is_up(fit):
    _, history, _ = fit([0.5, 0.6, 0.55], EarlyStopping("val_accuracy"), name="val_accuracy")
    assert len(history.epoch) == 3
    _, history, _ = fit([0.6, 0.5, 0.7], EarlyStopping("val_accuracy"), name="val_accuracy")
    assert len(history.epoch) == 2


def test_a_figure_that_is_not_there(points, small_model):
    """As in Keras: a warning, and training goes on."""
    with pytest.warns(
        UserWarning,
        match=r"EarlyStopping: expected monitor to be one of loss, accu.*"
        r"'val_loss'; it does nothing\. Give fit validation_data or validation_split",
    ):
        history = small_model().fit(*points, epochs=2, callbacks=[EarlyStopping()], verbose=0)
    assert len(history.epoch) == 2
    for callback in (EarlyStopping("acc"), ReduceLROnPlateau("acc")):
        with pytest.warns(UserWarning, match=r"received 'acc'; it does nothing\.$"):
            small_model().fit(*points, callbacks=[callback], verbose=0)
    with pytest.raises(ValueError, match=r"expected mode 'auto', 'min' or 'max', received 'up'"):
        EarlyStopping(mode="up")


# --- ModelCheckpoint ------------------------------------------------------------------------------


def test_checkpoint_after_every_epoch(fit, tmp_path):
    path = tmp_path / "{epoch:02d}-{val_loss:.1f}.h5"
    _, _, weights = fit([3, 1, 2], ModelCheckpoint(path))
    names = sorted(p.name for p in tmp_path.iterdir())
    assert names == ["01-3.0.h5", "02-1.0.h5", "03-2.0.h5"]
    for name, expected in zip(names, weights, strict=True):
        assert is_at(nn.load_model(tmp_path / name), expected)


def test_checkpoint_of_the_best(fit, tmp_path, capsys):
    path = tmp_path / "best.h5"
    _, _, weights = fit([3, 1, 2], ModelCheckpoint(path, save_best_only=True, verbose=1))
    assert is_at(nn.load_model(path), weights[1])
    said = capsys.readouterr().out.splitlines()
    assert said == [f"Epoch {epoch}: saved {path}" for epoch in (1, 2)]


def test_checkpoint_of_weights_only(fit, small_model, tmp_path):
    path = tmp_path / "best.weights.h5"
    checkpoint = ModelCheckpoint(
        path, "val_accuracy", save_best_only=True, save_weights_only=True, mode="max"
    )
    _, _, weights = fit([0.1, 0.3, 0.2], checkpoint, name="val_accuracy")
    model = small_model(seed=50)
    model.load_weights(path)
    assert is_at(model, weights[1])


def test_checkpoint_only_below_a_threshold(fit, tmp_path):
    path = tmp_path / "best.h5"
    fit([3, 2], ModelCheckpoint(path, save_best_only=True, initial_value_threshold=1.0))
    assert not path.exists()


def test_checkpoint_names_the_figures_it_could_use(fit, tmp_path):
    with pytest.raises(
        ValueError,
        match=r"ModelCheckpoint: expected filepath to name some of epoch,"
        r" loss, accuracy, val_loss, received .*'val_acc'",
    ):
        fit([1], ModelCheckpoint(tmp_path / "{val_acc:.2f}.h5"))


# --- CSVLogger ------------------------------------------------------------------------------------


def rows(path, separator=","):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file, delimiter=separator))


def test_csv(fit, tmp_path):
    path = tmp_path / "log.csv"
    _, history, _ = fit([3, 1], CSVLogger(path))
    header, *lines = rows(path)
    assert header == ["epoch", "accuracy", "loss", "val_loss"]
    figures = [history.epoch, *(history.history[name] for name in header[1:])]
    for line, *expected in zip(lines, *figures, strict=True):
        assert [float(cell) for cell in line] == expected
    fit([5], CSVLogger(path, separator=";"))  # a new training starts a new file
    assert rows(path, ";")[1][3] == "5"


def test_csv_goes_on(fit, tmp_path):
    path = tmp_path / "log.csv"
    fit([3, 1], CSVLogger(path, append=True))
    fit([7], CSVLogger(path, append=True))
    assert [line[3] for line in rows(path)] == ["val_loss", "3", "1", "7"]


# --- the learning rate ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "arguments", "rates"),
    [
        ([5, 4, 3, 2], {"patience": 1}, [1, 1, 1, 1]),
        ([5, 5, 5, 5], {"patience": 2}, [1, 1, 0.5, 0.5]),
        ([5, 5, 5, 5], {"patience": 1}, [1, 0.5, 0.25, 0.125]),
        ([5, 5, 5, 5], {"patience": 1, "min_lr": 0.25}, [1, 0.5, 0.25, 0.25]),
        ([5, 5, 5, 5, 5], {"patience": 1, "cooldown": 2}, [1, 0.5, 0.5, 0.25, 0.25]),
        ([5, 4.9, 4.8], {"patience": 1, "min_delta": 0.5}, [1, 0.5, 0.25]),
        ([1, 2, 2], {"patience": 1, "mode": "max"}, [1, 1, 0.5]),
    ],
)
def test_reduce_on_plateau(fit, values, arguments, rates):
    after = []
    plateau = ReduceLROnPlateau(factor=0.5, **arguments)
    read = LambdaCallback(
        on_epoch_end=lambda epoch, logs: after.append(plateau.model.optimizer.learning_rate)
    )
    _, history, _ = fit(values, plateau, read, optimizer=nn.optimizers.SGD(1.0))
    assert after == rates
    assert history.history["learning_rate"] == [1, *rates[:-1]]  # the one the epoch ran with


def test_reduce_on_plateau_must_reduce():
    with pytest.raises(ValueError, match=r"expected factor in \[0, 1\), received 1\.5"):
        ReduceLROnPlateau(factor=1.5)


@pytest.mark.parametrize(
    "schedule",
    [lambda epoch: 0.1 * 0.5**epoch, lambda epoch, rate: rate / 2 if epoch else 0.1],
)
def test_scheduler(fit, capsys, schedule):
    scheduler = LearningRateScheduler(schedule, verbose=1)
    model, history, _ = fit([0, 0, 0], scheduler)
    assert history.history["learning_rate"] == pytest.approx([0.1, 0.05, 0.025])
    assert model.optimizer.learning_rate == pytest.approx(0.025)
    assert capsys.readouterr().out.splitlines()[1] == "Epoch 2: learning rate 0.05"


def test_scheduler_must_return_a_number(fit):
    with pytest.raises(ValueError, match="expected schedule to return a float, received None"):
        fit([0], LearningRateScheduler(lambda epoch: None))


# --- TerminateOnNaN -------------------------------------------------------------------------------


def test_terminate_on_nan(backend, points, small_model, capsys):
    model = small_model(optimizer=nn.optimizers.SGD(1e38))
    with np.errstate(all="ignore"):
        history = model.fit(
            *points, batch_size=10, epochs=5, callbacks=[TerminateOnNaN()], verbose=0
        )
    assert history.epoch == [0]
    assert model.optimizer.iterations < 9
    assert not math.isfinite(history.history["loss"][0])
    assert capsys.readouterr().out.endswith("training stops.\n")


def test_terminate_on_nan_lets_a_healthy_training_run(points, small_model):
    history = small_model().fit(*points, epochs=2, callbacks=[TerminateOnNaN()], verbose=0)
    assert history.epoch == [0, 1]


# --- WeightAveraging ------------------------------------------------------------------------------


def test_average_by_hand(backend, points, small_model):
    """After step t: average += (1 - min(momentum, (1 + t) / (10 + t))) * (weights - average)."""
    model = small_model()
    expected, seen = model.parameters.copy(), []
    record = LambdaCallback(
        on_train_batch_end=lambda batch, logs: seen.append(model.parameters.copy())
    )
    averaging = WeightAveraging(0.5)
    model.fit(*points, batch_size=10, epochs=2, callbacks=[averaging, record], verbose=0)
    for t, weights in enumerate(seen, 1):
        expected += (1 - min(0.5, (1 + t) / (10 + t))) * (weights - expected)
    assert_allclose(model.parameters, expected, rtol=1e-5, atol=1e-7)


def test_averaging_validates_with_the_average_and_trains_with_the_raw_weights(points, small_model):
    plain, averaged = small_model(), small_model()
    raw = plain.fit(*points, epochs=3, validation_data=points, verbose=0).history
    own = averaged.fit(
        *points, epochs=3, validation_data=points, callbacks=[WeightAveraging(0.9)], verbose=0
    ).history
    assert own["loss"] == raw["loss"]
    assert own["val_loss"] != raw["val_loss"]
    assert own["val_loss"][-1] == pytest.approx(averaged.evaluate(*points)[0])


def test_averaging_takes_moving_averages_along(points):
    model = nn.Sequential(
        [nn.Input((4,)), nn.layers.BatchNormalization(), nn.layers.Dense(3, "softmax")], seed=0
    )
    model.compile("sgd", "sparse_categorical_crossentropy")
    live = []
    record = LambdaCallback(
        on_train_batch_end=lambda b, logs: live.append(model.layers[0].state["moving_mean"].copy())
    )
    model.fit(*points, callbacks=[WeightAveraging(0.9), record], verbose=0)
    assert (model.layers[0].state["moving_mean"] != live[-1]).any()


def test_averaging_goes_on_where_it_was(points, small_model):
    """One callback over two calls of ``fit``, or restored from its state, is as one training."""
    whole = small_model()
    whole.fit(*points, epochs=4, callbacks=[WeightAveraging(0.9)], verbose=0)
    parts, averaging = small_model(), WeightAveraging(0.9)
    parts.fit(*points, epochs=2, callbacks=[averaging], verbose=0)
    state = {
        k: np.copy(v) if k == "steps" else [w.copy() for w in v]
        for k, v in averaging.state().items()
    }
    again = WeightAveraging(0.9)
    again.set_model(parts)
    again.restore(state)
    parts.fit(*points, initial_epoch=2, epochs=4, callbacks=[again], verbose=0)
    assert_array_equal(whole.parameters, parts.parameters)


def test_an_average_is_of_one_model(points, small_model):
    averaging, fresh = WeightAveraging(0.9), WeightAveraging(0.9)
    small_model(seed=1).fit(*points, callbacks=averaging, verbose=0)
    one, other = small_model(), small_model()
    one.fit(*points, callbacks=averaging, verbose=0)
    other.fit(*points, callbacks=fresh, verbose=0)
    assert_array_equal(one.parameters, other.parameters)


def test_early_stopping_restores_averaged_weights(points, small_model):
    model = small_model()
    stopping = EarlyStopping("val_loss", mode="max", restore_best_weights=True, patience=9)
    history = model.fit(
        *points,
        epochs=3,
        validation_data=points,
        callbacks=[WeightAveraging(0.5), stopping],
        verbose=0,
    ).history
    assert model.evaluate(*points)[0] == pytest.approx(max(history["val_loss"]))


def test_averaging_refuses():
    with pytest.raises(ValueError, match=r"WeightAveraging: expected momentum in \[0, 1\), receiv"):
        WeightAveraging(1.0)


# --- as people write them -------------------------------------------------------------------------


def test_a_checkpoint_of_a_figure_that_is_not_there_saves_every_time(points, small_model, tmp_path):
    """As in Keras: the file that the script loads afterwards exists, and so does its folder."""
    best = tmp_path / "new" / "best.keras"
    checkpoint = ModelCheckpoint(best, "val_acc", save_best_only=True)
    model = small_model()
    with pytest.warns(UserWarning, match="received 'val_acc'; it saves every time"):
        model.fit(*points, epochs=2, callbacks=[checkpoint], verbose=0)
    assert is_at(model, nn.load_model(best).get_weights())


def test_a_checkpoint_every_so_many_epochs(points, small_model, tmp_path):
    checkpoint = ModelCheckpoint(tmp_path / "{epoch}.h5", period=2)
    small_model().fit(*points, epochs=5, callbacks=[checkpoint], verbose=0)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["2.h5", "4.h5"]


def test_lambda_callback_by_position(points, small_model):
    heard = []
    callback = LambdaCallback(None, lambda epoch, logs: heard.append(epoch), on_test_end=None)
    small_model().fit(*points, epochs=2, callbacks=[callback], verbose=0)
    assert heard == [0, 1]


def test_an_error_in_a_schedule_is_its_own(points, small_model):
    scheduler = LearningRateScheduler(lambda epoch, rate: rate * "half")
    with pytest.raises(TypeError, match="can't multiply"):
        small_model().fit(*points, callbacks=[scheduler], verbose=0)
    with pytest.raises(
        TypeError, match=r"expected schedule\(epoch, learning_rate\), received 0\.1"
    ):
        LearningRateScheduler(0.1)


def test_arguments_are_known_by_name(points, small_model):
    with pytest.raises(
        TypeError, match=r"EarlyStopping: there is no argument 'monitr'. Did you mean"
    ):
        EarlyStopping(monitr="loss")
    with pytest.raises(TypeError, match="CSVLogger: there is no argument 'delimiter'"):
        CSVLogger("log.csv", delimiter=";")
    with pytest.raises(TypeError, match="ModelCheckpoint: options is not supported"):
        ModelCheckpoint("m.h5", options=None)
    with pytest.warns(FutureWarning, match="epsilon is an older name. Write min_delta"):
        assert ReduceLROnPlateau(epsilon=0.1).min_delta == 0.1
    nan = Pretend([math.nan])
    nan.on_train_batch_end = lambda batch, logs: logs.update(loss=math.nan)
    strict = TerminateOnNaN(raise_error=True)
    with pytest.raises(RuntimeError, match="loss: expected a finite number, received nan"):
        small_model().fit(*points, callbacks=[nan, strict], verbose=0)


# --- TensorBoard ----------------------------------------------------------------------------------


def events(folder):
    """Return the records of an event file, their checksums dropped."""
    (path,) = folder.iterdir()
    content, found = path.read_bytes(), []
    while content:
        length = int.from_bytes(content[:8], "little")
        found.append(content[12 : 12 + length])
        content = content[16 + length :]
    return found


def test_checksums_of_event_files():
    """The check value of CRC-32C, and its mask, from the standards."""
    masked = int.from_bytes(tensorboard._masked(b"123456789"), "little")
    rotated = masked - 0xA282EAD8 & 0xFFFFFFFF
    assert (rotated << 15 | rotated >> 17) & 0xFFFFFFFF == 0xE3069283
    assert tensorboard._varint(300) == b"\xac\x02"


def test_figures_for_tensorboard(points, small_model, tmp_path):
    board = TensorBoard(tmp_path, update_freq=2)
    history = small_model().fit(
        *points, batch_size=30, epochs=2, validation_data=points, callbacks=[board], verbose=0
    )
    first, *batches_and_epochs = events(tmp_path / "train")
    assert first.endswith(b"\x1a\x0dbrain.Event:2")
    kinds = [b"batch_loss" in event for event in batches_and_epochs]
    assert kinds == [True, False, True, True, False]  # after steps 2, 4 and 6 of three an epoch
    held = events(tmp_path / "validation")[1:]
    for epoch, event in enumerate(held):
        assert event[9:11] == bytes([0x10, epoch])
        value = event[event.index(b"epoch_loss") + 10 :]
        assert value[:1] == b"\x15"
        assert struct.unpack("<f", value[1:5])[0] == pytest.approx(
            history.history["val_loss"][epoch]
        )
    assert board.files == {}  # closed


def test_what_tensorboard_is_not_given(tmp_path):
    with pytest.warns(
        UserWarning, match="TensorBoard: histogram_freq=1 changes nothing. Only the f"
    ):
        TensorBoard(tmp_path, histogram_freq=1)
    with pytest.warns(FutureWarning, match="TensorBoard: write_grads changes nothing"):
        TensorBoard(tmp_path, write_grads=True)
    with pytest.raises(ValueError, match="expected update_freq 'epoch', 'batch' or a number"):
        TensorBoard(tmp_path, update_freq="often")
