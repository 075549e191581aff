"""Exercise 10: one tile of Winograd's F(2, 3): two outputs of a 3-tap filter by four products.

Direct, ``y0 = d0 g0 + d1 g1 + d2 g2`` and ``y1 = d1 g0 + d2 g1 + d3 g2`` take six.
"""


def filter_points(g):
    """Return the four numbers that stand for the filter g (3,)."""
    raise NotImplementedError


def data_points(d):
    """Return the four numbers that stand for the inputs d (4,): sums and differences only."""
    raise NotImplementedError


def outputs(m):
    """Return y (2,) from the four products m = data_points(d) * filter_points(g)."""
    raise NotImplementedError


def tile(d, g):
    """Return the 2x2 outputs of a 3x3 filter g on a 4x4 tile d by 16 products in place of 36.

    Use the three functions along the rows, then along the columns (``np.apply_along_axis``).
    """
    raise NotImplementedError
