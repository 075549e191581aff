"""Draw the pictures of the guided tour: ``python docs/make_pictures.py`` (needs the extra plots).

No data set is needed: the stroke generator makes the digit, the shipped weights recognise it.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import nn  # noqa: E402 - the checkout this file lies in, installed or not
from nn import drawing, reference, synthetic  # noqa: E402
from nn.train.pictures import BLUE, GREY, ORANGE  # noqa: E402

PICTURES = ROOT / "docs" / "pictures"


def figure(width: float, height: float) -> Figure:
    """Return an empty figure; width and height in inches."""
    return Figure(figsize=(width, height), dpi=110, layout="constrained")


def save(drawn: Figure, name: str) -> None:
    """Write a picture of the tour."""
    drawn.savefig(PICTURES / name, metadata={"Software": None})


def written_digit(digit: int = 4) -> list[np.ndarray]:
    """Return the strokes of a digit from the stroke generator."""
    drawings, labels, _ = synthetic.generate_strokes(200, seed=3)
    return drawings[int(np.flatnonzero(labels == digit)[0])]


def flow() -> None:
    """Draw a digit, some feature maps after each layer, and the ten probabilities."""
    model = nn.load_model(ROOT / "weights" / "mnist.h5")
    x = drawing.strokes_to_mnist(written_digit())[None, ..., None]
    stages = [("input\n28×28", x)]
    for layer in model.layers:
        x = layer.forward(x)
        if x.ndim == 4:
            _, H, W, C = x.shape
            name = "convolution" if type(layer).__name__ == "Conv2D" else "max pooling"
            stages.append((f"{name}\n{H}×{W}×{C}", x))
    drawn = figure(11, 3.4)
    columns = drawn.subfigures(1, len(stages) + 1, width_ratios=[1.3] + [2] * 4 + [1.9])
    for column, (title, maps) in zip(columns, stages, strict=False):
        column.suptitle(title, fontsize=9)
        if maps.shape[-1] == 1:
            axes = column.subplots()
            axes.imshow(maps[0, ..., 0], cmap="gray_r")
            axes.axis("off")
            continue
        strongest = np.sort(np.argsort(-maps[0].sum(axis=(0, 1)))[:12])
        for axes, k in zip(column.subplots(4, 3).flat, strongest, strict=True):
            axes.imshow(maps[0, ..., k], cmap="viridis")
            axes.axis("off")
    axes = columns[-1].subplots()
    columns[-1].suptitle("dense layers\nand softmax", fontsize=9)
    axes.barh(range(10), 100 * x[0], color=BLUE)
    axes.set(yticks=range(10), xlim=(0, 100), xlabel="probability, %")
    axes.invert_yaxis()
    axes.spines[["top", "right"]].set_visible(False)
    save(drawn, "flow.png")


def _grid(axes, values, title, colour=None, cells=()):
    H, W = values.shape
    axes.set(xlim=(-0.6, W - 0.4), ylim=(H - 0.4, -0.6), aspect="equal")
    axes.axis("off")
    axes.set_title(title, fontsize=10)
    for i in range(H):
        for j in range(W):
            axes.add_patch(Rectangle((j - 0.5, i - 0.5), 1, 1, fill=False, edgecolor="#bbbbbb"))
            axes.text(j, i, f"{values[i, j]:g}", ha="center", va="center", fontsize=11)
    for i, j, height, width in cells:
        axes.add_patch(
            Rectangle(
                (j - 0.5, i - 0.5), width, height, facecolor=colour, alpha=0.25, edgecolor=colour,
                linewidth=2,
            )
        )  # fmt: skip


def convolution() -> None:
    """Draw the example worked by hand in the tour: forward and backward."""
    pads = ((0, 0), (0, 0))
    x = np.arange(1.0, 10).reshape(1, 3, 3, 1)
    kernel = np.array([[1.0, 2], [3, 4]]).reshape(2, 2, 1, 1)
    dy = np.array([[1.0, 0], [0, 2]]).reshape(1, 2, 2, 1)
    y = reference.conv2d_forward(x, kernel, None, (1, 1), pads)
    dx = reference.conv2d_backward_input(dy, kernel, x.shape, (1, 1), pads)
    drawn = figure(9, 2.6)
    axes = drawn.subplots(1, 5, width_ratios=[3, 2, 2, 2, 3])
    _grid(axes[0], x[0, ..., 0], "x", BLUE, [(0, 0, 2, 2)])
    _grid(axes[1], kernel[..., 0, 0], "kernel")
    _grid(axes[2], y[0, ..., 0], "y: 1·1 + 2·2 + 4·3 + 5·4 = 37", BLUE, [(0, 0, 1, 1)])
    _grid(axes[3], dy[0, ..., 0], "dy", ORANGE, [(0, 0, 1, 1), (1, 1, 1, 1)])
    _grid(axes[4], dx[0, ..., 0], "dx: 1·kernel + 2·kernel", ORANGE, [(0, 0, 2, 2), (1, 1, 2, 2)])
    save(drawn, "convolution.png")


def gradcheck() -> None:
    """Draw the error of central differences against the step, in both precisions."""
    rng = np.random.default_rng(0)
    steps = 10.0 ** np.arange(-11, 0.1, 0.5)
    drawn = figure(6, 3.4)
    axes = drawn.subplots()
    x64 = rng.normal(size=(2, 8))
    target = np.eye(8)[[2, 5]]
    for dtype, colour, style in ((np.float64, BLUE, "-"), (np.float32, ORANGE, "--")):
        x, targets = x64.astype(dtype), target.astype(dtype)
        _, probabilities = reference.softmax_crossentropy_forward(x64, target)
        exact = reference.softmax_crossentropy_backward(probabilities, target)
        errors = []
        for step in steps:
            numerical = np.empty_like(exact)
            for index in np.ndindex(*x.shape):
                moved = []
                for sign in (1, -1):
                    z = x.copy()
                    z[index] += dtype(sign * step)
                    moved.append(reference.softmax_crossentropy_forward(z, targets)[0].mean())
                numerical[index] = (float(moved[0]) - float(moved[1])) / (2 * step)
            errors.append(np.abs(numerical - exact).max() / np.abs(exact).max())
        axes.loglog(steps, np.maximum(errors, 1e-16), style, color=colour, label=dtype.__name__)
    axes.axvline(1e-5, color=GREY, linewidth=1, linestyle=":")
    axes.annotate("used here", (1e-5, 1), color=GREY, xytext=(4, -2), textcoords="offset points")
    axes.set(xlabel="step ε", ylabel="relative error", title="softmax and cross-entropy")
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    save(drawn, "gradcheck.png")


def normalise() -> None:
    """Draw a digit on the canvas and the steps that bring it to MNIST's form."""
    strokes = written_digit()
    steps = drawing.strokes_to_mnist_steps(strokes)
    left, top, right, bottom = steps.box
    square_left, square_top, side = steps.square
    drawn = figure(10, 2.9)
    canvas, box, small, result = drawn.subplots(1, 4)
    for axes, title in (
        (canvas, "1  the drawing"),
        (box, "2  box, made square"),
        (small, "3  20×20, pen of MNIST's width"),
        (result, "4  centre of mass in the middle"),
    ):
        axes.set_title(title, fontsize=9)
        axes.set(xticks=[], yticks=[], aspect="equal")
    for axes in (canvas, box):
        for stroke in strokes:
            axes.plot(*stroke[:, :2].T, color="black", linewidth=3, solid_capstyle="round")
    margin = 0.6 * side
    canvas.set(
        xlim=(square_left - margin, square_left + side + 2 * margin),
        ylim=(square_top + side + margin, square_top - 2 * margin),
    )
    box.add_patch(Rectangle((left, top), right - left, bottom - top, fill=False, edgecolor=BLUE))
    box.add_patch(
        Rectangle((square_left, square_top), side, side, fill=False, edgecolor=ORANGE, ls="--")
    )
    pad = 0.05 * side
    box.set(
        xlim=(square_left - pad, square_left + side + pad),
        ylim=(square_top + side + pad, square_top - pad),
    )
    small.imshow(steps.small, cmap="gray_r")
    small.plot(*steps.mass, "+", color=ORANGE, markersize=14, markeredgewidth=2)
    result.imshow(steps.image, cmap="gray_r")
    result.axhline(14, color=ORANGE, linewidth=0.8)
    result.axvline(14, color=ORANGE, linewidth=0.8)
    dx, dy = steps.shift
    result.add_patch(Rectangle((dx - 0.5, dy - 0.5), 20, 20, fill=False, edgecolor=BLUE))
    save(drawn, "normalise.png")


if __name__ == "__main__":
    PICTURES.mkdir(exist_ok=True)
    for draw in (convolution, gradcheck, normalise, flow):
        draw()
        print(f"docs/pictures/{draw.__name__}.png")
