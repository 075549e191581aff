"""The operations the layers call: one name each, whichever backend does the work.

On the ``"numba"`` backend a name stands for the compiled function of ``nn.fast.operations``
(imported at the first call, so that ``import nn`` stays light), or for that of ``nn.reference``
where no kernel earns its place; on the ``"reference"`` backend always for the latter, whose
docstrings describe them. Call them as ``ops.relu_forward(x)``: the names are bound anew when
``nn.runtime.set_backend`` is called.
"""

from __future__ import annotations

import functools
import importlib
import inspect
from collections.abc import Callable
from types import ModuleType
from typing import Any

from nn import reference, runtime
from nn.reference import *  # noqa: F403 - the same names, at first the same functions
from nn.spellings import missing_names

NAMES = [
    name
    for name, value in vars(reference).items()
    if inspect.isfunction(value) and value.__module__.startswith("nn.") and name[0] != "_"
]


def _bind(module: ModuleType) -> None:
    """Let every name stand for the function of ``module``, or of the reference without one."""
    for name in NAMES:
        globals()[name] = getattr(module, name, getattr(reference, name))


def _importing(name: str) -> Callable[..., Any]:
    """Return a function that imports the kernels, binds all names to them and calls one."""

    @functools.wraps(getattr(reference, name))
    def call(*args: Any, **kwargs: Any) -> Any:
        if runtime.backend() == "numba":
            _bind(importlib.import_module("nn.fast.operations"))
        return globals()[name](*args, **kwargs)

    return call


def _use(backend: str) -> None:
    if backend == "reference":
        _bind(reference)
    else:
        globals().update({name: _importing(name) for name in NAMES})


runtime.on_backend_change(_use)


__getattr__ = missing_names(__name__)
