"""A convolutional network for handwritten digits, written by hand in NumPy and Numba.

Reading order: ``nn.layers.base`` (the contract), ``nn.layers.weighted``, ``nn.reference`` (the
arithmetic), ``nn.models`` and ``nn.training`` (the loop), ``nn.gradcheck`` (is it right?), then
``nn.fast.operations`` and ``nn.fast`` (why it is fast).
"""

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
    runtime,
    utils,
)
from nn.layers import Input
from nn.models import Sequential, load_model
from nn.runtime import set_num_threads, use_backend, use_engine

__version__ = "0.1.0"

__all__ = [
    "Input",
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
    "runtime",
    "set_num_threads",
    "use_backend",
    "use_engine",
    "utils",
]
