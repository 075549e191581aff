"""What ``fit``, ``evaluate`` and ``predict`` take and call: generators, weights, steps, hooks."""

import numpy as np
import pytest

import nn
from nn.callbacks import Callback, CSVLogger, ModelCheckpoint
from nn.callbacks.base import HOOKS

ENGINES = pytest.mark.parametrize("engine", ["auto", "plain"])


def make(loss="sparse_categorical_crossentropy", seed=3, dropout=0.0):
    L = nn.layers
    layers = [nn.Input((6,)), L.Dense(16, "relu"), L.Dropout(dropout), L.Dense(3, "softmax")]
    model = nn.Sequential(layers, seed=seed)
    model.compile(nn.optimizers.SGD(0.1), loss, metrics=["accuracy"])
    return model


@pytest.fixture
def data(rng):
    return rng.random((40, 6), np.float32), rng.integers(0, 3, 40)


# --- weights --------------------------------------------------------------------------------------


@ENGINES
@pytest.mark.parametrize("loss", ["sparse_categorical_crossentropy", "mse"])
def test_a_weight_of_two_is_an_example_twice(data, loss, engine):
    """Twice the gradient of that example, and the mean over the number of examples."""
    x, y = data
    y = y if "sparse" in loss else np.eye(3)[y]
    weights = np.where(np.arange(40) < 10, 2.0, 1.0)
    twice = np.concatenate([np.arange(40), np.arange(10)])
    with nn.use_engine(engine):
        weighted, repeated = make(loss), make(loss)
        repeated.optimizer.learning_rate *= 50 / 40
        first = weighted.train_on_batch(x, y, sample_weight=weights)
        second = repeated.train_on_batch(x[twice], y[twice])
    assert first[0] == pytest.approx(second[0] * 50 / 40, rel=1e-5)
    for ours, theirs in zip(weighted.get_weights(), repeated.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)


@ENGINES
def test_a_weight_of_zero_is_no_example(data, engine):
    x, y = data
    weights = (np.arange(40) < 30).astype(float)
    with nn.use_engine(engine):
        masked, fewer = make(), make()
        fewer.optimizer.learning_rate *= 30 / 40
        _, accuracy = masked.train_on_batch(x, y, sample_weight=weights)
        fewer.train_on_batch(x[:30], y[:30])
        assert accuracy == pytest.approx(make().evaluate(x, y)[1])  # metrics are not weighted
    for ours, theirs in zip(masked.get_weights(), fewer.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)


@ENGINES
def test_class_weights_are_weights_of_examples(data, engine):
    x, y = data
    by_class = {0: 3.0, 2: 0.5}
    weights = np.where(y == 0, 3.0, np.where(y == 2, 0.5, 1.0))
    with nn.use_engine(engine):
        one, other = make(), make()
        one.fit(x, y, class_weight=by_class, epochs=2, verbose=0)
        other.fit(x, y, sample_weight=weights, epochs=2, verbose=0)
    np.testing.assert_array_equal(one.parameters, other.parameters)


def test_weights_of_a_validation_and_an_evaluation(data):
    x, y = data
    weights = np.linspace(0, 2, 40)
    model = make()
    losses = nn.losses.sparse_categorical_crossentropy(y, model.predict(x))
    expected = float((losses * weights).mean())
    assert model.evaluate(x, y, sample_weight=weights)[0] == pytest.approx(expected)
    model.optimizer.learning_rate = 0.0
    history = model.fit(x, y, validation_data=(x, y, weights), verbose=0).history
    assert history["val_loss"][0] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"sample_weight": np.ones(3)}, r"sample_weight: expected 40 finite numbers, one an exam"),
        ({"sample_weight": np.full(40, np.nan)}, r"sample_weight: expected 40 finite numbers"),
        ({"class_weight": [1, 2, 3]}, r"class_weight: expected a dict .* such as \{0: 1.0"),
        ({"class_weight": {"0": 2.0}}, r"class_weight: expected a dict of labels and numbers"),
        (
            {"class_weight": {0: 2.0}, "sample_weight": np.ones(40)},
            r"class_weight: expected it without sample_weight, received both",
        ),
    ],
)
def test_weights_that_are_refused(data, arguments, words):
    with pytest.raises(ValueError, match=words):
        make().fit(*data, verbose=0, **arguments)


# --- generators, steps ----------------------------------------------------------------------------


def endless(x, y, size=10):
    while True:
        for start in range(0, len(x), size):
            yield x[start : start + size], y[start : start + size]


@ENGINES
def test_a_generator_trains_as_its_arrays_do(data, engine):
    with nn.use_engine(engine):
        one, other = make(), make()
        one.fit(*data, batch_size=10, epochs=3, shuffle=False, verbose=0)
        history = other.fit(endless(*data), steps_per_epoch=4, epochs=3, verbose=0)
    np.testing.assert_array_equal(one.parameters, other.parameters)
    assert history.params["steps"] == 4


def test_a_generator_that_ends_ends_the_training(data):
    x, y = data
    batches = [(x[:20], y[:20]), (x[20:], y[20:], np.ones(20))]
    assert make().fit((b for b in batches), verbose=0).epoch == [0]  # one epoch is all there is
    with pytest.warns(UserWarning, match="for another epoch, received none: the generator"):
        assert make().fit((b for b in batches), epochs=3, verbose=0).epoch == [0]
    with pytest.warns(UserWarning, match="expected 3 batches an epoch, received 2: the generator"):
        history = make().fit((b for b in batches), steps_per_epoch=3, epochs=5, verbose=0)
    assert history.epoch == [0]
    with pytest.raises(ValueError, match="x: expected at least one batch, received none"):
        make().fit((b for b in []), verbose=0)


def test_what_can_be_iterated_anew_is(data):
    """Such as the loader of PyTorch, or a data set of TensorFlow."""

    class Loader:
        def __iter__(self):
            return ((data[0][i::4], data[1][i::4]) for i in range(4))

    model = make()
    assert model.fit(Loader(), epochs=3, verbose=0).epoch == [0, 1, 2]
    assert model.optimizer.iterations == 12
    assert model.evaluate(Loader()) == pytest.approx(model.evaluate(*data))


def test_a_generator_is_asked_for_no_more_than_is_trained_on(data):
    source = endless(*data)
    make().fit(source, steps_per_epoch=3, epochs=2, verbose=0)
    np.testing.assert_array_equal(next(source)[0], data[0][20:30])


def test_steps_of_arrays_go_on_where_the_last_epoch_stopped(data):
    """Keras 3's way: at the end of the data the epoch ends, too."""
    x, y = data
    model, seen = make(), []
    real = model.train_checked
    model.train_checked = lambda x, y, w: (seen.append(len(x)), real(x, y, w))[1]
    with pytest.warns(UserWarning, match="steps_per_epoch: expected 2 batches, received 1: the da"):
        model.fit(x, y, batch_size=16, steps_per_epoch=2, epochs=3, verbose=0)
    assert seen == [16, 16, 8, 16, 16]
    seen.clear()
    model.fit(x, y, steps_per_epoch=4, epochs=2, verbose=0)  # they decide the batch size
    assert seen == [10] * 8


def test_whole_batches_are_shuffled(data):
    x, y = data
    model, seen = make(), []
    model.train_checked = lambda x, y, w: (seen.append(x.copy()), (0.0, 0))[1]
    model.fit(x, y, batch_size=16, shuffle="batch", epochs=8, verbose=0)
    parts = [x[:16], x[16:32], x[32:]]
    orders = {
        tuple(next(i for i, p in enumerate(parts) if np.array_equal(p, one)) for one in three)
        for three in zip(seen[::3], seen[1::3], seen[2::3], strict=True)
    }
    assert orders == {(0, 1, 2), (1, 0, 2)}
    with pytest.raises(ValueError, match="shuffle: expected True, False or 'batch'"):
        model.fit(x, y, shuffle="epoch", verbose=0)


def test_a_last_axis_of_one_may_be_missing(data):
    """As in Keras; images, and what was given an axis too many."""
    x, y = data
    L = nn.layers
    model = nn.Sequential([nn.Input((6, 1)), L.Flatten(), L.Dense(3, "softmax")], seed=1)
    model.compile("sgd", "sparse_categorical_crossentropy")
    whole = model.predict(x[..., None])
    np.testing.assert_array_equal(model.predict(x), whole)
    np.testing.assert_array_equal(model(x), whole)
    assert model.fit(x, y, validation_data=([x], [y]), verbose=0).epoch == [0]
    model = make()
    np.testing.assert_array_equal(model.predict(x[..., None]), model.predict([x]))
    with pytest.raises(ValueError, match=r"expected x of shape \(N, 6\), received \(40, 3\)"):
        model.predict(x[:, :3])


def test_the_history_is_there_while_it_is_written(data):
    seen = []

    class Peek(Callback):
        def on_epoch_begin(self, epoch, logs=None):
            seen.append(list(self.model.history.history.get("loss", [])))

    history = make().fit(*data, epochs=2, verbose=0, callbacks=[Peek()])
    assert seen == [[], history.history["loss"][:1]]


def test_generators_of_the_other_methods(data):
    x, y = data
    model = make()
    whole = model.evaluate(x, y)
    assert model.evaluate(endless(x, y), steps=4) == pytest.approx(whole)
    assert model.evaluate(x, y, batch_size=10, steps=2) == pytest.approx(
        model.evaluate(x[:20], y[:20])
    )
    np.testing.assert_array_equal(model.predict(endless(x, y), steps=4), model.predict(x))
    np.testing.assert_array_equal(model.predict(x, batch_size=8, steps=2), model.predict(x)[:16])
    history = model.fit(x, y, validation_data=endless(x, y), validation_steps=4, verbose=0).history
    assert history["val_loss"][0] == pytest.approx(model.evaluate(x, y)[0])


def test_batches_of_another_form_are_refused(data):
    with pytest.raises(ValueError, match=r"expected batches \(x, y\) or \(x, y, sample_weight\)"):
        make().fit((x for x in [np.ones((3, 6))]), verbose=0)


# --- older names ----------------------------------------------------------------------------------


def test_older_spellings_are_translated_with_one_warning(data):
    x, y = data
    with pytest.warns(FutureWarning, match=r"fit: nb_epoch is an older name\. Write epochs\."):
        assert len(make().fit(x, y, nb_epoch=2, verbose=0).epoch) == 2
    with pytest.warns(FutureWarning, match="fit_generator is an older name. Write fit"):
        history = make().fit_generator(endless(x, y), 4, 2, verbose=0, workers=3)
    assert len(history.epoch) == 2
    model = make()
    with pytest.warns(FutureWarning, match="predict_classes is an older name"):
        np.testing.assert_array_equal(model.predict_classes(x), model.predict(x).argmax(axis=-1))
    with pytest.warns(FutureWarning, match="evaluate_generator"):
        assert model.evaluate_generator(endless(x, y), 4) == pytest.approx(model.evaluate(x, y))
    with pytest.warns(FutureWarning, match="fit: workers changes nothing. Batches are made one af"):
        model.fit(x, y, workers=4, verbose=0)
    with pytest.raises(
        TypeError, match=r"train_on_batch: reset_metrics is not supported. Each call"
    ):
        model.train_on_batch(x, y, reset_metrics=False)


@pytest.mark.filterwarnings("ignore:.* is an older name:FutureWarning")
def test_numbers_of_samples_become_numbers_of_batches(data):
    """Keras 1 counted samples; the first batch says how many make one, and is trained on, too."""
    x, y = data
    one, other = make(), make()
    one.fit(*data, batch_size=10, epochs=2, shuffle=False, verbose=0)
    held = {"validation_data": endless(x, y), "nb_val_samples": 20, "verbose": 0}
    history = other.fit_generator(endless(x, y), samples_per_epoch=40, nb_epoch=2, **held).history
    np.testing.assert_array_equal(one.parameters, other.parameters)
    assert history["val_loss"][1] == pytest.approx(other.evaluate(x[:20], y[:20])[0])
    assert other.evaluate_generator(endless(x, y), val_samples=40) == other.evaluate(x, y)
    with pytest.raises(TypeError, match="Write steps_per_epoch=samples // batch_size"):
        make().fit_generator(object(), samples_per_epoch=40)


@pytest.mark.parametrize(
    ("x", "y", "sentence"),
    [
        (None, [1], r"x: expected an array of shape \(N, …\), received a NoneType\. Make one with"),
        (
            {"a": 1},
            [1],
            r"x: expected an array of shape \(N, …\), received a dict\. Make one with N",
        ),
        ((b for b in [1]), [1], r"received a generator\. Let it yield \(x, y\), and give it alone"),
        ([np.ones((4, 6))] * 2, [1], r"expected x of shape \(N, 6\), received \(2, 4, 6\)\."),
        (np.ones((4, 6)), None, r"y: expected labels, received None\."),
        ([(np.ones((4, 6)), np.ones(4))], None, r"x: expected .* list of 1\. Stack images of one"),
    ],
)
def test_what_is_no_data_is_refused(x, y, sentence):
    with pytest.raises(ValueError, match=sentence):
        make().fit(x, y, verbose=0)


# --- hooks ----------------------------------------------------------------------------------------


class Recorder(Callback):
    """Writes down every hook and the keys of its logs."""

    def __init__(self):
        self.calls = []


def _recording(hook):
    def method(self, *arguments, logs=None):
        *place, logs = (
            arguments
            if len(arguments) > ("batch" in hook or "epoch" in hook)
            else (
                *arguments,
                logs,
            )
        )
        assert logs is not None
        self.calls.append((hook, *place, tuple(sorted(logs))))

    return method


for _hook in HOOKS:
    setattr(Recorder, _hook, _recording(_hook))


def test_hooks_of_fit_evaluate_and_predict(data):
    x, y = data
    model, recorder = make(), Recorder()
    model.fit(x, y, batch_size=20, validation_data=(x, y), verbose=0, callbacks=[recorder])
    figures, both = ("accuracy", "loss"), ("accuracy", "loss", "val_accuracy", "val_loss")
    batches = [("on_train_batch_begin", 0, ()), ("on_train_batch_end", 0, figures)]
    batches += [("on_train_batch_begin", 1, ()), ("on_train_batch_end", 1, figures)]
    tests = [("on_test_batch_begin", 0, ()), ("on_test_batch_end", 0, figures)]
    tests += [("on_test_batch_begin", 1, ()), ("on_test_batch_end", 1, figures)]
    test = [("on_test_begin", ()), *tests, ("on_test_end", figures)]
    assert recorder.calls == [
        *[("on_train_begin", ()), ("on_epoch_begin", 0, ())],
        *batches,
        *test,
        *[("on_epoch_end", 0, both), ("on_train_end", both)],
    ]
    recorder.calls.clear()
    model.evaluate(x, y, callbacks=recorder)
    assert recorder.calls == test
    recorder.calls.clear()
    model.predict(x, callbacks=[recorder])
    predicted = [call[:2] for call in recorder.calls]
    assert predicted[:2] == [("on_predict_begin", ()), ("on_predict_batch_begin", 0)]
    assert recorder.calls[2] == ("on_predict_batch_end", 0, ("outputs",))
    assert recorder.calls[-1] == ("on_predict_end", ())


def test_evaluate_prints_if_asked_to(data, capsys):
    model = make()
    loss, _ = model.evaluate(*data, verbose=2)
    assert f"loss {loss:.4f}, accuracy" in capsys.readouterr().out
    model.evaluate(*data)
    assert capsys.readouterr().out == ""


def test_csv_has_columns_for_a_validation_now_and_then(data, tmp_path):
    path = tmp_path / "log.csv"
    arguments = {"validation_data": data, "validation_freq": 2, "callbacks": CSVLogger(path)}
    make().fit(*data, epochs=4, verbose=0, **arguments)
    header, first, second, *_ = path.read_text(encoding="utf-8").splitlines()
    assert header == "epoch,accuracy,loss,val_accuracy,val_loss"
    assert first.endswith(",NA,NA")
    assert "NA" not in second


def test_a_checkpoint_every_so_many_batches(data, tmp_path):
    callback = ModelCheckpoint(tmp_path / "{epoch}-{batch}.h5", save_freq=3)
    make().fit(*data, batch_size=8, epochs=2, verbose=0, callbacks=[callback])
    assert sorted(p.name for p in tmp_path.iterdir()) == ["1-3.h5", "2-1.h5", "2-4.h5"]
    with pytest.raises(ValueError, match="expected save_freq 'epoch' or a number of batches"):
        ModelCheckpoint("x.h5", "val_loss", 0, True, False, "auto", 0.5)
