"""``model.summary()``: the layers as a table, and how many weights they have."""

from __future__ import annotations

import itertools
import re
import textwrap
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from nn.reference import Array

if TYPE_CHECKING:
    from nn.models import Sequential

WIDTH = 44
"""Characters of a column of the plan before its text goes on in the next line."""


def print_summary(
    model: Sequential,
    line_length: int | None = None,
    positions: Sequence[float] | None = None,
    print_fn: Callable[[str], Any] | None = None,
    expand_nested: bool = False,
    show_trainable: bool = False,
    layer_range: Sequence[str] | None = None,
    describe: Callable[[], Sequence[Sequence[Any]]] | None = None,
) -> None:
    """Print the layers, their output shapes and weights, and the plan if ``describe`` is given.

    Parameters
    ----------
    model : Sequential
        Built or not.
    line_length : int, optional
        Characters of a line. Default: what the columns need.
    positions : sequence of float, optional
        Where each column ends: characters, or fractions of the line.
    print_fn : callable, optional
        Called once a line. Default ``print``.
    expand_nested : bool
        List the layers of models inside the model.
    show_trainable : bool
        Say of each layer with weights whether they are trained.
    layer_range : (str, str), optional
        Names of the first and the last layer to be listed, or regular expressions.
    describe : callable, optional
        Returns the rows of the fast stage's plan: stage, layers, kernels, bytes for a batch.

    Raises
    ------
    ValueError
        If ``layer_range`` fits no layers, or the columns are too narrow.
    """
    print_fn = print_fn or print
    heading = ["Layer (type)", "Output Shape", "Param #", *(["Trainable"] * show_trainable)]
    rows = [row for y in _ranged(model.layers, layer_range) for row in _rows(y, expand_nested)]
    print_fn(f'Model: "{model.name}"')
    cells = [heading, *(row[: len(heading)] for row in rows)]
    _table(cells, print_fn, _widths(len(heading), line_length, positions))
    slots = model.optimizer.slots.values() if model.compiled else ()
    began = model.compiled and model.optimizer.iterations > 0
    # Keras counts the optimiser's numbers once there are any: two of its own, and its slots.
    extra = [a for arrays in slots for a in arrays] if began else []
    trained, fixed = model.trainable_weights, model.non_trainable_weights
    own = (2, 12) if began else (0, 0)
    print_fn(f"Total params: {_sized([*trained, *fixed, *extra], *own)}")
    print_fn(f"Trainable params: {_sized(trained)}")
    print_fn(f"Non-trainable params: {_sized(fixed)}")
    if began:
        print_fn(f"Optimizer params: {_sized(extra, *own)}")
    if describe is not None:
        print_fn("")
        _table([("Stage", "Layers", "Kernels", "Bytes"), *_folded(describe())], print_fn)


def _rows(layer: Any, expand_nested: bool, level: int = 0) -> Iterable[list[str]]:
    """Return the row of a layer, and those of the layers inside it."""
    mark = "   " * level + "└ " if level else ""
    shape = str(layer.output_shape) if layer.built else "?"
    count = f"{layer.count_params():,}" if layer.built else "0 (unbuilt)"
    trained = ("Y" if layer.trainable else "N") if layer.weights else "-"
    yield [f"{mark}{layer.name} ({type(layer).__name__})", shape, count, trained]
    for inner in getattr(layer, "layers", ()) if expand_nested else ():
        yield from _rows(inner, True, level + 1)


def _ranged(layers: list[Any], layer_range: Sequence[str] | None) -> list[Any]:
    """Return the layers from one name to the other."""
    if layer_range is None:
        return layers
    if isinstance(layer_range, str) or len(layer_range) != 2:
        raise ValueError(f"layer_range: expected two names of layers, received {layer_range!r}.")
    found = [[i for i, y in enumerate(layers) if re.match(name, y.name)] for name in layer_range]
    if not all(found):
        names = ", ".join(layer.name for layer in layers)
        raise ValueError(
            f"layer_range: expected names out of {names}, received {tuple(layer_range)!r}."
        )
    first, last = sorted((found[0][0], found[1][-1]))
    return layers[first : last + 1]


def _sized(arrays: Sequence[Array], more: int = 0, more_bytes: int = 0) -> str:
    """Return how many numbers there are, and how many bytes, as Keras writes it."""
    size, power = sum(a.nbytes for a in arrays) + more_bytes, 0
    while size >= 1024 ** (power + 1) and power < 3:
        power += 1
    unit = ("B", "KB", "MB", "GB")[power]
    return f"{sum(a.size for a in arrays) + more:,} ({size / 1024**power:.2f} {unit})"


def _widths(columns: int, length: int | None, positions: Sequence[float] | None) -> list[int]:
    """Return the columns' widths for Keras's ``line_length`` and ``positions``; [] without."""
    if length is None and positions is None:
        return []
    ends = list(positions or [0.45, 0.8, 1.0])
    if len(ends) < columns:
        ends = [end * 0.9 for end in ends] + [1.0 if ends[-1] <= 1 else ends[-1]]
    if ends[-1] <= 1:
        ends = [int(end * (length or 88)) for end in ends]
    widths = [int(end - start) for start, end in zip([0, *ends], ends, strict=False)]
    if min(widths) < 4:
        raise ValueError(
            f"summary: expected columns of 4 characters or more, received {widths}. Set "
            "line_length or positions."
        )
    return widths


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


def _table(
    rows: Sequence[Sequence[Any]], print_fn: Callable[[str], Any], wanted: Sequence[int] = ()
) -> None:
    texts = [[str(cell) for cell in row] for row in rows]
    if wanted:
        texts = [[c[: w - 2] for c, w in zip(row, wanted, strict=False)] for row in texts]
    widths = [max(len(row[column]) for row in texts) for column in range(len(texts[0]))]
    widths = [width - 2 for width in wanted[: len(widths)]] or widths
    texts.insert(1, ["-" * width for width in widths])
    for row in texts:
        print_fn("  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip())
