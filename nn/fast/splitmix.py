"""SplitMix64 (Steele, Lea and Flood 2014): random numbers as a hash of a seed and a counter."""

import numpy as np

from nn.fast.jit.cache import jit

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
"""Draw number k, from 0, of a seed is ``mix(seed + (k + 1) * GOLDEN)``, modulo 2**64."""


@jit
def mix(z):
    """Return the hash of the uint64 ``z``."""
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))
