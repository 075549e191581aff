"""Small helpers under the names Keras gives them."""

from __future__ import annotations

import inspect
import itertools
import textwrap
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nn.reference import Array, Shape
from nn.registered import serialized

if TYPE_CHECKING:
    from nn.models import Sequential

WIDTH = 44
"""Characters of a column of a summary before its text goes on in the next line."""

_seeds: np.random.SeedSequence | None = None


def set_random_seed(seed: int) -> None:
    """Make every model created from now on without a seed of its own repeatable.

    Raises
    ------
    ValueError
        If ``seed`` is not a whole number from 0.
    """
    global _seeds
    _seeds = seed_sequence(seed)


def seed_sequence(seed: int | None = None) -> np.random.SeedSequence:
    """Return the seed sequence of ``seed``; without one, the next of ``set_random_seed``."""
    if seed is None:
        return np.random.SeedSequence() if _seeds is None else _seeds.spawn(1)[0]
    if not isinstance(seed, int | np.integer) or isinstance(seed, bool) or seed < 0:
        raise ValueError(f"seed: expected a whole number from 0, received {seed!r}.")
    return np.random.SeedSequence(int(seed))


def to_categorical(
    x: Any, num_classes: int | None = None, dtype: npt.DTypeLike = np.float32
) -> Array:
    """Return labels as one-hot rows.

    Parameters
    ----------
    x : array of int, (N,) or (N, 1)
        Labels from 0.
    num_classes : int, optional
        Length of a row; default: the largest label + 1.
    dtype : float dtype

    Returns
    -------
    array (N, num_classes)

    Raises
    ------
    ValueError
        If a label is not a whole number in [0, num_classes).
    """
    labels = np.asarray(x)
    if labels.ndim > 1 and labels.shape[-1] == 1:
        labels = labels.reshape(labels.shape[:-1])
    whole = labels.astype(np.int64) if labels.dtype.kind in "iufb" else None
    if whole is None or not np.array_equal(whole, labels):
        raise ValueError(
            f"to_categorical: expected whole-number labels, received {labels.dtype} "
            f"{labels.ravel()[:3].tolist()}…"
        )
    K = num_classes or (int(whole.max()) + 1 if whole.size else 0)
    if whole.size and (whole.min() < 0 or whole.max() >= K):
        raise ValueError(
            f"to_categorical: expected labels from 0 to {K - 1}, received "
            f"{int(whole.min())} to {int(whole.max())}."
        )
    rows: Array = np.zeros((*whole.shape, K), dtype=dtype)
    np.put_along_axis(rows, whole[..., None], 1, axis=-1)
    return rows


def config_of(instance: Any, base: type, *left_out: str) -> dict[str, Any]:
    """Return the arguments that make ``instance`` again: attributes named as its parameters.

    The parameters are those of ``__init__`` of the class and, where that hands on further
    keywords, of its parents up to ``base``.
    """
    names: dict[str, None] = {}
    for cls in (c for c in type(instance).__mro__ if issubclass(c, base) and "__init__" in vars(c)):
        parameters = inspect.signature(vars(cls)["__init__"]).parameters.values()
        named = (p.name for p in parameters if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL))
        names.update(dict.fromkeys(named))
        if not any(p.kind == p.VAR_KEYWORD for p in parameters):
            break
    names = {name: None for name in names if name not in ("self", *left_out)}
    return {name: described(getattr(instance, name)) for name in names}


def described(value: Any) -> Any:
    """Return ``value`` as a configuration says it: by its identifier, or class name and config."""
    if hasattr(value, "identifier"):
        return value.identifier
    if hasattr(value, "get_config"):
        return serialized(value)
    return value


def print_summary(
    model: Sequential,
    print_fn: Callable[[str], Any],
    describe: Callable[[], Sequence[Sequence[Any]]] | None,
) -> None:
    """Print the layers, their output shapes and weights, and the plan if ``describe`` is given.

    Parameters
    ----------
    model : Sequential
    print_fn : callable
        Called once a line.
    describe : callable, optional
        Returns the rows of the fast stage's plan: stage, layers, kernels, bytes for a batch.
    """
    model.build()
    print_fn(f"Model {model.name!r}, input {_with_batch(model.x_shape)}")
    rows: list[Sequence[Any]] = [("Layer", "Output shape", "Parameters")]
    for layer in model.layers:
        kind = f"{layer.name} ({type(layer).__name__})"
        rows.append((kind, _with_batch(layer.y_shape), f"{layer.count_params():,}"))
    _table(rows, print_fn)
    fixed = sum(w.size for layer in model.layers for w in layer.state.values())
    total = model.count_params()
    print_fn(f"Parameters: {total:,} ({total - fixed:,} trained, {fixed:,} not)")
    if describe is not None:
        print_fn("")
        _table([("Stage", "Layers", "Kernels", "Bytes"), *_folded(describe())], print_fn)


def _folded(plan: Sequence[Sequence[Any]]) -> list[Sequence[Any]]:
    """Spread what is long in a row of the plan over several lines."""
    rows: list[Sequence[Any]] = []
    for stage, layers, kernels, size in plan:
        held = f"{size:,}" if isinstance(size, int) else size
        left = textwrap.wrap(layers, WIDTH, break_long_words=False) or [""]
        right = textwrap.wrap(kernels, WIDTH, break_long_words=False) or [""]
        for line, (names, how) in enumerate(itertools.zip_longest(left, right, fillvalue="")):
            rows.append(("" if line else stage, names, how, "" if line else held))
    return rows


def _with_batch(shape: Shape) -> str:
    return f"(N, {', '.join(map(str, shape))})"


def _table(rows: Sequence[Sequence[Any]], print_fn: Callable[[str], Any]) -> None:
    texts = [[str(cell) for cell in row] for row in rows]
    widths = [max(len(row[column]) for row in texts) for column in range(len(texts[0]))]
    texts.insert(1, ["-" * width for width in widths])
    for row in texts:
        print_fn("  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip())
