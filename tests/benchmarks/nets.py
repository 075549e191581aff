"""The networks that are measured, and their data."""

import os
from pathlib import Path

import numpy as np

import nn
from nn.datasets import MissingDataError, mnist
from nn.layers import (
    Activation,
    BatchNormalization,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    Input,
    MaxPooling2D,
)

# Each network as a list both worlds can build: ("conv", F, size), "bn", "relu", "pool",
# "flatten", ("dense", F), ("dropout", rate). The last dense layer gives ten logits.
ORIGINAL = [
    ("conv", 32, 5), "relu", "pool", ("conv", 64, 3), "relu", "pool", "flatten",
    ("dense", 128), "relu", ("dropout", 0.3), ("dense", 64), "relu", ("dropout", 0.5),
    ("dense", 10),
]  # fmt: skip
NETS = {
    "original": ((28, 28, 1), ORIGINAL),
    "channels x 4": (
        (28, 28, 1),
        [
            ("conv", 128, 5), "relu", "pool", ("conv", 256, 3), "relu", "pool", "flatten",
            ("dense", 128), "relu", ("dense", 10),
        ],
    ),
    "64 x 64 x 3": (
        (64, 64, 3),
        [
            ("conv", 32, 3), "relu", "pool", ("conv", 64, 3), "relu", "pool",
            ("conv", 64, 3), "relu", "pool", "flatten", ("dense", 128), "relu", ("dense", 10),
        ],
    ),
    "3 convolutions with batch norm": (
        (28, 28, 1),
        [
            ("conv", 32, 3), "bn", "relu", ("conv", 32, 3), "bn", "relu", "pool",
            ("conv", 64, 3), "bn", "relu", "pool", "flatten", ("dense", 128), "relu",
            ("dense", 10),
        ],
    ),
}  # fmt: skip


def ours(shape, net, seed=0):
    """Return the network as a compiled ``Sequential``; ReLU goes into the layer before it."""
    layers = [Input(shape)]
    for index, item in enumerate(net):
        following = net[index + 1] if index + 1 < len(net) else None
        kind = item if isinstance(item, str) else item[0]
        activation = "relu" if following == "relu" else None
        if kind == "conv":
            layers.append(Conv2D(item[1], item[2], activation=activation))
        elif kind == "dense":
            last = index == len(net) - 1
            layers.append(Dense(item[1], activation="softmax" if last else activation))
        elif kind == "dropout":
            layers.append(Dropout(item[1]))
        elif kind == "bn":
            layers.append(BatchNormalization())
            if activation:
                layers.append(Activation("relu"))
        elif kind == "pool":
            layers.append(MaxPooling2D())
        elif kind == "flatten":
            layers.append(Flatten())
    model = nn.Sequential(layers, seed=seed)
    model.compile(nn.optimizers.Adadelta(), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def widened(factor):
    """Return the original network with ``factor`` times the channels."""
    return [
        (item[0], item[1] * factor, item[2]) if item[0] == "conv" else item for item in ORIGINAL
    ]


def digits(count):
    """Return (x, y, where from): real MNIST images where they are at hand, else noise."""
    beside = Path(__file__).resolve().parents[3] / "shared" / "data"
    folder = os.environ.get("NN_DATA_DIR") or (beside if beside.is_dir() else None)
    try:
        images, labels = mnist.load_train(folder, download=False)
        x = (images[:count, :, :, None] / np.float32(255)).astype(np.float32)
        return x, labels[:count].astype(np.int64), "MNIST"
    except MissingDataError:
        rng = np.random.default_rng(0)
        x = rng.random((count, 28, 28, 1), np.float32)
        return x, rng.integers(0, 10, count), "noise"


def noise(shape, count):
    """Return random images and labels."""
    rng = np.random.default_rng(0)
    return rng.random((count, *shape), np.float32), rng.integers(0, 10, count)
