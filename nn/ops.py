"""The operations the layers call: one name each, whichever backend does the work.

On the ``"numba"`` backend a call goes to the function of that name in ``nn.fast.operations``
(imported at the first call, so that ``import nn`` stays light), or to ``nn.reference`` where no
kernel earns its place; on the ``"reference"`` backend always to ``nn.reference``, whose docstrings describe them.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable
from typing import Any, TypeVar

from nn import reference, runtime

Operation = TypeVar("Operation", bound=Callable[..., Any])


@functools.cache
def _kernel(name: str) -> Callable[..., Any] | None:
    return getattr(importlib.import_module("nn.fast.operations"), name, None)


def _dispatched(operation: Operation) -> Operation:
    """Return ``operation`` with the backend looked up at every call."""
    name = operation.__name__

    @functools.wraps(operation)
    def call(*args: Any, **kwargs: Any) -> Any:
        kernel = _kernel(name) if runtime.backend() == "numba" else None
        return (kernel or operation)(*args, **kwargs)

    return call  # type: ignore[return-value]


conv2d_forward = _dispatched(reference.conv2d_forward)
conv2d_backward_input = _dispatched(reference.conv2d_backward_input)
conv2d_backward_kernel = _dispatched(reference.conv2d_backward_kernel)
bias_gradient = _dispatched(reference.bias_gradient)

maxpool2d_forward = _dispatched(reference.maxpool2d_forward)
maxpool2d_backward = _dispatched(reference.maxpool2d_backward)
avgpool2d_forward = _dispatched(reference.avgpool2d_forward)
avgpool2d_backward = _dispatched(reference.avgpool2d_backward)

dense_forward = _dispatched(reference.dense_forward)
dense_backward_input = _dispatched(reference.dense_backward_input)
dense_backward_kernel = _dispatched(reference.dense_backward_kernel)

relu_forward = _dispatched(reference.relu_forward)
relu_backward = _dispatched(reference.relu_backward)
softmax_forward = _dispatched(reference.softmax_forward)
softmax_backward = _dispatched(reference.softmax_backward)

softmax_crossentropy_forward = _dispatched(reference.softmax_crossentropy_forward)
softmax_crossentropy_backward = _dispatched(reference.softmax_crossentropy_backward)

dropout_mask = _dispatched(reference.dropout_mask)
batchnorm_forward = _dispatched(reference.batchnorm_forward)
batchnorm_backward = _dispatched(reference.batchnorm_backward)

sgd_step = _dispatched(reference.sgd_step)
adadelta_step = _dispatched(reference.adadelta_step)
adam_step = _dispatched(reference.adam_step)
