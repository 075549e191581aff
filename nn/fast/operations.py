"""The operations of ``nn.reference``, compiled by Numba: the same names, signatures and numbers.

``nn.ops`` calls what is in ``__all__``; an operation that is missing here is as fast in NumPy.
Convolutions and dense layers run on register tiles, most of the rest in plain loops.
"""

from nn.fast.conv.gather import (
    conv2d_backward_input,
    conv2d_backward_kernel,
    conv2d_forward,
    dense_backward_input,
    dense_backward_kernel,
    dense_forward,
)
from nn.fast.elementwise import (
    bias_gradient,
    dropout_mask,
    relu_backward,
    relu_forward,
)
from nn.fast.norm.batchnorm import batchnorm_backward, batchnorm_forward
from nn.fast.optimizers import adadelta_step, adam_step, rmsprop_step, sgd_step
from nn.fast.pooling import (
    avgpool2d_backward,
    avgpool2d_forward,
    maxpool2d_backward,
    maxpool2d_forward,
)
from nn.fast.softmax import softmax_crossentropy_forward

__all__ = [
    "adadelta_step",
    "adam_step",
    "avgpool2d_backward",
    "avgpool2d_forward",
    "batchnorm_backward",
    "batchnorm_forward",
    "bias_gradient",
    "conv2d_backward_input",
    "conv2d_backward_kernel",
    "conv2d_forward",
    "dense_backward_input",
    "dense_backward_kernel",
    "dense_forward",
    "dropout_mask",
    "maxpool2d_backward",
    "maxpool2d_forward",
    "relu_backward",
    "relu_forward",
    "rmsprop_step",
    "sgd_step",
    "softmax_crossentropy_forward",
]
