"""What breaks the contract of ``Layer``, each in one sentence: for authors of layers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from nn.reference import Shape

if TYPE_CHECKING:
    from nn.layers.base import Layer


def check_instance(owner: str, base: type, value: Any) -> None:
    """Refuse what is no usable ``base`` (``Layer``): a class, or one whose init is unfinished.

    Raises
    ------
    TypeError
        With the remedy.
    """
    if isinstance(value, type) and issubclass(value, base):
        name = value.__name__
        raise TypeError(
            f"{owner}: expected a layer, received the class {name}. Make one: {name}(…)."
        )
    if not isinstance(value, base):
        raise TypeError(f"{owner}: expected a layer, received {value!r}.")
    if "params" not in vars(value):
        raise TypeError(
            f"{owner}: {type(value).__name__} is not initialised. Call super().__init__(**common) "
            "first in its __init__."
        )


def check_unbuilt(layer: Layer) -> None:
    """Refuse weights made before ``build``, which would be lost."""
    early = [*layer.params, *layer.state]
    if early and not layer.built:
        raise TypeError(
            f"{layer.name}: expected no weights before build, received {', '.join(early)} in "
            "__init__. Make them in create_weights(rng), where x_shape and dtype are known."
        )


def settle_weights(layer: Layer) -> None:
    """Give the weights a layer has just created the layer's dtype; refuse what is no array.

    What its argument ``weights`` was given takes the place of what was drawn.
    """
    for kind in (layer.params, layer.state):
        for name, value in kind.items():
            array = np.asarray(value)
            if array.dtype.kind not in "iuf":
                raise TypeError(
                    f"{layer.name}: expected an array of numbers for {name!r}, received {value!r}."
                )
            kind[name] = np.ascontiguousarray(array, layer.dtype).reshape(array.shape)
    given = vars(layer).pop("_given_weights", None)
    if given is not None:
        layer.set_weights(given)


def wrong_result(layer: Layer, method: str, received: Any, expected: Shape) -> Exception:
    """Return the error for what ``method`` returned in place of an array of shape ``expected``."""
    if not isinstance(received, np.ndarray):
        kind = "nothing" if received is None else repr(type(received).__name__)
        return TypeError(
            f"{layer.name}: expected {method} to return an array of shape {expected}, received "
            f"{kind}. Does it end in return?"
        )
    remedy = (
        " Define _output_shape(x_shape)." if method == "_forward" else " dx has the shape of x."
    )
    return ValueError(
        f"{layer.name}: expected {method} to return shape {expected}, received {received.shape}."
        f"{remedy}"
    )


def check_gradients(layer: Layer) -> None:
    """Refuse ``grads`` whose names or shapes are not those of ``params``."""
    if layer.grads.keys() != layer.params.keys():
        raise ValueError(
            f"{layer.name}: expected grads for {', '.join(layer.params) or 'no weights'}, received "
            f"{', '.join(layer.grads) or 'none'}. Assign self.grads[name] in _backward, by the "
            "names of params."
        )
    for name, weights in layer.params.items():
        if layer.grads[name].shape != weights.shape:
            raise ValueError(
                f"{layer.name}: expected grads[{name!r}] of shape {weights.shape}, that of "
                f"params[{name!r}], received {layer.grads[name].shape}."
            )
