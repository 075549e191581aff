"""The layers, each with a hand-written forward and backward pass.

Read ``base.Layer`` first: it states the contract. Then ``dense``, ``conv`` and ``pooling``;
``activation``, ``dropout``, ``normalization`` and ``shape``. ``extra`` has layers that no digit
network needs, ``arguments`` the checks of what layers are given. The arithmetic they call is
explained in ``nn.reference``.
"""

from collections.abc import Mapping
from typing import Any

from nn import registered
from nn.layers.activation import Activation, ReLU, Softmax
from nn.layers.base import Layer
from nn.layers.conv import Conv2D
from nn.layers.dense import Dense
from nn.layers.dropout import Dropout
from nn.layers.extra import (
    ELU,
    Cropping2D,
    GlobalMaxPooling2D,
    Identity,
    LeakyReLU,
    Permute,
    PReLU,
    Rescaling,
    Reshape,
    UpSampling2D,
    ZeroPadding2D,
)
from nn.layers.noise import GaussianDropout, GaussianNoise, SpatialDropout2D
from nn.layers.normalization import BatchNormalization
from nn.layers.pooling import AveragePooling2D, GlobalAveragePooling2D, MaxPooling2D
from nn.layers.shape import Flatten, Input, InputLayer
from nn.layers.signatures import Convolution2D, complete_all
from nn.spellings import missing_names

MaxPool2D = MaxPooling2D
AvgPool2D = AveragePooling2D
GlobalAvgPool2D = GlobalAveragePooling2D
GlobalMaxPool2D = GlobalMaxPooling2D

# What a saved configuration may name.
LAYERS: dict[str, type[Layer]] = {
    cls.__name__: cls
    for cls in (
        Activation,
        AveragePooling2D,
        BatchNormalization,
        Conv2D,
        Cropping2D,
        Dense,
        Dropout,
        ELU,
        Flatten,
        GaussianDropout,
        GaussianNoise,
        GlobalAveragePooling2D,
        GlobalMaxPooling2D,
        Identity,
        InputLayer,
        LeakyReLU,
        MaxPooling2D,
        PReLU,
        Permute,
        ReLU,
        Rescaling,
        Reshape,
        Softmax,
        SpatialDropout2D,
        UpSampling2D,
        ZeroPadding2D,
    )
}
complete_all(LAYERS.values())


def serialize(layer: Layer) -> dict[str, Any]:
    """Return the class name of ``layer`` and the arguments that make it again."""
    return registered.serialized(layer)


def deserialize(config: dict[str, Any], custom_objects: Mapping[str, Any] | None = None) -> Layer:
    """Make the layer that ``serialize`` described; ``custom_objects`` as for ``load_model``.

    Raises
    ------
    ValueError
        If there is no layer of that class.
    """
    with registered.custom_object_scope(custom_objects):
        layer = registered.resolve(config)
    if isinstance(layer, Layer):
        return layer
    kind = config["class_name"]
    if kind not in LAYERS:
        raise ValueError(f"from_config: expected layers of {', '.join(LAYERS)}, received {kind!r}.")
    return LAYERS[kind].from_config(config["config"])


__all__ = [
    "ELU",
    "LAYERS",
    "Activation",
    "AveragePooling2D",
    "AvgPool2D",
    "BatchNormalization",
    "Conv2D",
    "Convolution2D",
    "Cropping2D",
    "Dense",
    "Dropout",
    "Flatten",
    "GaussianDropout",
    "GaussianNoise",
    "GlobalAveragePooling2D",
    "GlobalAvgPool2D",
    "GlobalMaxPool2D",
    "GlobalMaxPooling2D",
    "Identity",
    "Input",
    "InputLayer",
    "Layer",
    "LeakyReLU",
    "MaxPool2D",
    "MaxPooling2D",
    "PReLU",
    "Permute",
    "ReLU",
    "Rescaling",
    "Reshape",
    "Softmax",
    "SpatialDropout2D",
    "UpSampling2D",
    "ZeroPadding2D",
    "deserialize",
    "serialize",
]


__getattr__ = missing_names(__name__)
