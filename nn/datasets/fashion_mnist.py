"""Fashion-MNIST: 60,000 + 10,000 images of clothes in MNIST's form (Zalando, licence MIT).

The files have MNIST's names, so they lie in a folder ``fashion-mnist``. A ``.gz`` is checked by the
published SHA-256. Of the unpacked files none is published: these are checked by magic, shape,
length and labels.
"""

from __future__ import annotations

import os

from nn.datasets._idx import Bytes, IdxFile
from nn.datasets._sets import IdxSet

__all__ = ["CLASS_NAMES", "load_data"]

CLASS_NAMES = (
    *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
    *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
)
PUBLISHED = IdxSet(
    "Fashion-MNIST",
    {
        "train": (
            IdxFile(
                "train-images-idx3-ubyte",
                (60000, 28, 28),
                packed="3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
            ),
            IdxFile(
                "train-labels-idx1-ubyte",
                (60000,),
                packed="a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
            ),
        ),
        "test": (
            IdxFile(
                "t10k-images-idx3-ubyte",
                (10000, 28, 28),
                packed="346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
            ),
            IdxFile(
                "t10k-labels-idx1-ubyte",
                (10000,),
                packed="67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
            ),
        ),
    },
    mirrors=(
        "https://storage.googleapis.com/tensorflow/tf-keras-datasets",
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com",
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion",
    ),
    folders=("fashion-mnist", "fashion_mnist", "FashionMNIST/raw"),
    own_folder=True,
)


def load_data(
    data_dir: str | os.PathLike[str] | None = None, download: bool = True
) -> tuple[tuple[Bytes, Bytes], tuple[Bytes, Bytes]]:
    """Return Fashion-MNIST as Keras does: ``(x_train, y_train), (x_test, y_test)``.

    Parameters
    ----------
    data_dir : path, optional
        A folder that holds it (itself or in ``fashion-mnist/``). Without it the folders of
        ``mnist.places`` are searched in order, then the mirrors.
    download : bool
        Whether the mirrors may be used.

    Returns
    -------
    (x_train, y_train), (x_test, y_test)
        Images (N, 28, 28) uint8, background 0; labels (N,) uint8, see `CLASS_NAMES`.

    Raises
    ------
    DataError
        If a file is found that is not what was published.
    MissingDataError
        If it is in no place and could not be downloaded.
    """
    return PUBLISHED.load(data_dir, download)
