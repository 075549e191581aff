"""Checks of a layer, a loss, a whole model, and of the fast stage."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from nn import losses, runtime
from nn.gradcheck.compare import EPS, RTOL, Result, away_from_kinks, compare, failed
from nn.layers import Layer
from nn.layers.contract import check_instance
from nn.models import Sequential
from nn.reference import Array, Shape
from nn.training import PlainEngine

FAST_RTOL = 1e-5
"""Of a gradient's largest entry: what float32 and another order of adding may cost."""


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
        One for x and one for each parameter; further ones, failed, for each broken rule of the
        contract.

    Raises
    ------
    TypeError
        If ``layer`` is no layer.
    ValueError, RuntimeError
        If it breaks the contract in such a way that nothing can be compared.
    """
    check_instance("check", Layer, layer)
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
    grads = {name: gradient.copy() for name, gradient in layer.grads.items()}
    title = subject or layer.name
    changed = (("x changed", x, inputs), ("dy changed", dy, weighting))
    results = [
        failed(title, what, f"Work on a copy of {what[:2].strip()}.", now.size)
        for what, now, before in changed
        if not np.array_equal(now, before)
    ]
    results += [failed(title, what, why) for what, why in _broken_rules(layer, x, dy, dx)]
    of_x = compare(title, "x", value, x, dx, rng, rtol, limit)
    results.append(
        of_x if of_x.passed else replace(of_x, hint=_other_kernel(layer, value, x, dy) or of_x.hint)
    )
    for name, values in layer.params.items():
        if name in grads:
            results.append(compare(title, name, value, values, grads[name], rng, rtol, limit))
        else:
            found = ", ".join(grads) or "none"
            missing = f"backward assigns no grads[{name!r}], it assigns {found}."
            results.append(failed(title, name, missing, values.size))
    return results


def _broken_rules(layer: Layer, x: Array, dy: Array, dx: Array) -> Iterator[tuple[str, str]]:
    """Give a name and a sentence for each rule of the contract that shows in no gradient."""
    first = layer.backward(dy.copy())
    y = layer.forward(0.5 * x + 1)
    if not np.array_equal(layer.backward(dy.copy()), first, equal_nan=True):
        yield "kept", "forward(training=False) keeps nothing: call self.keep only if training."
    for what, found in (("dtype of y", y), ("dtype of dx", dx)):
        if found.dtype != x.dtype:
            yield what, f"It is {found.dtype} for an x of {x.dtype}: the dtype follows the input."


def _other_kernel(layer: Layer, value: Callable[[], float], x: Array, dy: Array) -> str:
    """Return the hint if dx would be right with a parameter flipped or transposed."""
    rng = np.random.default_rng(0)
    for name, weights in layer.params.items():
        if weights.ndim < 2:
            continue
        others = {"[::-1, ::-1]": weights[::-1, ::-1].copy()}
        if weights.shape[0] == weights.shape[1]:
            others[".swapaxes(0, 1)"] = weights.swapaxes(0, 1).copy()
        before = weights.copy()
        for how, other in others.items():
            value()
            weights[...] = other
            dx = layer.backward(dy)
            weights[...] = before
            if compare("", "x", value, x, dx, rng, limit=12).passed:
                return f"It is right with {name}{how} in place of {name} in backward."
    return ""


def check_loss(loss: losses.Loss, seed: int = 0, subject: str | None = None) -> list[Result]:
    """Check the gradient of a loss by its predictions: 3 examples of 5 classes."""
    rng = np.random.default_rng(seed)
    N, K = 3, 5
    logits = rng.standard_normal((N, K))
    from_logits = getattr(loss, "from_logits", False)
    y_pred = logits if from_logits else np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    classes = isinstance(
        loss, losses.CategoricalCrossentropy | losses.SparseCategoricalCrossentropy
    )
    y = rng.integers(0, K, N) if classes else rng.random((N, K))
    targets = loss.targets(y, K, np.float64)

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

    Raises
    ------
    TypeError
        If the model is not of float64.
    """
    if model.dtype != np.float64:
        raise TypeError(
            f"check_model: expected a model of float64, received {model.dtype}. Make it with "
            "Sequential(…, dtype='float64')."
        )
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


def check_fast(make: Callable[[str], Sequential], seed: int = 0) -> list[Result]:
    """Hold the gradients of the fast stage, float32, against the plain layers in float64.

    Parameters
    ----------
    make : callable
        Returns a compiled model of the dtype it is given, ``"float32"`` or ``"float64"``.

    Returns
    -------
    list of Result
        One for each parameter, all elements compared; none if the backend has no fast stage.
    """
    fast, plain = make("float32"), make("float64")
    plain.set_weights(fast.get_weights())
    rng = np.random.default_rng(seed)
    x = rng.random((16, *plain.x_shape), np.float32)
    y = rng.integers(0, plain.y_shape[-1], len(x))
    with runtime.use_engine("auto"):
        if isinstance(fast.engine, PlainEngine):
            return []
        fast.set_random_state(plain.random_state())
        fast.engine.loss_and_gradients(x, y)
        found = fast.gradients.astype(np.float64)
    PlainEngine(plain).loss_and_gradients(x.astype(np.float64), y)
    results, start = [], 0
    for layer in plain.layers:
        for name in layer.params:
            right = layer.grads[name]
            part = found[start : start + right.size].reshape(right.shape)
            start += right.size
            error = float(np.abs(part - right).max() / max(np.abs(right).max(), 1e-12))
            passed = error <= FAST_RTOL
            title = f"{fast.name}, fast"
            label = f"{layer.name}.{name}"
            results.append(Result(title, label, right.size, error, passed, right.size))
    return results
