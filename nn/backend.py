"""What scripts ask ``keras.backend`` for, where the answer is always the same here."""

from __future__ import annotations

from nn.runtime import backend

__all__ = ["backend", "epsilon", "floatx", "image_data_format"]


def image_data_format() -> str:
    """Return ``"channels_last"``: images are (N, H, W, C)."""
    return "channels_last"


def floatx() -> str:
    """Return ``"float32"``, the dtype models train in."""
    return "float32"


def epsilon() -> float:
    """Return 1e-7, the fuzz that keeps divisions and logarithms finite."""
    return 1e-7
