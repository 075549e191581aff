"""Cross-entropy: worked values, stability, and what it says to wrong labels."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import nn
from nn import gradcheck, losses, metrics
from nn.losses import (
    CategoricalCrossentropy,
    SparseCategoricalCrossentropy,
    categorical_crossentropy,
    sparse_categorical_crossentropy,
)

HALF, QUARTERS = [0.5, 0.25, 0.25], [0.25, 0.25, 0.5]


def test_values_by_hand(backend):
    # The surprise, in nats, at the true class: ln 2 at a half, ln 4 at a quarter.
    y_pred = np.array([HALF, QUARTERS])
    expected = [np.log(2), np.log(4)]
    one_hot = np.array([[1, 0, 0], [0, 1, 0]])
    assert_allclose(categorical_crossentropy(one_hot, y_pred), expected)
    assert_allclose(sparse_categorical_crossentropy([0, 1], y_pred), expected)
    assert CategoricalCrossentropy()(one_hot, y_pred) == pytest.approx(np.log(8) / 2)
    assert SparseCategoricalCrossentropy()([[0], [1]], y_pred) == pytest.approx(np.log(8) / 2)


def test_logits_give_the_same_as_their_probabilities(backend):
    y_pred = np.array([HALF, QUARTERS])
    shifted = np.log(y_pred) + np.array([[7], [-3]])  # logits are free up to a constant
    assert_allclose(
        sparse_categorical_crossentropy([0, 1], shifted, from_logits=True),
        sparse_categorical_crossentropy([0, 1], y_pred),
    )


def test_probabilities_are_normalised_first():
    twice = 2 * np.array([HALF])
    assert sparse_categorical_crossentropy([0], twice) == pytest.approx(np.log(2))


def test_label_smoothing_by_hand(backend):
    # 0.3 of the certainty is spread over three classes: targets 0.8, 0.1, 0.1.
    loss = CategoricalCrossentropy(label_smoothing=0.3)
    assert_allclose(loss.targets(np.array([[1, 0, 0]]), 3), [[0.8, 0.1, 0.1]], rtol=1e-6)
    expected = 0.8 * np.log(2) + 0.2 * np.log(4)
    assert loss([[1, 0, 0]], [HALF]) == pytest.approx(expected)
    logits = CategoricalCrossentropy(from_logits=True, label_smoothing=0.3)
    assert logits([[1, 0, 0]], np.log([HALF])) == pytest.approx(expected)


def test_smoothing_keeps_float32():
    targets = CategoricalCrossentropy(label_smoothing=0.1).targets(np.eye(3), 3, np.float32)
    assert targets.dtype == np.float32


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_logits_of_a_thousand_are_no_trouble(backend, dtype):
    logits = np.array([[1000, 0, -1000], [-1000, -1000, 1000]], dtype)
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        values = sparse_categorical_crossentropy([0, 1], logits, from_logits=True)
        loss = SparseCategoricalCrossentropy(from_logits=True)
        slope = loss.gradient(loss.targets(np.array([0, 1]), 3, dtype), logits)
    assert_array_equal(values, [0, 2000])  # sure and right; sure and wrong
    assert_array_equal(slope, [[0, 0, 0], [0, -0.5, 0.5]])
    assert (values.dtype, slope.dtype) == (dtype, dtype)


def test_a_probability_of_zero_costs_much_and_not_infinitely(backend):
    value = sparse_categorical_crossentropy([1], np.array([[1.0, 0.0]]))
    assert_allclose(value, -np.log(1e-7), rtol=1e-6)


def test_gradient_by_hand(backend):
    # (softmax - t) / N for logits; -t / (p N) + 1 / N for probabilities, which are normalised.
    targets = np.array([[1.0, 0, 0], [0, 1, 0]])
    p = np.array([HALF, QUARTERS])
    by_logits = CategoricalCrossentropy(from_logits=True).gradient(targets, np.log(p))
    assert_allclose(by_logits, (p - targets) / 2)
    by_probabilities = CategoricalCrossentropy().gradient(targets, p)
    assert_allclose(by_probabilities, [[-0.5, 0.5, 0.5], [0.5, -1.5, 0.5]])


@pytest.mark.parametrize(
    ("y", "sentence"),
    [
        ([0, 3], r"expected labels from 0 to 2, received 0 to 3"),
        ([-1, 0], r"expected labels from 0 to 2, received -1 to 0"),
        ([0.5, 1.0], r"expected whole-number y of shape \(N,\), received float64 \(2,\)\. Convert"),
        ([True, False], r"received bool \(2,\)\. Convert them: y\.astype\(np\.int64\)\."),
        (["a", "b"], r"expected whole-number y of shape \(N,\), received <U1"),
        (
            [[1, 0, 0], [0, 1, 0]],
            r"received int64 \(2, 3\)\. For one-hot rows use loss='categorical_crossentropy'",
        ),
    ],
)
def test_sparse_labels_that_are_refused(y, sentence):
    with pytest.raises(ValueError, match=f"^sparse_categorical_crossentropy: .*{sentence}"):
        sparse_categorical_crossentropy(y, np.array([HALF, QUARTERS]))


@pytest.mark.parametrize(
    ("y", "sentence"),
    [
        (
            [0, 1],
            r"expected y of shape \(N, 3\), received \(2,\)\. Use to_categorical\(y\) or "
            r"loss='sparse_categorical_crossentropy'\.",
        ),
        ([[0], [1]], r"received \(2, 1\)\. Use to_categorical"),
        ([[1, 0], [0, 1]], r"expected y of shape \(N, 3\), received \(2, 2\)\.$"),
        ([[2, 0, 0], [0, 1, 0]], r"expected y in \[0, 1\], received 0 to 2"),
        ([[np.nan, 0, 0], [0, 1, 0]], r"expected y in \[0, 1\], received nan"),
        ([["1", "0", "0"], ["0", "1", "0"]], r"expected numbers in y, received <U1"),
    ],
)
def test_one_hot_labels_that_are_refused(y, sentence):
    with pytest.raises(ValueError, match=f"^categorical_crossentropy: .*{sentence}"):
        categorical_crossentropy(y, np.array([HALF, QUARTERS]))


def test_soft_targets_are_welcome():
    value = categorical_crossentropy([[0.5, 0.5, 0]], np.array([HALF]))
    assert_allclose(value, 0.5 * np.log(2) + 0.5 * np.log(4))


def test_smoothing_out_of_range():
    with pytest.raises(ValueError, match=r"expected label_smoothing in \[0, 1\), received 1"):
        CategoricalCrossentropy(label_smoothing=1)


@pytest.mark.parametrize(
    "identifier",
    [
        "categorical_crossentropy",
        "CategoricalCrossentropy",
        categorical_crossentropy,
        CategoricalCrossentropy,
        CategoricalCrossentropy(),
    ],
)
def test_get_knows_names_functions_classes_and_objects(identifier):
    assert isinstance(losses.get(identifier), CategoricalCrossentropy)


def test_get_says_what_there_is():
    with pytest.raises(
        ValueError,
        match=r"loss: expected one of categorical_crossentropy, sparse_cat.*"
        r"received 'hinge'",
    ):
        losses.get("hinge")


def test_configuration_round_trip():
    loss = CategoricalCrossentropy(from_logits=True, label_smoothing=0.2)
    assert CategoricalCrossentropy(**loss.get_config()).get_config() == loss.get_config()
    loss = SparseCategoricalCrossentropy(from_logits=True)
    assert SparseCategoricalCrossentropy(**loss.get_config()).get_config() == loss.get_config()


# --- accuracy -------------------------------------------------------------------------------------


def test_accuracy_by_hand():
    y_pred = [HALF, QUARTERS]
    assert metrics.categorical_accuracy([[1, 0, 0], [0, 1, 0]], y_pred).tolist() == [1, 0]
    assert metrics.sparse_categorical_accuracy([[0], [1]], y_pred).tolist() == [1, 0]


@pytest.mark.parametrize(
    ("given", "name"),
    [
        (None, None),
        ([], None),
        (["accuracy"], "accuracy"),
        ("acc", "acc"),
        ([metrics.CategoricalAccuracy()], "categorical_accuracy"),
        ([metrics.SparseCategoricalAccuracy(name="right")], "right"),
        ([metrics.sparse_categorical_accuracy], "sparse_categorical_accuracy"),
    ],
)
def test_accuracy_by_every_name(given, name):
    assert metrics.Metrics(given).accuracy == name


@pytest.mark.parametrize("given", [["auc"], [3], [{"a": 1}]])
def test_other_metrics_are_refused(given):
    with pytest.raises(ValueError, match=r"metrics: expected names of accuracy, .*, received"):
        metrics.Metrics(given)


def test_names_are_used_once():
    given = metrics.Metrics(["accuracy", "acc", "mse", metrics.MeanSquaredError("mse")])
    assert [m.name for m in given.all] == ["accuracy", "acc", "mse", "mse_1"]


# --- identity, never a name -----------------------------------------------------------------------


def one_layer(loss, metrics=None, units=3, activation="softmax"):
    model = nn.Sequential([nn.Input((4,)), nn.layers.Dense(units, activation)], seed=1)
    model.compile("sgd", loss, metrics=metrics)
    return model


@pytest.fixture
def examples(rng):
    return rng.random((32, 4), np.float32), np.eye(3, dtype=np.float32)[np.arange(32) % 3]


@pytest.mark.parametrize("engine", ["auto", "plain"])
def test_a_metric_of_ones_own_is_that_metric(examples, engine):
    def accuracy(y_true, y_pred):
        return np.full(len(y_true), 0.125)

    def acc(y_true, y_pred):
        return 2 * y_true[:, 0]

    x, y = examples
    with nn.use_engine(engine):
        model = one_layer("categorical_crossentropy", [accuracy, acc, "accuracy"])
        history = model.fit(x, y, batch_size=10, verbose=0, validation_data=(x, y)).history
        _, own, first, real = model.evaluate(x, y)
    assert own == history["accuracy"][0] == history["val_accuracy"][0] == 0.125
    assert first == pytest.approx(2 * 11 / 32)
    assert real == pytest.approx((model.predict(x).argmax(1) == y.argmax(1)).mean())
    assert model.metrics_names == ["loss", "accuracy", "acc", "accuracy_1"]


@pytest.mark.parametrize("engine", ["auto", "plain"])
def test_a_loss_of_ones_own_evaluates_and_is_refused_for_training(examples, engine):
    def categorical_crossentropy(y_true, y_pred):
        return 100 + 0 * y_pred.sum(axis=-1)

    x, y = examples
    with nn.use_engine(engine):
        model = one_layer(categorical_crossentropy)
        before = model.get_weights()
        assert model.evaluate(x, y) == 100
        with pytest.raises(TypeError, match=r"training needs the derivative of a loss of one's"):
            model.fit(x, y, verbose=0)
    assert all(map(np.array_equal, before, model.get_weights()))


class Own(losses.Loss):
    """The mean of fourth powers."""

    def values(self, targets, y_pred):
        return ((y_pred - targets) ** 4).mean(axis=-1)

    def gradient(self, targets, y_pred):
        return 4 * (y_pred - targets) ** 3 / y_pred.size


@pytest.mark.parametrize("engine", ["auto", "plain"])
def test_a_pair_of_ones_own_trains(examples, engine):
    x, y = examples
    with nn.use_engine(engine):
        model = one_layer(Own())
        history = model.fit(x, y, epochs=3, verbose=0).history["loss"]
        assert history[0] > history[-1]
        assert model.evaluate(x, y) == pytest.approx(float(Own()(y, model.predict(x))))
    assert gradcheck.check_loss(Own())[0].passed


@pytest.mark.parametrize("engine", ["auto", "plain"])
@pytest.mark.parametrize("loss", ["mse", "mae", "bce"])
def test_any_loss_on_a_softmax_is_that_loss(examples, loss, engine):
    x, y = examples
    with nn.use_engine(engine):
        model = one_layer(loss)
        expected = losses.get(loss)(y, model.predict(x))
        assert model.train_on_batch(x, y) == pytest.approx(expected, rel=1e-5)


# --- sigmoid --------------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ["auto", "plain"])
@pytest.mark.parametrize("shape", [(32,), (32, 1)])
def test_one_sigmoid_with_binary_targets(examples, shape, engine):
    x, _ = examples
    y = (x.sum(axis=1) > 2).astype(int).reshape(shape)
    with nn.use_engine(engine):
        model = one_layer("binary_crossentropy", ["accuracy"], 1, "sigmoid")
        model.optimizer.learning_rate = 3.0
        history = model.fit(x, y, epochs=60, verbose=0).history
        assert history["accuracy"][-1] > 0.9
        right = ((model.predict(x) > 0.5).ravel() == y.ravel()).mean()
        assert model.evaluate(x, y)[1] == pytest.approx(right)


def test_a_sure_sigmoid_that_is_wrong_still_learns():
    """From probabilities that are exactly 1 in float32 no gradient would be left."""
    model = one_layer("binary_crossentropy", None, 1, "sigmoid")
    model.set_weights([np.full((4, 1), 50.0), np.zeros(1)])
    model.train_on_batch(np.ones((2, 4)), [0, 0])
    assert model.get_weights()[1][0] < -0.005


def test_the_reported_loss_is_clipped_in_training_as_in_evaluation(examples):
    x, y = examples
    for engine in ("auto", "plain"):
        with nn.use_engine(engine):
            model = one_layer("categorical_crossentropy")
            model.set_weights([np.zeros((4, 3)), np.array([100.0, 0.0, 0.0])])
            expected = model.evaluate(x, y)
            assert model.train_on_batch(x, y) == pytest.approx(expected, rel=1e-6)


def test_whole_floats_are_labels():
    loss = SparseCategoricalCrossentropy()
    assert loss.check(np.array([0.0, 2.0]), 3).tolist() == [0, 2]


# --- metrics by themselves ------------------------------------------------------------------------


def test_accuracy_means_equality_not_argmax():
    assert metrics.Accuracy()([[1, 2], [3, 4]], [[1, 0], [3, 4]]) == 0.75
    assert metrics.get("accuracy").counted


def test_a_metric_grows_by_batches():
    metric = metrics.BinaryAccuracy(threshold=0.4)
    metric.update_state([1, 0], [0.5, 0.5])
    metric.update_state([1], [0.9], sample_weight=[2])
    assert metric.result() == 0.75
    metric.reset_state()
    assert metric.result() == 0


def test_top_k():
    p = np.array([[0.1, 0.2, 0.3, 0.4], [0.4, 0.3, 0.2, 0.1]])
    assert metrics.TopKCategoricalAccuracy(k=2)(np.eye(4)[[2, 2]], p) == 0.5
    assert metrics.SparseTopKCategoricalAccuracy(k=3)([2, 2], p) == 1.0


@pytest.mark.parametrize(
    ("reduction", "expected"),
    [
        ("sum_over_batch_size", 1.75),
        ("mean", 1.75),
        ("mean_with_sample_weight", 3.5 / 3),
        ("sum", 3.5),
        ("none", [0.5, 3.0]),
        (None, [0.5, 3.0]),
    ],
)
def test_a_loss_called_reduces_as_it_is_told(reduction, expected):
    loss = losses.MeanAbsoluteError(reduction=reduction)
    y, p = np.zeros((2, 2), np.float32), np.array([[0.0, 1.0], [2.0, 1.0]], np.float32)
    np.testing.assert_allclose(loss(y, p, sample_weight=[1.0, 2.0]), expected)
    assert losses.MeanAbsoluteError.from_config(loss.get_config()).reduction == reduction


def test_training_takes_the_mean():
    model = nn.Sequential([nn.Input((2,)), nn.layers.Dense(2)])
    with pytest.raises(ValueError, match=r"compile: expected a loss with reduction .*'sum'"):
        model.compile("sgd", losses.MeanSquaredError(reduction="sum"))
    with pytest.raises(ValueError, match=r"expected reduction 'sum_over_batch_size', .*'median'"):
        losses.MeanSquaredError(reduction="median")
