"""Cross-entropy: worked values, stability, and what it says to wrong labels."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from nn import losses, metrics
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
        ([0.0, 1.0], r"expected whole-number y of shape \(N,\), received float64 \(2,\)\. Convert"),
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
        match=r"loss: expected categorical_crossentropy or sparse_cat.*"
        r"received 'mse'",
    ):
        losses.get("mse")


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
    assert metrics.name_of(given) == name


@pytest.mark.parametrize("given", [["mse"], ["accuracy", "acc"], [3]])
def test_other_metrics_are_refused(given):
    with pytest.raises(ValueError, match=r"metrics: expected \['accuracy'\] or none, received"):
        metrics.name_of(given)
