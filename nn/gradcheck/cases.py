"""What ``python -m nn.gradcheck`` checks: every layer, every loss, the digit network."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from nn import losses
from nn.activations import ACTIVATIONS
from nn.gradcheck.check import check, check_fast, check_loss, check_model
from nn.gradcheck.compare import Result
from nn.layers import (
    ELU,
    Activation,
    AveragePooling2D,
    BatchNormalization,
    Conv2D,
    Cropping2D,
    Dense,
    Dropout,
    Flatten,
    GaussianDropout,
    GaussianNoise,
    GlobalAveragePooling2D,
    GlobalMaxPooling2D,
    Identity,
    Layer,
    LeakyReLU,
    MaxPooling2D,
    Permute,
    PReLU,
    ReLU,
    Rescaling,
    Reshape,
    Softmax,
    SpatialDropout2D,
    UpSampling2D,
    ZeroPadding2D,
)
from nn.models import Sequential
from nn.reference import Shape


def digit_network(dtype: str = "float64", seed: int = 0) -> Sequential:
    """Return the digit network of this project, compiled, in ``dtype``."""
    from nn.train.recipes.presets import original_layers

    model = Sequential(original_layers(), name="digit network", seed=seed, dtype=dtype)
    model.compile("adadelta", "sparse_categorical_crossentropy")
    return model


# Every layer, over what can go wrong: kernel shapes, strides, paddings, overlapping windows.
# (what it is, how to make it, input shape without the batch axis)
CASES: list[tuple[str, Callable[[], Layer], Shape]] = [
    ("Conv2D 3x3", lambda: Conv2D(3, 3), (5, 5, 2)),
    ("Conv2D 1x1", lambda: Conv2D(2, 1), (3, 3, 3)),
    ("Conv2D 2x3 on 5x4", lambda: Conv2D(2, (2, 3)), (5, 4, 2)),
    ("Conv2D stride 2", lambda: Conv2D(2, 3, strides=2), (6, 7, 1)),
    ("Conv2D stride (1, 3)", lambda: Conv2D(2, (3, 2), strides=(1, 3)), (5, 8, 2)),
    ("Conv2D same", lambda: Conv2D(3, 3, padding="same"), (4, 5, 2)),
    ("Conv2D same, even kernel", lambda: Conv2D(2, (4, 2), padding="same"), (5, 5, 2)),
    ("Conv2D same, stride 2", lambda: Conv2D(2, 3, strides=2, padding="same"), (6, 5, 2)),
    ("Conv2D tanh", lambda: Conv2D(2, 3, activation="tanh"), (4, 4, 1)),
    ("Conv2D without bias", lambda: Conv2D(2, 2, use_bias=False), (4, 4, 2)),
    ("Conv2D 9 filters, 9 channels", lambda: Conv2D(9, 3), (4, 4, 9)),
    ("MaxPooling2D 2x2", lambda: MaxPooling2D(2), (4, 6, 2)),
    ("MaxPooling2D odd size", lambda: MaxPooling2D(2), (5, 5, 2)),
    ("MaxPooling2D overlapping", lambda: MaxPooling2D(3, strides=1), (5, 4, 2)),
    ("MaxPooling2D same", lambda: MaxPooling2D(3, strides=2, padding="same"), (6, 5, 1)),
    ("AveragePooling2D 2x2", lambda: AveragePooling2D(2), (4, 5, 2)),
    ("AveragePooling2D same", lambda: AveragePooling2D(3, 2, "same"), (5, 6, 1)),
    ("GlobalAveragePooling2D", GlobalAveragePooling2D, (3, 4, 2)),
    ("GlobalMaxPooling2D", GlobalMaxPooling2D, (3, 4, 2)),
    ("GlobalMaxPooling2D keepdims", lambda: GlobalMaxPooling2D(keepdims=True), (3, 2, 2)),
    ("UpSampling2D", lambda: UpSampling2D((2, 3)), (2, 3, 2)),
    ("Permute", lambda: Permute((3, 1, 2)), (2, 3, 4)),
    ("Cropping2D", lambda: Cropping2D(((1, 0), (2, 1))), (3, 5, 2)),
    ("Identity", Identity, (5,)),
    ("ZeroPadding2D", lambda: ZeroPadding2D(((1, 0), (2, 1))), (3, 3, 2)),
    ("Flatten", Flatten, (2, 3, 2)),
    ("Reshape", lambda: Reshape((3, -1)), (2, 3, 2)),
    ("Rescaling", lambda: Rescaling(1 / 127.5, -1), (2, 3, 1)),
    ("Dense", lambda: Dense(4), (7,)),
    ("Dense elu", lambda: Dense(4, activation="elu"), (6,)),
    ("Dense softmax", lambda: Dense(5, activation="softmax"), (6,)),
    ("Dense without bias", lambda: Dense(3, use_bias=False), (5,)),
    ("Dropout", lambda: Dropout(0.4), (10,)),
    ("Dropout of columns", lambda: Dropout(0.4, (None, 1, None)), (4, 5)),
    ("SpatialDropout2D", lambda: SpatialDropout2D(0.4), (3, 2, 8)),
    ("GaussianNoise", lambda: GaussianNoise(0.3), (10,)),
    ("GaussianDropout", lambda: GaussianDropout(0.3), (10,)),
    ("BatchNormalization", BatchNormalization, (3, 3, 2)),
    ("BatchNormalization of rows", lambda: BatchNormalization(epsilon=0.1), (6,)),
    ("BatchNormalization plain", lambda: BatchNormalization(center=False, scale=False), (3, 2, 2)),
    ("Conv2D gelu", lambda: Conv2D(2, 3, activation="gelu"), (4, 4, 1)),
    ("Dense silu", lambda: Dense(4, activation="silu"), (6,)),
    ("ReLU", ReLU, (3, 3, 2)),
    ("ReLU variant", lambda: ReLU(1.0, negative_slope=0.1, threshold=0.5), (12,)),
    ("PReLU", PReLU, (3, 3, 2)),
    ("PReLU by channel", lambda: PReLU(shared_axes=(1, 2)), (3, 2, 4)),
    ("LeakyReLU", LeakyReLU, (8,)),
    ("ELU", lambda: ELU(0.7), (8,)),
    ("Softmax", Softmax, (6,)),
    *((f"Activation {name}", lambda name=name: Activation(name), (7,)) for name in ACTIVATIONS),
]

LOSSES: list[tuple[str, Callable[[], losses.Loss]]] = [
    ("cross-entropy", losses.CategoricalCrossentropy),
    ("cross-entropy, logits", lambda: losses.CategoricalCrossentropy(from_logits=True)),
    ("cross-entropy, smoothed", lambda: losses.CategoricalCrossentropy(label_smoothing=0.1)),
    (
        "cross-entropy, logits, smoothed",
        lambda: losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1),
    ),
    ("sparse cross-entropy", losses.SparseCategoricalCrossentropy),
    ("sparse cross-entropy, logits", lambda: losses.SparseCategoricalCrossentropy(True)),
    ("binary cross-entropy", losses.BinaryCrossentropy),
    ("binary cross-entropy, logits", lambda: losses.BinaryCrossentropy(True, label_smoothing=0.1)),
    ("squared error", losses.MeanSquaredError),
    ("absolute error", losses.MeanAbsoluteError),
]


def check_everything() -> Iterator[Result]:
    """Check every layer, loss and the whole digit network on the backend in force."""
    for subject, make, input_shape in CASES:
        yield from check(make(), input_shape, subject=subject)
    for subject, make_loss in LOSSES:
        yield from check_loss(make_loss(), subject=subject)
    yield from check_model(digit_network(), limit=12)
    yield from check_fast(digit_network)
