"""Solution 9: three layers of one's own."""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from nn.layers import Layer


class Leaky(Layer):
    """y = x where x > 0, else slope * x."""

    def __init__(self, slope=0.1, **common):
        super().__init__(**common)
        self.slope = slope

    def _forward(self, x, training):
        if training:
            self.keep(x > 0)
        return np.where(x > 0, x, x.dtype.type(self.slope) * x)

    def _backward(self, dy):
        return np.where(self.kept, dy, dy.dtype.type(self.slope) * dy)


class AveragePooling(Layer):
    """The mean of every 2x2 window."""

    def _output_shape(self, x_shape):
        H, W, C = x_shape
        return H // 2, W // 2, C

    def _forward(self, x, training):
        N, H, W, C = x.shape
        return x.reshape(N, H // 2, 2, W // 2, 2, C).mean(axis=(2, 4))

    def _backward(self, dy):
        return (dy / 4).repeat(2, axis=1).repeat(2, axis=2)


class Depthwise(Layer):
    """A convolution of each channel by itself."""

    def __init__(self, size=3, **common):
        super().__init__(**common)
        self.size = size

    def _output_shape(self, x_shape):
        H, W, C = x_shape
        return H - self.size + 1, W - self.size + 1, C

    def create_weights(self, rng):
        # As many inputs as outputs meet a weight: Glorot's variance is 1 / size**2.
        scale = 1 / self.size
        self.params["kernel"] = rng.normal(0, scale, (self.size, self.size, self.x_shape[2]))

    def _forward(self, x, training):
        if training:
            self.keep(x)
        view = sliding_window_view(x, (self.size, self.size), axis=(1, 2))
        return np.einsum("nijckl,klc->nijc", view, self.params["kernel"])

    def _backward(self, dy):
        x, kernel = self.kept, self.params["kernel"]
        view = sliding_window_view(x, (self.size, self.size), axis=(1, 2))
        self.grads["kernel"] = np.einsum("nijckl,nijc->klc", view, dy)
        dx = np.zeros_like(x)
        _, OH, OW, _ = dy.shape
        for k, m in np.ndindex(self.size, self.size):
            dx[:, k : k + OH, m : m + OW] += dy * kernel[k, m]
        return dx
