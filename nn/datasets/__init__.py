"""The data sets: MNIST and three like it, and pen strokes of digits.

Importing it loads NumPy alone; pooch, platformdirs and rich are imported for a download or the
user's cache folder.

`mnist`
    60,000 + 10,000 images of handwritten digits (LeCun and Cortes), from a folder, a cache or a
    mirror, every byte checked.
`fashion_mnist`, `emnist`
    Clothes, and letters and further digits, in MNIST's form.
`cifar10`
    Colour photographs, 32×32×3.
`pendigits`
    Pen strokes of digits in UNIPEN text (Alpaydin and Alimoglu), with their writers.
"""

from nn.datasets import cifar10, emnist, fashion_mnist, mnist, pendigits
from nn.datasets._files import DataError, MissingDataError
from nn.spellings import missing_names

__all__ = [
    "DataError",
    "MissingDataError",
    "cifar10",
    "emnist",
    "fashion_mnist",
    "mnist",
    "pendigits",
]

__getattr__ = missing_names(__name__)
