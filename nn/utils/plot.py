"""A picture of a model: its layers as boxes, one below the other."""

from __future__ import annotations

import itertools
import os
from typing import TYPE_CHECKING, Any

from nn.spellings import spellings

if TYPE_CHECKING:
    from nn.models import Sequential

BOX = 3.2, 0.9  # inches


@spellings("plot_model")
def plot_model(
    model: Sequential,
    to_file: str | os.PathLike[str] = "model.png",
    show_shapes: bool = False,
    show_dtype: bool = False,
    show_layer_names: bool = False,
    rankdir: str = "TB",
    expand_nested: bool = False,
    dpi: int = 200,
    show_layer_activations: bool = False,
    show_trainable: bool = False,
    splines: str = "ortho",
) -> None:
    """Draw the layers of ``model`` into an image file.

    Parameters
    ----------
    model : Sequential
    to_file : path
        Its ending decides the format: .png, .pdf, .svg.
    show_shapes, show_dtype, show_layer_names, show_layer_activations, show_trainable : bool
        What stands in a box besides the class.
    rankdir : {"TB", "LR"}
        From top to bottom, or from left to right.
    expand_nested : bool
        Draw the layers of a model inside the model.
    dpi : int
        Dots an inch.
    splines : str
        Changes nothing: the arrows are straight.

    Raises
    ------
    ImportError
        Without matplotlib.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise ImportError(
            "plot_model: matplotlib is missing. pip install matplotlib brings it; model.summary() "
            "prints the same."
        ) from None
    if rankdir not in ("TB", "LR"):
        raise ValueError(f"plot_model: expected rankdir 'TB' or 'LR', received {rankdir!r}.")

    def lines(layer: Any) -> list[str]:
        activation = getattr(layer, "activation", None)
        return [
            *([layer.name] if show_layer_names else []),
            type(layer).__name__,
            *([f"activation {activation.name}"] if show_layer_activations and activation else []),
            *([f"{layer.input_shape} → {layer.output_shape}"] if show_shapes else []),
            *([str(layer.dtype)] if show_dtype else []),
            *(["trainable" if layer.trainable else "frozen"] if show_trainable else []),
        ]

    model.build()
    boxes = ["\n".join(lines(y)) for y in (model.row if expand_nested else model.layers)]
    down = rankdir == "TB"
    width, height = BOX[0], BOX[1] * max(1, max(box.count("\n") for box in boxes) * 0.5)
    step = height + 0.5 if down else width + 0.5
    size = (width + 0.4, step * len(boxes)) if down else (step * len(boxes), height + 0.4)
    figure = Figure(figsize=size)
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, size[0]), ylim=(0, size[1]))
    axes.set_axis_off()
    along = [step * (i + 0.5) for i in range(len(boxes))]
    places = [(size[0] / 2, size[1] - a) if down else (a, size[1] / 2) for a in along]
    frame = {"boxstyle": "round,pad=0.4", "facecolor": "white", "edgecolor": "black"}
    texts = [axes.text(*place, box, ha="center", va="center", bbox=frame, zorder=2)
             for place, box in zip(places, boxes, strict=True)]  # fmt: skip
    for first, second in itertools.pairwise(texts):
        arrow = {"arrowstyle": "-|>", "patchA": first.get_bbox_patch(),
                 "patchB": second.get_bbox_patch()}  # fmt: skip
        axes.annotate("", second.get_position(), first.get_position(), arrowprops=arrow)
    figure.savefig(to_file, dpi=dpi)
