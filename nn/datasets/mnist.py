"""MNIST: 60,000 training and 10,000 test images of handwritten digits.

Yann LeCun and Corinna Cortes, licence CC BY-SA 3.0. Four files in the IDX format (a big-endian
header, then the bytes), or Keras's ``mnist.npz`` of the same arrays. Every file is checked to the
last byte: magic, sizes, counts, labels, and the SHA-256 of its *unpacked* content, so that the
wrapping (gzip or none, whichever level) does not matter.

>>> from nn.datasets import mnist
>>> (x_train, y_train), (x_test, y_test) = mnist.load_data()  # doctest: +SKIP
"""

from __future__ import annotations

import functools
import os

from nn.datasets import _sets
from nn.datasets._idx import Bytes, IdxFile, read_idx
from nn.datasets._sets import IdxSet, places

__all__ = ["Source", "find", "load_data", "load_test", "load_train", "places", "read_idx"]

PUBLISHED = IdxSet(
    "MNIST",
    {
        "train": (
            IdxFile(
                "train-images-idx3-ubyte",
                (60000, 28, 28),
                "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
            ),
            IdxFile(
                "train-labels-idx1-ubyte",
                (60000,),
                "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
            ),
        ),
        "test": (
            IdxFile(
                "t10k-images-idx3-ubyte",
                (10000, 28, 28),
                "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
            ),
            IdxFile(
                "t10k-labels-idx1-ubyte",
                (10000,),
                "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
            ),
        ),
    },
    mirrors=(
        "https://storage.googleapis.com/cvdf-datasets/mnist",
        "https://ossci-datasets.s3.amazonaws.com/mnist",
    ),
    folders=("mnist", "MNIST/raw", "MNIST", "raw"),
    npz="mnist.npz",
    npz_mirrors=("https://storage.googleapis.com/tensorflow/tf-keras-datasets",),
    remedy="--data-dir FOLDER or NN_DATA_DIR=FOLDER; or train on the built-in digits with "
    "--data synthetic.",
)
find = PUBLISHED.find
Source = functools.partial(_sets.Source, PUBLISHED)


def load_data(
    path: str | os.PathLike[str] | None = None,
    data_dir: str | os.PathLike[str] | None = None,
    download: bool = True,
) -> tuple[tuple[Bytes, Bytes], tuple[Bytes, Bytes]]:
    """Return MNIST as Keras does: ``(x_train, y_train), (x_test, y_test)``.

    Parameters
    ----------
    path : path, optional
        An ``mnist.npz``, or a folder that holds MNIST.
    data_dir : path, optional
        A folder that holds MNIST (itself or in ``mnist/``). Without it the folders of `places`
        are searched in order, then the mirrors.
    download : bool
        Whether the mirrors may be used.

    Returns
    -------
    (x_train, y_train), (x_test, y_test)
        Images (N, 28, 28) uint8, ink 255; labels (N,) uint8.

    Raises
    ------
    DataError
        If a file is found that is not, byte for byte, what was published.
    MissingDataError
        If MNIST is in no place and could not be downloaded.
    """
    source = find(path, data_dir, download)
    return source.read("train"), source.read("test")


def load_train(
    data_dir: str | os.PathLike[str] | None = None, download: bool = True
) -> tuple[Bytes, Bytes]:
    """Return the 60,000 training images and labels, as `load_data`; the test files stay closed."""
    return find(None, data_dir, download).read("train")


def load_test(
    data_dir: str | os.PathLike[str] | None = None, download: bool = True
) -> tuple[Bytes, Bytes]:
    """Return the 10,000 test images and labels, as `load_data`; for the very end of a study."""
    return find(None, data_dir, download).read("test")
