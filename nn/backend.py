"""What scripts ask ``keras.backend`` for, where the answer is always the same here."""

from __future__ import annotations

from nn.runtime import backend
from nn.spellings import missing_names

__all__ = [
    "backend",
    "clear_session",
    "epsilon",
    "floatx",
    "image_data_format",
    "image_dim_ordering",
    "is_keras_tensor",
    "set_epsilon",
    "set_floatx",
    "set_image_data_format",
    "set_image_dim_ordering",
]


def image_data_format() -> str:
    """Return ``"channels_last"``: images are (N, H, W, C)."""
    return "channels_last"


def floatx() -> str:
    """Return ``"float32"``, the dtype models train in."""
    return "float32"


def epsilon() -> float:
    """Return 1e-7, the fuzz that keeps divisions and logarithms finite."""
    return 1e-7


def clear_session(free_memory: bool = True) -> None:
    """Do nothing: a model belongs to whoever holds it, and names count anew in every model."""


def is_keras_tensor(x: object) -> bool:
    """Return whether ``x`` is a tensor that ``Input`` or a layer called on one returned."""
    return hasattr(x, "parts") and hasattr(x, "through")


def set_image_data_format(data_format: str) -> None:
    """Accept ``"channels_last"``; ValueError for another."""
    _only("data_format", data_format, "channels_last", "Transpose the images: x[..., None].")


def set_floatx(value: str) -> None:
    """Accept ``"float32"``; ValueError for another."""
    _only("floatx", value, "float32", 'Use Sequential(dtype="float64") to check gradients.')


def set_epsilon(value: float) -> None:
    """Accept 1e-7; ValueError for another."""
    _only("epsilon", value, 1e-7, "Losses and optimisers have an epsilon of their own.")


def image_dim_ordering() -> str:
    """Return ``"tf"``: Keras 1's name of ``"channels_last"``."""
    return "tf"


def set_image_dim_ordering(dim_ordering: str) -> None:
    """Accept ``"tf"``; ValueError for another."""
    _only("dim_ordering", dim_ordering, "tf", "Transpose the images: x.transpose(0, 2, 3, 1).")


def _only(argument: str, received: object, expected: object, remedy: str) -> None:
    if received != expected:
        raise ValueError(f"{argument}: expected {expected!r}, received {received!r}. {remedy}")


__getattr__ = missing_names(__name__)
