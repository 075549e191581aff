"""Losses and metrics: every form, every reduction, weights, and what is refused."""

import numpy as np

from .tools import Collector, data, examples, fitted, probabilities, small

CASES = Collector()
ONE_HOT = np.eye(4, dtype="float32")[[0, 2, 3, 1, 1]]
LABELS = np.array([0, 2, 3, 1, 1])
OUTPUTS = probabilities(5, 4)
LOGITS = data(5, 4, seed=3)
BINARY = np.array([[0], [1], [1], [0], [1]], "float32")
CHANCES = np.array([[0.1], [0.8], [0.4], [0.6], [0.9]], "float32")
WEIGHTS = np.array([1.0, 0.5, 2.0, 0.0, 1.0], "float32")
SCOPE = {
    "np": np,
    "t": ONE_HOT,
    "s": LABELS,
    "p": OUTPUTS,
    "z": LOGITS,
    "b": BINARY,
    "c": CHANCES,
    "w": WEIGHTS,
}


def add(sources, scope):
    for source in sources.strip().splitlines():
        CASES[source] = lambda k, source=source: eval(source, {**SCOPE, **scope(k), "k": k})


# Class and function, against one-hot labels and probabilities.
CONTINUOUS = [
    "MeanSquaredError",
    "MeanAbsoluteError",
    "MeanAbsolutePercentageError",
    "MeanSquaredLogarithmicError",
    "CosineSimilarity",
    "Huber",
    "LogCosh",
    "Hinge",
    "SquaredHinge",
    "CategoricalHinge",
    "Poisson",
    "KLDivergence",
    "BinaryCrossentropy",
    "CategoricalCrossentropy",
    "BinaryFocalCrossentropy",
    "CategoricalFocalCrossentropy",
    "Dice",
    "Tversky",
]
FUNCTIONS = [
    "mean_squared_error",
    "mean_absolute_error",
    "mean_absolute_percentage_error",
    "mean_squared_logarithmic_error",
    "cosine_similarity",
    "huber",
    "log_cosh",
    "hinge",
    "squared_hinge",
    "categorical_hinge",
    "poisson",
    "kl_divergence",
    "binary_crossentropy",
    "categorical_crossentropy",
    "binary_focal_crossentropy",
    "categorical_focal_crossentropy",
    "dice",
    "tversky",
]
REDUCTIONS = (
    "sum_over_batch_size",
    "sum",
    "none",
    None,
    "mean",
    "mean_with_sample_weight",
    "nonsense",
)


@CASES.over("loss class", CONTINUOUS)
def _(k, value):
    return getattr(k.losses, value)()(ONE_HOT, OUTPUTS)


@CASES.over("loss class, weighted", CONTINUOUS)
def _(k, value):
    return getattr(k.losses, value)()(ONE_HOT, OUTPUTS, sample_weight=WEIGHTS)


@CASES.over("loss function", FUNCTIONS)
def _(k, value):
    return getattr(k.losses, value)(ONE_HOT, OUTPUTS)


@CASES.over("losses.get", [*FUNCTIONS, *CONTINUOUS, "mse", "mae", "MSE", "kld", "nonsense", 3])
def _(k, value):
    return (
        np.mean(
            k.ops.convert_to_numpy(f(ONE_HOT, OUTPUTS))
            if "keras" in k.__name__
            else f(ONE_HOT, OUTPUTS)
        )
        if (f := k.losses.get(value))
        else None
    )


@CASES.over("compile and evaluate", [*FUNCTIONS, *CONTINUOUS, "mse", "mae", "bce", "nonsense"])
def _(k, value):
    model = small(k, loss=value)
    return model.evaluate(*examples(), verbose=0)


@CASES.over("train on", ["mse", "mae", "huber", "hinge", "kl_divergence", "binary_crossentropy"])
def _(k, value):
    return fitted(k, loss=value)[1].history


@CASES.over("CategoricalCrossentropy reduction", REDUCTIONS)
def _(k, value):
    return k.losses.CategoricalCrossentropy(reduction=value)(ONE_HOT, OUTPUTS)


@CASES.over("MeanSquaredError reduction, weighted", REDUCTIONS)
def _(k, value):
    return k.losses.MeanSquaredError(reduction=value)(ONE_HOT, OUTPUTS, WEIGHTS)


add(
    """
L.CategoricalCrossentropy(from_logits=True)(t, z)
L.CategoricalCrossentropy(label_smoothing=0.2)(t, p)
L.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1)(t, z)
L.CategoricalCrossentropy(name="mine").name
L.CategoricalCrossentropy().name
L.CategoricalCrossentropy().reduction
L.CategoricalCrossentropy().get_config()
L.CategoricalCrossentropy(axis=1)(t, p)
L.CategoricalCrossentropy(label_smoothing=2.0)(t, p)
L.CategoricalCrossentropy()(t, p * 2)
L.CategoricalCrossentropy()(t, p[:, :3])
L.CategoricalCrossentropy()(s, p)
L.SparseCategoricalCrossentropy()(s, p)
L.SparseCategoricalCrossentropy(from_logits=True)(s, z)
L.SparseCategoricalCrossentropy(ignore_class=1)(s, p)
L.SparseCategoricalCrossentropy()(s[:, None], p)
L.SparseCategoricalCrossentropy()(s.astype("float32"), p)
L.SparseCategoricalCrossentropy()(s, p, sample_weight=w)
L.SparseCategoricalCrossentropy().get_config()
L.BinaryCrossentropy()(b, c)
L.BinaryCrossentropy(from_logits=True)(b, c)
L.BinaryCrossentropy(label_smoothing=0.1)(b, c)
L.BinaryCrossentropy()(b, c, sample_weight=w)
L.BinaryCrossentropy(reduction="sum")(b, c)
L.BinaryCrossentropy().get_config()
L.Huber(delta=0.5)(t, p)
L.MeanSquaredError(name="x").name
L.MeanSquaredError().get_config()
L.MeanSquaredError.from_config(L.MeanSquaredError(name="m").get_config()).name
L.MeanAbsoluteError()(t, p, sample_weight=np.ones((5, 1), "float32"))
L.MeanSquaredError()([[0.0, 1.0]], [[1.0, 1.0]])
L.MeanSquaredError(dtype="float32")(t, p)
L.categorical_crossentropy(t, p)
L.categorical_crossentropy(t, z, from_logits=True)
L.categorical_crossentropy(t, p, label_smoothing=0.1)
L.sparse_categorical_crossentropy(s, p)
L.sparse_categorical_crossentropy(s, z, from_logits=True)
L.binary_crossentropy(b, c)
L.binary_crossentropy(b, c, from_logits=True, label_smoothing=0.1)
L.get(None)
L.get(L.MeanSquaredError()).name
L.get({"class_name": "MeanSquaredError", "config": {"name": "m"}}).name
L.serialize(L.MeanSquaredError())["class_name"]
L.deserialize({"class_name": "MeanSquaredError", "config": {}}).name
L.Loss(name="a").name
L.CategoricalFocalCrossentropy(gamma=3)(t, p)
L.CTC()(s, p)
""",
    lambda k: {"L": k.losses},
)

METRICS = {
    "Accuracy": (LABELS, LABELS[::-1]),
    "BinaryAccuracy": (BINARY, CHANCES),
    "CategoricalAccuracy": (ONE_HOT, OUTPUTS),
    "SparseCategoricalAccuracy": (LABELS, OUTPUTS),
    "TopKCategoricalAccuracy": (np.eye(8, dtype="float32")[LABELS], probabilities(5, 8)),
    "SparseTopKCategoricalAccuracy": (LABELS, probabilities(5, 8)),
    "MeanSquaredError": (ONE_HOT, OUTPUTS),
    "MeanAbsoluteError": (ONE_HOT, OUTPUTS),
    "RootMeanSquaredError": (ONE_HOT, OUTPUTS),
    "MeanAbsolutePercentageError": (ONE_HOT, OUTPUTS),
    "CategoricalCrossentropy": (ONE_HOT, OUTPUTS),
    "SparseCategoricalCrossentropy": (LABELS, OUTPUTS),
    "BinaryCrossentropy": (BINARY, CHANCES),
    "Precision": (BINARY, CHANCES),
    "Recall": (BINARY, CHANCES),
    "AUC": (BINARY, CHANCES),
    "F1Score": (ONE_HOT, OUTPUTS),
    "TruePositives": (BINARY, CHANCES),
    "FalseNegatives": (BINARY, CHANCES),
    "CosineSimilarity": (ONE_HOT, OUTPUTS),
    "KLDivergence": (ONE_HOT, OUTPUTS),
    "Hinge": (ONE_HOT, OUTPUTS),
    "Poisson": (ONE_HOT, OUTPUTS),
}


@CASES.over("metric", METRICS)
def _(k, value):
    metric = getattr(k.metrics, value)()
    metric.update_state(*METRICS[value])
    return metric.result()


@CASES.over("metric, called", METRICS)
def _(k, value):
    return getattr(k.metrics, value)()(*METRICS[value])


@CASES.over("metric, weighted over two batches", METRICS)
def _(k, value):
    metric = getattr(k.metrics, value)()
    truth, guess = METRICS[value]
    metric.update_state(truth, guess, sample_weight=WEIGHTS)
    metric.update_state(truth[:2], guess[:2])
    return metric.result()


@CASES.over("metric, begun anew", METRICS)
def _(k, value):
    metric = getattr(k.metrics, value)(name="mine")
    metric.update_state(*METRICS[value])
    metric.reset_state()
    metric.update_state(*(part[:3] for part in METRICS[value]))
    return metric.name, metric.result()


NAMES = [
    "accuracy",
    "acc",
    "binary_accuracy",
    "categorical_accuracy",
    "mse",
    "mae",
    "MSE",
    "mean_squared_error",
    "AUC",
    "auc",
    "Precision",
    "precision",
    "Recall",
    "F1Score",
    "crossentropy",
    "categorical_crossentropy",
    "ce",
    "nonsense",
    "CategoricalAccuracy",
    "cosine_similarity",
]


@CASES.over("metrics=[name] in evaluate", [*NAMES, 3, None])
def _(k, value):
    return small(k, metrics=[value]).evaluate(*examples(), verbose=0, return_dict=True)


@CASES.over(
    "metrics= in fit", ["accuracy", ["accuracy"], ["accuracy", "mse"], [["accuracy"]], [], {}]
)
def _(k, value):
    return fitted(k, metrics=value)[1].history


add(
    """
M.CategoricalAccuracy().name
M.CategoricalAccuracy(name="a").name
M.BinaryAccuracy(threshold=0.7)(b, c)
M.TopKCategoricalAccuracy(k=2)(t, p)
M.TopKCategoricalAccuracy(k=1)(t, p)
M.SparseTopKCategoricalAccuracy(k=2)(s, p)
M.Accuracy()(s, s)
M.Accuracy()([[1], [2]], [[1], [3]])
M.CategoricalAccuracy().result()
M.CategoricalAccuracy()(t, p, sample_weight=w)
M.CategoricalAccuracy().get_config()["name"]
M.SparseCategoricalAccuracy()(s[:, None], p)
M.SparseCategoricalAccuracy()(s.astype("float32"), p)
M.categorical_accuracy(t, p)
M.sparse_categorical_accuracy(s, p)
M.binary_accuracy(b, c)
M.binary_accuracy(b, c, threshold=0.3)
M.top_k_categorical_accuracy(t, p, k=2)
M.sparse_top_k_categorical_accuracy(s, p, k=2)
M.mean_squared_error(t, p)
M.mean_absolute_error(t, p)
M.get("accuracy") is not None
M.get("mse") is not None
M.get("nonsense")
M.get(None)
M.Mean()(np.array([1.0, 3.0]))
M.Sum()(np.array([1.0, 3.0]))
M.MeanMetricWrapper(M.categorical_accuracy, name="x")(t, p)
M.MeanMetricWrapper(lambda a, b: (a - b) ** 2, name="x").name
M.Metric(name="m").name
M.BinaryIoU()(b, c)
M.MeanIoU(num_classes=4)(s, s)
M.R2Score()(t, p)
""",
    lambda k: {"M": k.metrics},
)


@CASES.over("metric objects in fit", ["CategoricalAccuracy", "MeanSquaredError"])
def _(k, value):
    return fitted(k, metrics=[getattr(k.metrics, value)(name="mine")])[1].history


@CASES.over("from_logits in fit", [True, False])
def _(k, value):
    loss = k.losses.CategoricalCrossentropy(from_logits=value)
    return fitted(k, loss=loss, activation=None if value else "softmax")[1].history


@CASES.over("label smoothing in fit", [0.0, 0.1])
def _(k, value):
    loss = k.losses.CategoricalCrossentropy(label_smoothing=value)
    return fitted(k, loss=loss, metrics=["accuracy"])[1].history


@CASES.over("reduction in fit", ["sum", "sum_over_batch_size", "none", "mean"])
def _(k, value):
    return fitted(k, loss=k.losses.MeanSquaredError(reduction=value))[1].history


@CASES.over("sparse labels in fit", ["int32", "int64", "uint8", "float32", "float64", "bool"])
def _(k, value):
    def labels():
        x, y = examples()
        return x, y.argmax(-1).astype(value)

    return fitted(k, loss="sparse_categorical_crossentropy", metrics=["accuracy"], data_of=labels)[
        1
    ].history


@CASES.over("shapes of labels", [(20, 1), (20,), (20, 3), (20, 4), (19, 3), (20, 3, 1)])
def _(k, value):
    def labels():
        x, _ = examples()
        return x, np.zeros(value, "float32") + (len(value) == 2 and value[1] > 1) / value[-1]

    return fitted(k, loss="mse", data_of=labels)[1].history["loss"]


@CASES.over("one output", ["binary_crossentropy", "mse", "mae", "hinge"])
def _(k, value):
    def labels():
        x, y = examples()
        return x, y[:, 0]

    return fitted(k, loss=value, out=1, activation="sigmoid", metrics=["accuracy"], data_of=labels)[
        1
    ].history


@CASES.over("logits of one output", [True])
def _(k, value):
    def labels():
        x, y = examples()
        return x, y[:, :1]

    loss = k.losses.BinaryCrossentropy(from_logits=True)
    return fitted(k, loss=loss, out=1, activation=None, data_of=labels)[1].history
