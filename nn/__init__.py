"""A convolutional network for handwritten digits, written by hand in NumPy and Numba.

Reading order, the network one studies:

1. ``nn.layers.base``: the contract of a layer
2. ``nn.layers.dense``, ``nn.layers.conv``, ``nn.layers.pooling``, ``nn.layers.activation``,
   ``nn.layers.dropout``: forward and backward, one under the other
3. ``nn.reference``: the arithmetic they call, in plain NumPy, with its derivations
4. ``nn.losses.base``, ``nn.losses.crossentropy`` and ``nn.training``: the loss, the training step,
   the loop

Then ``nn.gradcheck`` (is it right?), ``nn.sequential`` (the API of Keras) and
``nn.fast`` (why it is fast). The rest is the program: ``nn.datasets``, ``nn.augment``,
``nn.preprocessing`` and ``nn.synthetic`` give images to learn from, ``nn.train`` is what
``train.py`` does, ``nn.saving`` reads and writes model files, ``nn.drawing`` brings ink and
photographs to 28x28 pixels, ``nn.recognise``, ``nn.explain`` and ``nn.teach`` use a trained
network, and ``nn.console`` is the window.
"""

import sys

from nn import (
    activations,
    backend,
    callbacks,
    datasets,
    initializers,
    layers,
    losses,
    metrics,
    models,
    ops,
    optimizers,
    regularizers,
    runtime,
    utils,
)
from nn.initializers import Initializer
from nn.layers import Input, Layer
from nn.losses import Loss
from nn.metrics import Metric
from nn.models import Model, Sequential, load_model
from nn.optimizers import Optimizer
from nn.regularizers import Regularizer
from nn.runtime import set_num_threads, use_backend, use_engine
from nn.spellings import ModulesOfKeras, missing_names

__version__ = "0.1.0"

__all__ = [
    "Initializer",
    "Input",
    "Layer",
    "Loss",
    "Metric",
    "Model",
    "Optimizer",
    "Regularizer",
    "Sequential",
    "activations",
    "backend",
    "callbacks",
    "datasets",
    "initializers",
    "layers",
    "load_model",
    "losses",
    "metrics",
    "models",
    "ops",
    "optimizers",
    "preprocessing",
    "regularizers",
    "runtime",
    "saving",
    "set_num_threads",
    "use_backend",
    "use_engine",
    "utils",
]


__getattr__ = missing_names(__name__, lazy=("preprocessing", "saving"))  # seldom needed
sys.meta_path.append(ModulesOfKeras())
