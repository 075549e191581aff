"""Solution 10: one tile of Winograd's F(2, 3) (Winograd 1980; Lavin and Gray 2016)."""

import numpy as np


def filter_points(g):
    """The polynomial of the filter at 0, 1, -1 and infinity, halved where two share."""
    g0, g1, g2 = g
    return np.array([g0, (g0 + g1 + g2) / 2, (g0 - g1 + g2) / 2, g2])


def data_points(d):
    """What each product needs of the inputs."""
    d0, d1, d2, d3 = d
    return np.array([d0 - d2, d1 + d2, d2 - d1, d1 - d3])


def outputs(m):
    """y0 = m0 + m1 + m2 and y1 = m1 - m2 - m3; everything else cancels."""
    m0, m1, m2, m3 = m
    return np.array([m0 + m1 + m2, m1 - m2 - m3])


def along_both(function, a):
    """A one-dimensional transform along the rows, then along the columns."""
    return np.apply_along_axis(function, 0, np.apply_along_axis(function, 1, a))


def tile(d, g):
    """Both transforms are linear, so the two directions can be nested."""
    return along_both(outputs, along_both(data_points, d) * along_both(filter_points, g))
