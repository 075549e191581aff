"""``fit``: what it learns, what it returns, what it refuses, and that it can be repeated."""

import copy
import hashlib
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import nn
from nn.callbacks import Callback, LambdaCallback
from nn.layers import Dense, Input
from nn.utils import to_categorical


def same_weights(one, other):
    for a, b in zip(one.get_weights(), other.get_weights(), strict=True):
        assert_array_equal(a, b)


# --- it learns ------------------------------------------------------------------------------------


@pytest.mark.parametrize("optimizer", ["adam", "adadelta", nn.optimizers.SGD(0.1, 0.9)])
def test_learns_points(backend, points, small_model, optimizer):
    x, y = points
    model = small_model(optimizer=optimizer)
    history = model.fit(x, y, batch_size=15, epochs=60, verbose=0).history
    assert history["loss"][-1] < history["loss"][0] / 2
    assert history["accuracy"][-1] > 0.9


def overfits(model, x, y):
    for _ in range(6):
        model.fit(x, y, batch_size=8, epochs=10, verbose=0)
        if model.evaluate(x, y)[1] == 1.0:
            return True
    return False


def test_overfits_32_images(backend, easy_digits, digit_model):
    """A network that cannot learn 32 images by heart has a mistake somewhere."""
    x, y = easy_digits
    assert overfits(digit_model(), x[:32], y[:32])


def test_overfits_32_images_of_mnist(mnist, digit_model):
    x, y = mnist
    assert overfits(digit_model(), x[:32, :, :, None] / np.float32(255), y[:32])


def test_learns_what_it_has_not_seen(easy_digits, digit_model):
    x, y = easy_digits
    model = digit_model(optimizer=nn.optimizers.Adam(0.003))
    history = model.fit(x, y, epochs=16, validation_split=0.25, verbose=0).history
    assert history["val_accuracy"][-1] > 0.9


def test_backends_learn_the_same(easy_digits, digit_model):
    x, y = easy_digits
    curves = []
    for name in nn.runtime.BACKENDS:
        with nn.use_backend(name):
            curves.append(digit_model(seed=5).fit(x[:160], y[:160], epochs=2, verbose=0).history)
    assert_allclose(curves[0]["loss"], curves[1]["loss"], rtol=1e-4)
    assert_allclose(curves[0]["accuracy"], curves[1]["accuracy"], atol=1 / 160)


def test_the_fast_engine_learns_the_same_as_the_plain_one(easy_digits, digit_model):
    x, y = easy_digits
    models, curves = [], []
    for engine in nn.runtime.ENGINES:
        with nn.use_engine(engine), nn.use_backend("numba"):
            models.append(digit_model(seed=6))
            plain = isinstance(models[-1].engine, nn.training.PlainEngine)
            assert plain == (engine == "plain")
            curves.append(models[-1].fit(x[:160], y[:160], epochs=2, verbose=0).history["loss"])
    assert_allclose(*curves, rtol=1e-4)
    assert_allclose(models[0].parameters, models[1].parameters, atol=2e-4)


# --- what it returns ------------------------------------------------------------------------------


def test_history(points, small_model):
    x, y = points
    model = small_model()
    history = model.fit(x, y, epochs=3, validation_split=0.2, verbose=0)
    assert history.epoch == [0, 1, 2]
    assert list(history.history) == ["loss", "accuracy", "val_loss", "val_accuracy"]
    assert all(len(values) == 3 for values in history.history.values())
    assert model.history is history


def test_history_without_metrics_or_validation(points, small_model):
    assert list(small_model(metrics=()).fit(*points, verbose=0).history) == ["loss"]


def test_metrics_keep_the_name_they_were_asked_by(points, small_model):
    model = small_model(metrics=["acc"])
    history = model.fit(*points, validation_data=points, verbose=0).history
    assert list(history) == ["loss", "acc", "val_loss", "val_acc"]


def test_loss_is_the_mean_over_examples_not_over_batches(backend, points, small_model):
    # 90 = 4 * 20 + 10: the last batch is half as long, and must count half.
    x, y = points
    model = small_model(optimizer=nn.optimizers.SGD(0.0))
    history = model.fit(x, y, batch_size=20, verbose=0).history
    loss, accuracy = model.evaluate(x, y)
    assert history["loss"] == pytest.approx([loss], rel=1e-5)
    assert history["accuracy"] == pytest.approx([accuracy])


def test_validation_is_cut_from_the_end_before_shuffling(points, small_model):
    x, y = points
    model = small_model()
    history = model.fit(x, y, validation_split=0.2, verbose=0).history
    assert history["val_loss"] == pytest.approx([model.evaluate(x[72:], y[72:])[0]], rel=1e-5)
    model = small_model()
    given = model.fit(x[:72], y[:72], validation_data=(x[72:], y[72:]), verbose=0).history
    assert given == history


def test_validation_every_other_epoch(points, small_model):
    history = small_model().fit(
        *points, validation_data=points, validation_freq=2, epochs=5, verbose=0
    )
    assert len(history.history["loss"]) == 5
    assert len(history.history["val_loss"]) == 2


def test_epochs_number_the_last_one(points, small_model):
    history = small_model().fit(*points, initial_epoch=3, epochs=5, verbose=0)
    assert history.epoch == [3, 4]
    assert small_model().fit(*points, initial_epoch=5, epochs=5, verbose=0).epoch == []


# --- what it takes --------------------------------------------------------------------------------


class Halves:
    """A data set in Keras's manner: two batches, counted epochs."""

    def __init__(self, x, y):
        self.parts = [(x[:50], y[:50]), (x[50:], y[50:])]
        self.epochs = 0

    def __len__(self):
        return len(self.parts)

    def __getitem__(self, index):
        return self.parts[index]

    def on_epoch_end(self):
        self.epochs += 1


def test_a_data_set_of_batches(points, small_model):
    x, y = points
    data = Halves(x, y)
    model = small_model()
    model.fit(data, epochs=3, validation_data=data, verbose=0)
    assert data.epochs == 3
    by_hand = small_model()
    for _ in range(3):
        by_hand.train_on_batch(x[:50], y[:50])
        by_hand.train_on_batch(x[50:], y[50:])
    same_weights(model, by_hand)
    assert model.evaluate(data) == model.evaluate(x, y)
    assert model.history.history["val_loss"][-1] == model.evaluate(x, y)[0]


def test_labels_of_every_kind_are_the_same_labels(points, small_model):
    x, y = points
    models = []
    for labels in (y, y.astype(np.uint8), y[:, None], y.tolist()):
        models.append(small_model())
        models[-1].fit(x.tolist(), labels, verbose=0)
    one_hot = small_model()
    one_hot.compile("adam", "categorical_crossentropy")
    one_hot.fit(x, to_categorical(y), verbose=0)
    for model in [*models[1:], one_hot]:
        same_weights(models[0], model)


def test_integer_images_are_taken_as_they_are(points, small_model):
    x, y = (10 * np.abs(points[0])).astype(np.uint8), points[1]
    one, other = small_model(), small_model()
    one.fit(x, y, verbose=0)
    other.fit(x.astype(np.float32), y, verbose=0)
    same_weights(one, other)


def test_the_data_are_not_changed(backend, points, small_model):
    x, y = points[0].copy(), points[1].copy()
    small_model().fit(x, y, epochs=2, validation_split=0.1, verbose=0)
    assert_array_equal(x, points[0])
    assert_array_equal(y, points[1])


def test_a_class_that_never_occurs_is_no_trouble(points, small_model):
    x, y = points
    history = small_model().fit(x[y != 1], y[y != 1], epochs=2, verbose=0).history
    assert np.isfinite(history["loss"]).all()


def test_batches_are_shuffled_every_epoch_and_complete(points, small_model):
    x, y = points
    model, seen = small_model(), []
    real = model.train_checked
    model.train_checked = lambda x, y, w: (seen.append(x), real(x, y, w))[1]
    model.fit(x, y, batch_size=45, epochs=2, verbose=0)
    first, second = np.concatenate(seen[:2]), np.concatenate(seen[2:])
    assert (first != x).any()
    assert (first != second).any()
    for order in (first, second):
        assert_array_equal(np.sort(order, axis=0), np.sort(x, axis=0))
    seen.clear()
    model.fit(x, y, batch_size=45, shuffle=False, verbose=0)
    assert_array_equal(np.concatenate(seen), x)


def test_callbacks_are_told_what_is_coming(points, small_model):
    told = []
    callback = LambdaCallback(on_train_begin=lambda logs: told.append(dict(callback.params)))
    small_model().fit(*points, batch_size=40, epochs=2, callbacks=callback, verbose=0)
    assert told == [{"verbose": 0, "epochs": 2, "steps": 3, "samples": 90}]


# --- what it says ---------------------------------------------------------------------------------


@pytest.mark.parametrize("verbose", ["auto", 1, 2])
def test_one_line_an_epoch_where_there_is_no_terminal(points, small_model, capsys, verbose):
    small_model().fit(*points, epochs=2, validation_data=points, verbose=verbose)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    first = lines[0].split()
    assert first[:2] == ["Epoch", "1/2"]
    assert "images/s" in first
    for part in ("loss ", "accuracy ", "validation loss ", "validation accuracy ", " %"):
        assert part in lines[1]


def test_silence(points, small_model, capsys):
    model = small_model()
    model.fit(*points, verbose=0)
    model.evaluate(*points, verbose=0)
    model.predict(points[0])
    captured = capsys.readouterr()
    assert captured.out + captured.err == ""


def test_a_live_bar_on_a_terminal(points, small_model, capsys):
    from nn.callbacks.progress import ProgressLogger

    small_model().fit(*points, epochs=2, callbacks=ProgressLogger(live=True), verbose=0)
    assert capsys.readouterr().out.count("images/s") >= 2


# --- what it refuses: argument, expected, received, remedy ----------------------------------------

X, Y = np.zeros((10, 4), np.float32), np.arange(10) % 3
NAN = np.where(np.arange(40).reshape(10, 4) == 17, np.nan, 0)


@pytest.mark.parametrize(
    ("x", "y", "more", "sentence"),
    [
        (X, None, {}, r"^y: expected labels, received None"),
        (X, Y[:9], {}, r"^y: expected 10 labels, one an example, received 9"),
        (X[:0], Y[:0], {}, r"^x: expected at least one example, received none"),
        (None, Y, {}, r"^x: expected an array of shape \(N, …\), received a NoneType"),
        ((i for i in X), Y, {}, r"^x: expected an array of shape \(N, …\), received a generator"),
        ([[1, 2, 3, 4], [1]], Y, {}, r"^x: .* list of 2\. Stack images of one shape with np\.st"),
        (X[:, :3], Y, {}, r"^sequential: expected x of shape \(N, 4\), received \(10, 3\)"),
        (X.astype("U"), Y, {}, r"^sequential: expected numbers in x, received <U"),
        (
            NAN,
            Y,
            {},
            r"^x: expected finite float32 numbers, received NaN or infinity\. Find them with np\.",
        ),
        (np.where(np.isnan(NAN), np.inf, 0), Y, {}, r"^x: expected finite float32 numbers"),
        (np.full((10, 4), 1e300), Y, {}, r"^x: expected finite float32 numbers"),
        (X, Y, {"validation_split": "0.1"}, r"^validation_split: expected a fraction in \[0, 1\)"),
        (X, Y + 1, {}, r"expected labels from 0 to 2, received 1 to 3"),
        (X, Y - 1, {}, r"expected labels from 0 to 2, received -1 to 1"),
        (X, Y + 0.5, {}, r"expected whole-number y of shape \(N,\), received float64 \(10,\)"),
        (X, np.eye(3)[Y], {}, r"For one-hot rows use loss='categorical_crossentropy'"),
        (X, Y, {"epochs": -1}, r"^epochs: expected a whole number from 0, received -1"),
        (X, Y, {"epochs": 1.5}, r"^epochs: expected a whole number from 0, received 1\.5"),
        (X, Y, {"batch_size": 0}, r"^batch_size: expected a whole number from 1, received 0"),
        (X, Y, {"batch_size": "8"}, r"^batch_size: expected a whole number from 1, received '8'"),
        (X, Y, {"initial_epoch": -1}, r"^initial_epoch: expected a whole number from 0"),
        (X, Y, {"validation_freq": 0}, r"^validation_freq: expected a whole number from 1"),
        (X, Y, {"validation_split": 1}, r"^validation_split: expected a fraction in \[0, 1\)"),
        (X, Y, {"validation_split": -0.1}, r"^validation_split: expected a fraction in \[0, 1\)"),
        (X[:1], Y[:1], {"validation_split": 0.5}, r"leaves examples on both sides, .* of 1 exam"),
        (X, Y, {"validation_data": X}, r"^validation_data: expected .* received a ndarr"),
        (
            X,
            Y,
            {"validation_data": (X, Y, Y, Y)},
            r"^validation_data: expected \(x, y\) or \(x, y, sample_weight\), received a tuple",
        ),
        (X, Y, {"validation_data": (X, Y[:3])}, r"^validation_y: expected 10 labels"),
        (X, Y, {"validation_data": (X[:0], Y[:0])}, r"^validation_x: expected at least one exam"),
        (X, Y, {"validation_data": (NAN, Y)}, r"^validation_x: expected finite float32 numbers"),
        (X, Y, {"validation_data": (X, Y + 9)}, r"expected labels from 0 to 2, received 9 to 11"),
    ],
)
def test_fit_refuses_before_it_trains(small_model, x, y, more, sentence):
    model = small_model()
    before = model.parameters.copy()
    with pytest.raises(ValueError, match=sentence):
        model.fit(x, y, verbose=0, **more)
    assert_array_equal(model.parameters, before)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"show_accuracy": True}, r"fit: show_accuracy is not supported\. Write compile"),
        ({"epoch": 3}, r"fit: there is no argument 'epoch'\. Did you mean epochs\?"),
        ({"callbacks": [3]}, r"callbacks: expected objects of nn\.callbacks\.Callback, received 3"),
        ({"callbacks": [nn.callbacks.History]}, r"callbacks: expected objects of .* <class"),
    ],
)
def test_arguments_that_are_not_here(small_model, arguments, sentence):
    with pytest.raises(TypeError, match=sentence):
        small_model().fit(X, Y, verbose=0, **arguments)


def test_data_sets_are_checked_too(small_model):
    model, data = small_model(), Halves(X, Y)
    data.parts = [(X[:6], Y[:6]), (X[6:], Y[6:])]
    with pytest.warns(UserWarning, match="batch_size=8 changes nothing: x makes its own"):
        model.fit(data, batch_size=8, verbose=0)
    with pytest.raises(ValueError, match=r"sample_weight: expected it in the batches"):
        model.fit(Halves(X, Y), sample_weight=np.ones(10), verbose=0)
    with pytest.raises(ValueError, match=r"validation_split: expected arrays .* Give validation_d"):
        model.fit(Halves(X, Y), validation_split=0.5, verbose=0)
    empty = Halves(X, Y)
    empty.parts = []
    with pytest.raises(ValueError, match=r"x: expected a data set of at least one batch"):
        model.fit(empty, verbose=0)
    wrong = Halves(X, Y)
    wrong.parts = [(X, Y + 1)]
    with pytest.raises(ValueError, match=r"expected labels from 0 to 2, received 1 to 3"):
        model.fit(wrong, verbose=0)


@pytest.mark.parametrize(
    ("x", "y", "sentence"),
    [
        (X[:0], Y[:0], r"x: expected at least one example, received none"),
        (X, Y[:3], r"y: expected 10 labels, one an example, received 3"),
        (X, Y + 1, r"expected labels from 0 to 2, received 1 to 3"),
        (
            X[0],
            Y[:1],
            r"expected x of shape \(N, 4\), received \(4,\)\. Add the batch axis: x\[None",
        ),
    ],
)
def test_train_on_batch_refuses(small_model, x, y, sentence):
    with pytest.raises(ValueError, match=sentence):
        small_model().train_on_batch(x, y)


def test_evaluate_refuses(small_model):
    with pytest.raises(ValueError, match=r"x: expected finite float32 numbers, received NaN"):
        small_model().evaluate(NAN, Y)
    with pytest.raises(ValueError, match=r"y: expected labels, received None"):
        small_model().evaluate(X)


@pytest.mark.parametrize("layers", [[], [nn.layers.Reshape((2, 2))]])
def test_a_model_without_classes_cannot_be_trained(layers):
    model = nn.Sequential([Input((4,)), *layers])
    model.compile("sgd", "sparse_categorical_crossentropy")
    with pytest.raises(
        ValueError,
        match=r"expected a last layer with outputs \(N, K\), received .*"
        r"End with Flatten and Dense",
    ):
        model.fit(X, Y, verbose=0)


# --- it can be repeated ---------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_weights(backend, points, small_model):
    x, y = points
    one, same, other = (small_model(seed=s, dropout=0.3) for s in (1, 1, 2))
    for model in (one, same, other):
        model.fit(x, y, batch_size=16, epochs=2, verbose=0)
    same_weights(one, same)
    assert (one.parameters != other.parameters).any()


def test_set_random_seed_decides_where_no_seed_is_given(points, small_model):
    results = []
    for _ in range(2):
        nn.utils.set_random_seed(7)
        models = [small_model(seed=None, dropout=0.3) for _ in range(2)]
        for model in models:
            model.fit(*points, verbose=0)
        results.append([model.parameters.copy() for model in models])
    assert_array_equal(results[0], results[1])
    assert (results[0][0] != results[0][1]).any()  # the second model is not the first


TRAIN = """
import hashlib, sys
import numpy as np
import nn
rng = np.random.default_rng(0)
x, y = rng.random((200, 28, 28, 1), np.float32), rng.integers(0, 10, 200)
layers = [nn.Input((28, 28, 1)), nn.layers.Conv2D(8, 5, activation="relu"),
          nn.layers.MaxPooling2D(2), nn.layers.Flatten(), nn.layers.Dense(32, activation="relu"),
          nn.layers.Dropout(0.2), nn.layers.Dense(10, activation="softmax")]
model = nn.Sequential(layers, seed=11)
model.compile("adadelta", "sparse_categorical_crossentropy")
model.fit(x, y, batch_size=48, epochs=2, verbose=0)
print(hashlib.sha256(model.parameters.tobytes()).hexdigest())
"""


def test_two_processes_and_any_number_of_threads_give_the_same_bits(digit_model):
    prints = set()
    for threads in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", TRAIN],
            env={**os.environ, "NN_NUM_THREADS": threads, "NN_BACKEND": "numba"},
            capture_output=True,
            text=True,
            check=True,
        )
        prints.add(done.stdout)
    assert len(prints) == 1
    assert len(prints.pop().strip()) == 64


@pytest.mark.parametrize("engine", nn.runtime.ENGINES)
def test_threads_do_not_change_a_bit(easy_digits, digit_model, monkeypatch, engine):
    x, y = easy_digits
    monkeypatch.setattr(nn.runtime, "_threads", None)  # put back afterwards
    digests = []
    with nn.use_backend("numba"), nn.use_engine(engine):
        for threads in (1, 2):
            nn.set_num_threads(threads)
            model = digit_model(seed=2)
            model.fit(x[:150], y[:150], batch_size=40, epochs=1, verbose=0)
            p = model.predict(x[:100])
            digests.append(hashlib.sha256(model.parameters.tobytes() + p.tobytes()).hexdigest())
    assert digests[0] == digests[1]


def test_fitting_in_two_goes_is_fitting_in_one(backend, points, small_model):
    whole, parts = small_model(dropout=0.3), small_model(dropout=0.3)
    whole.fit(*points, epochs=3, verbose=0)
    parts.fit(*points, epochs=1, verbose=0)
    parts.fit(*points, initial_epoch=1, epochs=3, verbose=0)
    same_weights(whole, parts)


def test_a_training_goes_on_in_another_process_bit_for_bit(backend, points, small_model):
    whole = small_model(dropout=0.3)
    whole.fit(*points, epochs=3, verbose=0)
    first = small_model(dropout=0.3)
    first.fit(*points, epochs=1, verbose=0)
    weights, chance = first.get_weights(), first.random_state()
    slots, steps = copy.deepcopy(first.optimizer.slots), first.optimizer.iterations

    resumed = small_model(seed=99, dropout=0.3)
    resumed.set_weights(weights)
    resumed.set_random_state(chance)
    resumed.optimizer.restore(slots, steps)
    resumed.fit(*points, initial_epoch=1, epochs=3, verbose=0)
    same_weights(whole, resumed)


# --- Ctrl-C ---------------------------------------------------------------------------------------


def test_ctrl_c_leaves_the_weights_of_the_last_step(backend, points, small_model):
    x, y = points

    class Stop(Callback):
        def on_train_batch_end(self, batch, logs=None):
            if batch == 1:
                raise KeyboardInterrupt

    model, by_hand = small_model(), small_model()
    with pytest.raises(KeyboardInterrupt):
        model.fit(x, y, batch_size=30, shuffle=False, callbacks=[Stop()], verbose=0)
    by_hand.train_on_batch(x[:30], y[:30])
    by_hand.train_on_batch(x[30:60], y[30:60])
    same_weights(model, by_hand)
    assert model.optimizer.iterations == 2
    model.fit(x, y, verbose=0)  # and it can go on


class Interrupted(nn.optimizers.SGD):
    """Presses Ctrl-C while half of the weights have been changed."""

    def _update(self, p, g, slots, lr):
        half = len(p) // 2
        p[:half] -= lr * g[:half]
        os.kill(os.getpid(), signal.SIGINT)
        p[half:] -= lr * g[half:]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows cannot send itself Ctrl-C")
@pytest.mark.parametrize("engine", nn.runtime.ENGINES)
def test_ctrl_c_never_cuts_a_step_in_two(points, small_model, engine):
    x, y = points
    model, by_hand = small_model(optimizer=Interrupted(0.1)), small_model(optimizer="sgd")
    by_hand.optimizer.learning_rate = 0.1
    with nn.use_engine(engine):
        with pytest.raises(KeyboardInterrupt):
            model.fit(x, y, batch_size=90, shuffle=False, verbose=0)
        by_hand.train_on_batch(x, y)
    assert_allclose(model.parameters, by_hand.parameters, rtol=1e-6)
    assert model.optimizer.iterations == 1
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


# --- numbers that run away ------------------------------------------------------------------------


def test_a_diverging_training_shows_it(points, small_model):
    x, y = points
    model = small_model(optimizer=nn.optimizers.SGD(1e20))
    with np.errstate(all="ignore"):
        loss = model.fit(x, y, epochs=3, verbose=0).history["loss"][-1]
    assert not np.isfinite(loss) or loss > 10


def test_dense_only_models_of_float64_train_as_well(backend, points):
    x, y = points
    model = nn.Sequential([Input((4,)), Dense(3, activation="softmax")], seed=0, dtype="float64")
    model.compile("adam", "sparse_categorical_crossentropy")
    assert model.parameters.dtype == np.float64
    losses = model.fit(x, y, epochs=5, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    assert model.predict(x).dtype == np.float64
