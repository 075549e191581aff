"""Convolutions: one module an algorithm.

``gather``, ``gather_tiles``: any convolution of a single layer, and dense layers. Under 2 x 2 max
pooling: ``direct`` forward; ``sparse`` and ``lookup`` back. 3 x 3 kernels: ``winograd``. ``stage``
chooses among those under pooling.
"""
