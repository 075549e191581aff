"""Exercise 9: three layers of one's own. Read ``nn/layers/base.py`` first: it is the contract.

Each is judged by the gradient checker, trained on digits, saved and loaded. By hand:
``python -m nn.gradcheck own_layers.py:Leaky --shape 7``.
"""

from nn.layers import Layer


class Leaky(Layer):
    """y = x where x > 0, else slope * x. It has no weights."""

    def __init__(self, slope=0.1, **common):
        super().__init__(**common)
        self.slope = slope

    def _forward(self, x, training):
        raise NotImplementedError

    def _backward(self, dy):
        raise NotImplementedError


class AveragePooling(Layer):
    """The mean of every 2x2 window: (N, H, W, C) to (N, H / 2, W / 2, C); H and W are even."""

    def _output_shape(self, x_shape):
        raise NotImplementedError

    def _forward(self, x, training):
        raise NotImplementedError

    def _backward(self, dy):
        raise NotImplementedError


class Depthwise(Layer):
    """A convolution of each channel by a size x size kernel of its own, without padding or bias.

    ``y[n, i, j, c] = sum over k, l of x[n, i + k, j + l, c] * kernel[k, l, c]``
    """

    def __init__(self, size=3, **common):
        super().__init__(**common)
        self.size = size

    def _output_shape(self, x_shape):
        raise NotImplementedError

    def create_weights(self, rng):
        raise NotImplementedError

    def _forward(self, x, training):
        raise NotImplementedError

    def _backward(self, dy):
        raise NotImplementedError
