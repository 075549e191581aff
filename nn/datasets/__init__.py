"""The data sets: MNIST images and pen strokes of digits.

Importing it loads NumPy alone; pooch, platformdirs and rich are imported for a download or the
user's cache folder.

`mnist`
    60,000 + 10,000 images of handwritten digits (LeCun and Cortes), from a folder, a cache or a
    mirror, every byte checked.
`pendigits`
    Pen strokes of digits in UNIPEN text (Alpaydin and Alimoglu), with their writers.
"""

from nn.datasets import mnist, pendigits
from nn.datasets._files import DataError, MissingDataError

__all__ = ["DataError", "MissingDataError", "mnist", "pendigits"]
