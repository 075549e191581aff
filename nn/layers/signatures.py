"""What the layers are called with: Keras's arguments in Keras's order, and their older names.

A layer's ``__init__`` has the arguments that mean something here. ``complete`` gives it the others
that Keras has, each accepted at the one value that changes nothing (see ``arguments.NEUTRAL``), so
that positional arguments mean what they mean in Keras; and the names of Keras 1 and 2.
"""

from __future__ import annotations

import functools
import inspect
import warnings
from collections.abc import Iterable
from typing import Any

from nn.layers.arguments import NEUTRAL, signature_of
from nn.layers.base import Layer
from nn.layers.conv import Conv2D
from nn.spellings import in_order, parameter, spellings

_WEIGHTED = (
    "activation use_bias kernel_initializer bias_initializer kernel_regularizer bias_regularizer "
    "activity_regularizer kernel_constraint bias_constraint"
)
_POOLING = "pool_size strides padding data_format name"
ARGUMENTS = {
    "Activation": "activation",
    "AveragePooling2D": _POOLING,
    "BatchNormalization": (
        "axis momentum epsilon center scale beta_initializer gamma_initializer "
        "moving_mean_initializer moving_variance_initializer beta_regularizer gamma_regularizer "
        "beta_constraint gamma_constraint renorm renorm_clipping renorm_momentum synchronized"
    ),
    "Conv2D": (f"filters kernel_size strides padding data_format dilation_rate groups {_WEIGHTED}"),
    "Cropping2D": "cropping data_format",
    "Dense": f"units {_WEIGHTED} lora_rank lora_alpha quantization_config",
    "Dropout": "rate noise_shape seed",
    "ELU": "alpha",
    "Flatten": "data_format",
    "GaussianDropout": "rate seed",
    "GaussianNoise": "stddev seed",
    "GlobalAveragePooling2D": "data_format keepdims",
    "GlobalMaxPooling2D": "data_format keepdims",
    "Identity": "",
    "InputLayer": ("shape batch_size dtype sparse ragged batch_shape input_tensor optional name"),
    "LeakyReLU": "negative_slope",
    "MaxPooling2D": _POOLING,
    "PReLU": "alpha_initializer alpha_regularizer alpha_constraint shared_axes",
    "Permute": "dims",
    "ReLU": "max_value negative_slope threshold",
    "Rescaling": "scale offset",
    "Reshape": "target_shape",
    "Softmax": "axis",
    "SpatialDropout2D": "rate data_format seed name dtype",
    "UpSampling2D": "size data_format interpolation",
    "ZeroPadding2D": "padding data_format",
}

# Keras 1 and 2, of all layers; where a layer has not today's argument the older one is unknown.
OLDER = {
    "W_constraint": "kernel_constraint",
    "W_regularizer": "kernel_regularizer",
    "b_constraint": "bias_constraint",
    "b_regularizer": "bias_regularizer",
    "beta_init": "beta_initializer",
    "bias": "use_bias",
    "border_mode": "padding",
    "dim_ordering": "data_format",
    "dims": "target_shape",
    "gamma_init": "gamma_initializer",
    "init": "kernel_initializer",
    "nb_filter": "filters",
    "output_dim": "units",
    "p": "rate",
    "sigma": "stddev",
    "subsample": "strides",
    "alpha": "negative_slope",
}
_ORDERINGS = {"tf": "channels_last", "th": "channels_first"}
# The order of Keras 1, behind Convolution2D(nb_filter, nb_row, nb_col.
_CONVOLUTION = (
    "init activation weights border_mode subsample dim_ordering W_regularizer b_regularizer "
    "activity_regularizer W_constraint b_constraint bias"
)


def complete(cls: type[Layer]) -> None:
    """Give a class Keras's signature: positions, older names, refusals in a sentence."""
    owner, names = cls.__name__, ARGUMENTS[cls.__name__].split()
    own = cls.__init__
    known: dict[str, inspect.Parameter] = {}
    for parent in cls.__mro__:
        known = {**signature_of(parent), **known}
    meaningless = {name: NEUTRAL[name][0][0] for name in names if name not in known}
    defaults = {name: given.default for name, given in known.items()} | meaningless
    order = [parameter(name, defaults[name]) for name in names]

    @functools.wraps(own)
    def init(self: Any, **given: Any) -> None:
        given = {**meaningless, **given}
        weights = given.pop("weights", None)
        if given.get("data_format") in _ORDERINGS:
            given["data_format"] = _ORDERINGS[given["data_format"]]
        own(self, **given)
        if weights is not None:
            self._given_weights = weights

    older = {old: new for old, new in OLDER.items() if new in names and old not in names}
    init = spellings(owner, older)(in_order(owner, init, order))
    cls.__init__ = init  # type: ignore[method-assign]


class Convolution2D(Conv2D):
    """Keras 1's name of ``Conv2D``: ``Convolution2D(8, 3, 3)`` has kernels of 3 rows, 3 columns."""

    def __new__(cls, *arguments: Any, **keywords: Any) -> Any:
        """Return a ``Conv2D``; only a class of one's own derived from this one stays itself."""
        if cls is not Convolution2D:
            return super().__new__(cls)
        if isinstance(keywords.get("nb_row"), int):
            rows, columns = keywords.pop("nb_row"), keywords.pop("nb_col")
            arguments = (*arguments[:1], rows, columns)
            if not arguments[1:]:
                keywords["kernel_size"] = (rows, columns)
        if len(arguments) > 2 and all(isinstance(size, int) for size in arguments[1:3]):
            filters, rows, columns, *rest = arguments
            warnings.warn(
                f"Convolution2D: rows and columns by themselves are an older spelling. Write "
                f"Conv2D({filters}, ({rows}, {columns})).",
                FutureWarning,
                stacklevel=2,
            )
            arguments = (filters, (rows, columns))
            keywords = {**dict(zip(_CONVOLUTION.split(), rest, strict=False)), **keywords}
        return Conv2D(*arguments, **keywords)


def complete_all(layers: Iterable[type[Layer]]) -> None:
    """Give classes Keras's signatures, and Keras 1's name of ``Conv2D`` that of ``Conv2D``."""
    for cls in layers:
        complete(cls)
    Convolution2D.__signature__ = inspect.signature(Conv2D)  # type: ignore[attr-defined]
