"""Is a backward pass right? Compare it with small differences of the forward pass.

``check(layer, input_shape)`` does it for a layer, yours or ours; ``python -m nn.gradcheck`` does it
for every layer, the losses and the whole digit network on both backends and prints a table.

How: draw a random weighting R of the outputs and watch the single number L = sum(R * y). Its
derivative by one input element is (L(x + eps) - L(x - eps)) / (2 eps) up to O(eps**2), and
``backward(R)`` must say the same. All in float64. R is random on purpose: with R = 1 errors cancel
(a softmax's gradient would be 0). Points near a kink, such as a ReLU at 0, have no derivative to
compare with and must be kept away from (see ``away_from_kinks``).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from nn import losses, runtime
from nn.activations import ACTIVATIONS
from nn.layers import (
    ELU,
    Activation,
    AveragePooling2D,
    BatchNormalization,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAveragePooling2D,
    Layer,
    LeakyReLU,
    MaxPooling2D,
    PReLU,
    ReLU,
    Rescaling,
    Reshape,
    Softmax,
    ZeroPadding2D,
)
from nn.models import Sequential
from nn.reference import Array, Shape
from nn.training import PlainEngine

EPS = 1e-5
RTOL = 1e-6


@dataclass(frozen=True)
class Result:
    """What was found for one array.

    Attributes
    ----------
    subject : str
        The layer or loss.
    array : str
        ``"x"`` or the name of a parameter.
    checked : int
        Elements compared.
    error : float
        Worst ``|analytic - numeric|`` relative to the array's largest gradient (or to 0.01, if all
        are smaller).
    passed : bool
    """

    subject: str
    array: str
    checked: int
    error: float
    passed: bool


def numeric_gradient(
    function: Callable[[], float], array: Array, indices: Sequence[int], eps: float = EPS
) -> Array:
    """Return the central differences of ``function()`` by elements of ``array``.

    Parameters
    ----------
    function : callable
        Reads ``array`` anew at every call and returns a float.
    array : float64 array
        Changed element by element and put back.
    indices : sequence of int
        Flat positions to differentiate by.
    eps : float
    """
    flat = array.reshape(-1)
    slopes = np.empty(len(indices))
    for position, index in enumerate(indices):
        before = flat[index]
        flat[index] = before + eps
        above = function()
        flat[index] = before - eps
        below = function()
        flat[index] = before
        slopes[position] = (above - below) / (2 * eps)
    return slopes


def compare(
    subject: str,
    name: str,
    function: Callable[[], float],
    array: Array,
    analytic: Array,
    rng: np.random.Generator,
    rtol: float = RTOL,
    limit: int | None = None,
    eps: float = EPS,
) -> Result:
    """Hold ``analytic`` against the central differences of ``function`` by ``array``.

    Parameters
    ----------
    limit : int, optional
        Compare at most this many elements, chosen by ``rng``; default all.
    eps : float
        Half the distance between the two points.
    """
    count = array.size
    indices = np.arange(count)
    if limit is not None and count > limit:
        indices = np.sort(rng.choice(count, limit, replace=False))
    if analytic.shape != array.shape:
        return Result(subject, name, 0, np.inf, False)
    numeric = numeric_gradient(function, array, indices.tolist(), eps)
    found = analytic.reshape(-1)[indices]
    scale = max(0.01, float(np.abs(numeric).max(initial=0)))
    error = float(np.abs(found - numeric).max(initial=0)) / scale
    return Result(subject, name, len(indices), error, bool(error <= rtol))


def away_from_kinks(rng: np.random.Generator, shape: Shape) -> Array:
    """Return float64 values with no two near each other and none near 0.

    Evenly spaced numbers in random order: a ReLU never sits on its kink, and no window of a max
    pooling has a near-tie.
    """
    size = int(np.prod(shape))
    values = (np.arange(size) - size / 2 + 0.25) * (4 / size)
    return rng.permutation(values).reshape(shape)


def check(
    layer: Layer,
    input_shape: Shape,
    batch: int = 2,
    seed: int = 0,
    rtol: float = RTOL,
    subject: str | None = None,
    limit: int | None = None,
) -> list[Result]:
    """Check the gradients of a layer by its input and by each of its parameters.

    Parameters
    ----------
    layer : Layer
        It is built here, in float64.
    input_shape : tuple of int
        Without the batch axis.
    batch : int
    seed : int
        For weights, input and the weighting of the outputs.
    rtol : float
        Largest relative error that passes.
    subject : str, optional
        What to call it in the results.
    limit : int, optional
        Elements to check an array; default all.

    Returns
    -------
    list of Result
        One for x and one for each parameter; further ones, failed, if the layer changed x or dy.
    """
    rng = np.random.default_rng(seed)
    layer.build(input_shape, rng, np.float64)
    for values in layer.params.values():
        values[...] = rng.normal(0, 0.5, values.shape)
    x = away_from_kinks(rng, (batch, *layer.x_shape))
    weighting = rng.standard_normal((batch, *layer.y_shape))
    state = {name: values.copy() for name, values in layer.state.items()}
    generator = getattr(layer, "rng", None)
    drawn = None if generator is None else generator.bit_generator.state

    def value() -> float:
        if generator is not None:  # the same dropout mask every time
            generator.bit_generator.state = drawn
        y = layer.forward(x, training=True)
        for name, values in state.items():
            layer.state[name][...] = values
        return float((weighting * y).sum())

    inputs, dy = x.copy(), weighting.copy()
    for _ in range(2):  # twice, because the second gradient must replace the first, not add to it
        value()
        dx = layer.backward(dy)
    missing = np.empty(0)
    grads = {name: layer.grads.get(name, missing).copy() for name in layer.params}
    title = subject or layer.name
    touched = {"x changed": (x, inputs), "dy changed": (dy, weighting)}
    results = [
        Result(title, what, now.size, np.inf, False)
        for what, (now, before) in touched.items()
        if not np.array_equal(now, before)
    ]
    results.append(compare(title, "x", value, x, dx, rng, rtol, limit))
    for name, values in layer.params.items():
        results.append(compare(title, name, value, values, grads[name], rng, rtol, limit))
    return results


def check_loss(loss: losses.Loss, seed: int = 0, subject: str | None = None) -> list[Result]:
    """Check the gradient of a loss by its predictions: 3 examples of 5 classes."""
    rng = np.random.default_rng(seed)
    N, K = 3, 5
    logits = rng.standard_normal((N, K))
    y_pred = logits if loss.from_logits else np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    labels = rng.integers(0, K, N)
    targets = loss.targets(labels, K, np.float64)

    def value() -> float:
        return float(loss.values(targets, y_pred).mean())

    dy = loss.gradient(targets, y_pred)
    return [compare(subject or loss.name, "y_pred", value, y_pred, dy, rng)]


def check_model(
    model: Sequential,
    batch: int = 3,
    seed: int = 0,
    limit: int | None = 40,
    subject: str | None = None,
    rtol: float = RTOL,
) -> list[Result]:
    """Check a whole compiled float64 model, from the loss back to every weight and to the input.

    Dropout layers keep their masks; ``limit`` elements an array are compared. A bias of the first
    layer moves thousands of ReLUs at once, so the step is so small that none crosses its kink.
    """
    eps = EPS / 10
    rng = np.random.default_rng(seed)
    x = rng.random((batch, *model.x_shape))
    y = rng.integers(0, model.y_shape[-1], batch)
    engine = PlainEngine(model)
    chance = model.random_state()

    def value() -> float:
        model.set_random_state(chance)
        return engine.loss_and_gradients(x, y)[0]

    value()
    title = subject or model.name
    grads = [(layer, name, g.copy()) for layer in model.row for name, g in layer.grads.items()]
    results = []
    for layer, name, analytic in grads:
        array = layer.params[name]
        label = f"{layer.name}.{name}"
        results.append(compare(title, label, value, array, analytic, rng, rtol, limit, eps))
    model.set_random_state(chance)
    probabilities = model.forward(x, training=True)
    targets = model.loss.targets(y, model.y_shape[-1], x.dtype)
    dx = model.backward(model.loss.gradient(targets, probabilities))
    results.append(compare(title, "x", value, x, dx, rng, rtol, limit, eps))
    return results


def digit_network(dtype: str = "float64", seed: int = 0) -> Sequential:
    """Return the digit network of this project, compiled, in ``dtype``."""
    from nn.train.recipes.presets import original_layers

    model = Sequential(original_layers(), name="digit network", seed=seed, dtype=dtype)
    model.compile("adadelta", "sparse_categorical_crossentropy", ["accuracy"])
    return model


# Every layer, over what can go wrong: kernel shapes, strides, paddings, overlapping windows.
# (what it is, how to make it, input shape without the batch axis)
CASES: list[tuple[str, Callable[[], Layer], Shape]] = [
    ("Conv2D 3x3", lambda: Conv2D(3, 3), (5, 5, 2)),
    ("Conv2D 1x1", lambda: Conv2D(2, 1), (3, 3, 3)),
    ("Conv2D 2x3 on 5x4", lambda: Conv2D(2, (2, 3)), (5, 4, 2)),
    ("Conv2D stride 2", lambda: Conv2D(2, 3, strides=2), (6, 7, 1)),
    ("Conv2D stride (1, 3)", lambda: Conv2D(2, (3, 2), strides=(1, 3)), (5, 8, 2)),
    ("Conv2D same", lambda: Conv2D(3, 3, padding="same"), (4, 5, 2)),
    ("Conv2D same, even kernel", lambda: Conv2D(2, (4, 2), padding="same"), (5, 5, 2)),
    ("Conv2D same, stride 2", lambda: Conv2D(2, 3, strides=2, padding="same"), (6, 5, 2)),
    ("Conv2D tanh", lambda: Conv2D(2, 3, activation="tanh"), (4, 4, 1)),
    ("Conv2D without bias", lambda: Conv2D(2, 2, use_bias=False), (4, 4, 2)),
    ("Conv2D 9 filters, 9 channels", lambda: Conv2D(9, 3), (4, 4, 9)),
    ("MaxPooling2D 2x2", lambda: MaxPooling2D(2), (4, 6, 2)),
    ("MaxPooling2D odd size", lambda: MaxPooling2D(2), (5, 5, 2)),
    ("MaxPooling2D overlapping", lambda: MaxPooling2D(3, strides=1), (5, 4, 2)),
    ("MaxPooling2D same", lambda: MaxPooling2D(3, strides=2, padding="same"), (6, 5, 1)),
    ("AveragePooling2D 2x2", lambda: AveragePooling2D(2), (4, 5, 2)),
    ("AveragePooling2D same", lambda: AveragePooling2D(3, 2, "same"), (5, 6, 1)),
    ("GlobalAveragePooling2D", GlobalAveragePooling2D, (3, 4, 2)),
    ("ZeroPadding2D", lambda: ZeroPadding2D(((1, 0), (2, 1))), (3, 3, 2)),
    ("Flatten", Flatten, (2, 3, 2)),
    ("Reshape", lambda: Reshape((3, -1)), (2, 3, 2)),
    ("Rescaling", lambda: Rescaling(1 / 127.5, -1), (2, 3, 1)),
    ("Dense", lambda: Dense(4), (7,)),
    ("Dense elu", lambda: Dense(4, activation="elu"), (6,)),
    ("Dense softmax", lambda: Dense(5, activation="softmax"), (6,)),
    ("Dense without bias", lambda: Dense(3, use_bias=False), (5,)),
    ("Dropout", lambda: Dropout(0.4), (10,)),
    ("BatchNormalization", BatchNormalization, (3, 3, 2)),
    ("BatchNormalization of rows", lambda: BatchNormalization(epsilon=0.1), (6,)),
    ("BatchNormalization plain", lambda: BatchNormalization(center=False, scale=False), (3, 2, 2)),
    ("Conv2D gelu", lambda: Conv2D(2, 3, activation="gelu"), (4, 4, 1)),
    ("Dense silu", lambda: Dense(4, activation="silu"), (6,)),
    ("ReLU", ReLU, (3, 3, 2)),
    ("ReLU variant", lambda: ReLU(1.0, negative_slope=0.1, threshold=0.5), (12,)),
    ("PReLU", PReLU, (3, 3, 2)),
    ("PReLU by channel", lambda: PReLU(shared_axes=(1, 2)), (3, 2, 4)),
    ("LeakyReLU", LeakyReLU, (8,)),
    ("ELU", lambda: ELU(0.7), (8,)),
    ("Softmax", Softmax, (6,)),
    *((f"Activation {name}", lambda name=name: Activation(name), (7,)) for name in ACTIVATIONS),
]

LOSSES: list[tuple[str, Callable[[], losses.Loss]]] = [
    ("cross-entropy", losses.CategoricalCrossentropy),
    ("cross-entropy, logits", lambda: losses.CategoricalCrossentropy(from_logits=True)),
    ("cross-entropy, smoothed", lambda: losses.CategoricalCrossentropy(label_smoothing=0.1)),
    (
        "cross-entropy, logits, smoothed",
        lambda: losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1),
    ),
    ("sparse cross-entropy", losses.SparseCategoricalCrossentropy),
    ("sparse cross-entropy, logits", lambda: losses.SparseCategoricalCrossentropy(True)),
]


def check_everything() -> Iterator[Result]:
    """Check every layer, loss and the whole digit network on the backend in force."""
    for subject, make, input_shape in CASES:
        yield from check(make(), input_shape, subject=subject)
    for subject, make_loss in LOSSES:
        yield from check_loss(make_loss(), subject=subject)
    yield from check_model(digit_network(), limit=12)


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table; return 0 if everything passed, else 1."""
    parser = argparse.ArgumentParser(
        prog="python -m nn.gradcheck",
        description="Check every backward pass against central differences in float64.",
    )
    parser.add_argument(
        "--backend",
        choices=runtime.BACKENDS,
        help="check one backend only (default: both)",
    )
    options = parser.parse_args(argv)
    chosen = [options.backend] if options.backend else list(runtime.BACKENDS)
    failed = total = 0
    for backend in chosen:
        note = ", compiling its kernels first" if backend == "numba" else ""
        print(f"Backend {backend}{note}; relative error allowed {RTOL:g}")
        print(f"  {'layer':32} {'array':18} {'checked':>7}  {'worst error':>11}  result")
        with runtime.use_backend(backend), runtime.use_engine("plain"):
            for r in check_everything():
                total += 1
                failed += not r.passed
                verdict = "pass" if r.passed else "FAIL"
                print(f"  {r.subject:32} {r.array:18} {r.checked:7d}  {r.error:11.1e}  {verdict}")
    print(f"{total} arrays checked, {failed} failed.")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
