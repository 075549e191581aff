"""The layers, each with a hand-written forward and backward pass.

Read ``base.Layer`` first: it states the contract. Then ``weighted`` (convolution and dense),
``pooling``, ``core`` (reshaping, activations, dropout) and ``normalization``. The arithmetic they
call is explained in ``nn.reference``.
"""

from nn.layers.base import Layer
from nn.layers.core import (
    ELU,
    Activation,
    Dropout,
    Flatten,
    Input,
    InputLayer,
    LeakyReLU,
    PReLU,
    ReLU,
    Rescaling,
    Reshape,
    Softmax,
)
from nn.layers.normalization import BatchNormalization
from nn.layers.pooling import (
    AveragePooling2D,
    GlobalAveragePooling2D,
    MaxPooling2D,
    ZeroPadding2D,
)
from nn.layers.weighted import Conv2D, Dense

Convolution2D = Conv2D
MaxPool2D = MaxPooling2D
AvgPool2D = AveragePooling2D

# What a saved configuration may name.
LAYERS: dict[str, type[Layer]] = {
    cls.__name__: cls
    for cls in (
        Activation,
        AveragePooling2D,
        BatchNormalization,
        Conv2D,
        Dense,
        Dropout,
        ELU,
        Flatten,
        GlobalAveragePooling2D,
        InputLayer,
        LeakyReLU,
        MaxPooling2D,
        PReLU,
        ReLU,
        Rescaling,
        Reshape,
        Softmax,
        ZeroPadding2D,
    )
}

__all__ = [
    "ELU",
    "LAYERS",
    "Activation",
    "AveragePooling2D",
    "AvgPool2D",
    "BatchNormalization",
    "Conv2D",
    "Convolution2D",
    "Dense",
    "Dropout",
    "Flatten",
    "GlobalAveragePooling2D",
    "Input",
    "InputLayer",
    "Layer",
    "LeakyReLU",
    "MaxPool2D",
    "MaxPooling2D",
    "PReLU",
    "ReLU",
    "Rescaling",
    "Reshape",
    "Softmax",
    "ZeroPadding2D",
]
