"""Pictures of a training: learning curves, confusion matrix, most confident mistakes.

matplotlib belongs to the extra ``plots`` and is imported when a picture is drawn, by its
object-oriented interface, which needs no display and changes no global state.
"""

from __future__ import annotations

import importlib.util
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nn.atomic import write_atomically

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Okabe and Ito's colours, distinct for colour-blind readers; the line styles differ too.
BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#666666"


def available() -> bool:
    """Return whether matplotlib is installed."""
    return importlib.util.find_spec("matplotlib") is not None


def _figure(width: float, height: float) -> Figure:
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), dpi=110, layout="constrained")


def learning_curves(history: Mapping[str, Sequence[float]], best_epoch: int) -> Figure:
    """Draw loss and error by epoch, training and validation.

    The history has ``loss``, ``accuracy``, ``val_loss`` and ``val_accuracy``, a number an epoch;
    the weights of `best_epoch`, counted from 1, were kept.
    """
    from matplotlib.ticker import LogLocator, NullFormatter

    figure = _figure(9, 3.6)
    loss_axes, error_axes = figure.subplots(1, 2)
    epochs = np.arange(1, len(history["loss"]) + 1)
    for axes, key in ((loss_axes, "loss"), (error_axes, "accuracy")):
        for prefix, name, colour, style in (
            ("", "training (with dropout)", GREY, "--"),
            ("val_", "validation", BLUE, "-"),
        ):
            values = np.asarray(history[prefix + key], dtype=np.float64)
            if key == "accuracy":
                values = 100 * (1 - values)
            axes.plot(epochs, values, style, color=colour, marker=".", label=name)
        axes.axvline(best_epoch, color=ORANGE, linewidth=1, linestyle=":")
        axes.annotate(
            "kept", (best_epoch, 1), xycoords=("data", "axes fraction"), color=ORANGE,
            xytext=(-3, -12), textcoords="offset points", ha="right",
        )  # fmt: skip
        axes.set(xlabel="epoch", title="loss, nats" if key == "loss" else "error, %")
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_formatter(NullFormatter())
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(alpha=0.3, which="both")
    loss_axes.legend(frameon=False)
    return figure


def confusion(matrix: NDArray[np.int64]) -> Figure:
    """Draw a confusion matrix, shape (K, K); mistakes are shaded."""
    K = len(matrix)
    figure = _figure(5.6, 5.4)
    axes = figure.subplots()
    mistakes = matrix.astype(np.float64)
    np.fill_diagonal(mistakes, 0)
    axes.imshow(mistakes, cmap="Oranges", vmin=0, vmax=max(1.0, mistakes.max() * 1.3))
    for i in range(K):
        for j in range(K):
            if matrix[i, j]:
                axes.text(
                    j, i, str(matrix[i, j]), ha="center", va="center", fontsize=8,
                    color=GREY if i == j else "black",
                )  # fmt: skip
    axes.set(
        xticks=range(K), yticks=range(K), xlabel="read as", ylabel="is",
        title=f"{int(mistakes.sum())} mistakes in {int(matrix.sum())}",
    )  # fmt: skip
    return figure


def confident_mistakes(
    images: NDArray[Any], labels: NDArray[Any], probabilities: NDArray[Any]
) -> Figure:
    """Draw the 32 mistakes with the highest probabilities (N, K), as thumbnails.

    Images are (N, H, W), ink bright; labels are (N,) integers.
    """
    predicted = probabilities.argmax(axis=1)
    wrong = np.flatnonzero(predicted != labels)
    surest = wrong[np.argsort(-probabilities[wrong, predicted[wrong]], kind="stable")][:32]
    columns = 8
    rows = max(1, -(-len(surest) // columns))
    figure = _figure(1.15 * columns, 1.45 * rows + 0.3)
    figure.suptitle(
        f"The {len(surest)} surest of {len(wrong)} mistakes" if len(surest) else "No mistakes"
    )
    for cell, axes in enumerate(figure.subplots(rows, columns, squeeze=False).flat):
        axes.axis("off")
        if cell < len(surest):
            i = surest[cell]
            axes.imshow(images[i], cmap="gray_r")
            share = 100 * probabilities[i, predicted[i]]
            axes.set_title(f"{labels[i]} read as {predicted[i]}\n{share:.0f} %", fontsize=8)
    return figure


def save(figure: Figure, path: Path) -> None:
    """Write ``figure`` to ``path`` as PNG, all of it or nothing."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    write_atomically(path, buffer.getvalue())
