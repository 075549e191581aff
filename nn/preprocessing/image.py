"""``ImageDataGenerator``: batches of shifted, turned and scaled images, as in Keras 2."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

import numpy as np

from nn import utils
from nn.reference import Array
from nn.spellings import missing_attributes, missing_names, spellings

__all__ = ["ImageDataGenerator", "NumpyArrayIterator"]

__getattr__ = missing_names(__name__)


@missing_attributes(
    {
        "flow_from_directory flow_from_dataframe": "Make one array of the images with Pillow and "
        "NumPy, and use flow.",
        "get_random_transform apply_transform": "Use random_transform, or nn.augment.",
    }
)
class ImageDataGenerator:
    """Random changes of images, and their normalisation.

    Parameters
    ----------
    rotation_range, shear_range : float
        Largest angle in degrees, to either side.
    width_shift_range, height_shift_range : float, int or list
        Below 1 the largest fraction of the extent, else the largest number of pixels; of an int
        all whole numbers below it, of a list its numbers; to either side.
    zoom_range : float, or (lower, upper)
        Width and height apart: factors from 1 - zoom to 1 + zoom, or from lower to upper.
    fill_mode : {"nearest", "constant", "reflect"}
        What lies outside of the image; for "constant" it is ``cval``.
    horizontal_flip, vertical_flip : bool
        Mirror half of the images.
    featurewise_center, featurewise_std_normalization : bool
        Subtract each channel's mean over the images given to ``fit``; divide by its deviation.
    samplewise_center, samplewise_std_normalization : bool
        The same for each image by itself.
    rescale : float, optional
        Factor of all intensities, before the normalisation.
    preprocessing_function : callable, optional
        Gets each changed image (H, W, C), before that.
    validation_split : float
        In [0, 1): the fraction at the beginning that ``flow(subset="validation")`` gives.
    """

    @spellings("ImageDataGenerator")
    def __init__(
        self,
        featurewise_center: bool = False,
        samplewise_center: bool = False,
        featurewise_std_normalization: bool = False,
        samplewise_std_normalization: bool = False,
        zca_whitening: bool = False,
        zca_epsilon: float = 1e-6,
        rotation_range: float = 0,
        width_shift_range: Any = 0.0,
        height_shift_range: Any = 0.0,
        brightness_range: None = None,
        shear_range: float = 0.0,
        zoom_range: Any = 0.0,
        channel_shift_range: float = 0.0,
        fill_mode: str = "nearest",
        cval: float = 0.0,
        horizontal_flip: bool = False,
        vertical_flip: bool = False,
        rescale: float | None = None,
        preprocessing_function: Callable[[Array], Array] | None = None,
        data_format: str | None = None,
        validation_split: float = 0.0,
        interpolation_order: int = 1,
        dtype: Any = None,
    ) -> None:
        own = "Change the images in a preprocessing_function."
        for name, value, known, remedy in (
            ("zca_whitening", zca_whitening, (False,), "Whiten the arrays before, with NumPy."),
            ("brightness_range", brightness_range, (None,), own),
            ("channel_shift_range", channel_shift_range, (0,), own),
            ("data_format", data_format, (None, "channels_last"), "Transpose to (N, H, W, C)."),
            ("fill_mode", fill_mode, ("nearest", "constant", "reflect"), "These are built."),
            ("interpolation_order", interpolation_order, (1,), "Images are read bilinearly."),
        ):
            if value not in known:
                raise ValueError(
                    f"ImageDataGenerator: expected {name} {' or '.join(map(repr, known))}, "
                    f"received {value!r}. {remedy}"
                )
        self.featurewise_center = featurewise_center or featurewise_std_normalization
        self.featurewise_std_normalization = featurewise_std_normalization
        self.samplewise_center = samplewise_center or samplewise_std_normalization
        self.samplewise_std_normalization = samplewise_std_normalization
        self.rotation_range, self.shear_range = rotation_range, shear_range
        self.shift_ranges = width_shift_range, height_shift_range
        apart = np.ndim(zoom_range) > 0
        self.zoom_range = tuple(zoom_range) if apart else (1 - zoom_range, 1 + zoom_range)
        if len(self.zoom_range) != 2:
            raise ValueError(
                "ImageDataGenerator: expected zoom_range, a number or two, received "
                f"{zoom_range!r}."
            )
        self.flips = horizontal_flip, vertical_flip
        self.fill_mode, self.cval, self.rescale = fill_mode, cval, rescale
        self.preprocessing_function = preprocessing_function
        self.validation_split = validation_split
        self.mean: Any = None
        self.std: Any = None
        self.dtype = np.dtype(np.float32 if dtype is None else dtype)
        self.rng = np.random.default_rng(utils.seed_sequence(None))

    def fit(self, x: Any, augment: bool = False, rounds: int = 1, seed: int | None = None) -> None:
        """Take each channel's mean and deviation from x (N, H, W, C), or from changed copies."""
        images = self._as_images("fit", x) * (self.rescale or 1)
        if augment:
            rng = self.rng if seed is None else np.random.default_rng(seed)
            images = np.concatenate([self.changed(images, rng) for _ in range(rounds)])
        self.mean, self.std = images.mean(axis=(0, 1, 2)), images.std(axis=(0, 1, 2))

    def flow(
        self,
        x: Any,
        y: Any = None,
        batch_size: int = 32,
        shuffle: bool = True,
        sample_weight: Any = None,
        seed: int | None = None,
        save_to_dir: None = None,
        save_prefix: str = "",
        save_format: str = "png",
        ignore_class_split: bool = False,
        subset: str | None = None,
    ) -> NumpyArrayIterator:
        """Return changed batches of x (N, H, W, C), with labels and weights, for ``fit``."""
        if save_to_dir is not None:
            raise ValueError(
                f"flow: expected save_to_dir None, received {save_to_dir!r}. Save what the "
                "iterator gives, with Pillow."
            )
        given = (self._as_images("flow", x), y, sample_weight)
        arrays = [None if one is None else np.asarray(one) for one in given]
        if any(array is not None and len(array) != len(x) for array in arrays):
            raise ValueError(f"flow: expected y and sample_weight of the {len(x)} images.")
        cut = int(len(x) * self.validation_split)
        part = {None: slice(None), "validation": slice(cut), "training": slice(cut, None)}[subset]
        arrays = [None if array is None else array[part] for array in arrays]
        return NumpyArrayIterator(self, arrays, batch_size, shuffle, seed)

    def standardize(self, x: Array) -> Array:
        """Return images (…, H, W, C) rescaled and normalised."""
        if self.preprocessing_function is not None:
            images = x.reshape(-1, *x.shape[-3:])
            x = np.reshape([self.preprocessing_function(image) for image in images], x.shape)
        x = x * (self.rescale or 1)
        if self.samplewise_center:
            x = x - x.mean(axis=(-3, -2, -1), keepdims=True)
        if self.samplewise_std_normalization:
            x = x / (x.std(axis=(-3, -2, -1), keepdims=True) + 1e-6)
        if self.featurewise_center:
            if self.mean is None:
                raise ValueError(
                    "ImageDataGenerator: expected the mean of the images, received none. Call "
                    "fit(x) before."
                )
            x = x - self.mean
        if self.featurewise_std_normalization:
            x = x / (self.std + 1e-6)
        return x.astype(self.dtype, copy=False)

    def random_transform(self, x: Array, seed: int | None = None) -> Array:
        """Return an image (H, W, C) changed at random."""
        rng = self.rng if seed is None else np.random.default_rng(seed)
        return self.changed(np.asarray(x)[None], rng)[0]

    def changed(self, images: Array, rng: np.random.Generator) -> Array:
        """Return images (N, H, W, C), each changed at random."""
        N, H, W, _ = images.shape
        turn, slant = (
            np.radians(rng.uniform(-limit, limit, N))
            for limit in (self.rotation_range, self.shear_range)
        )
        shifts = [_shifts(*pair, N, rng) for pair in zip(self.shift_ranges, (W, H), strict=True)]
        zoom = rng.uniform(*map(float, self.zoom_range), (2, N))  # type: ignore[call-overload]
        changed = self.moved(images, turn, slant, shifts, zoom)
        for axis, flips in zip((2, 1), self.flips, strict=True):
            chosen = (rng.random(N) < 0.5) & flips
            changed[chosen] = np.flip(changed[chosen], axis)
        return changed

    def moved(self, images: Array, turn: Array, slant: Array, shifts: Any, zoom: Any) -> Array:
        """Return images (N, H, W, C), each moved by an affine map as in Keras.

        Parameters
        ----------
        turn, slant : (N,), radians
        shifts, zoom : (2, N)
            Across and down: pixels and factors, of where a pixel is read from.
        """
        N, H, W, _ = images.shape
        rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        shear = np.array([[np.ones(N), -np.sin(slant)], [np.zeros(N), np.cos(slant)]])
        matrix = np.einsum("ijn,jkn,kn->nik", rotation, shear, zoom)
        middle = np.array([W - 1, H - 1]) / 2
        offset = np.einsum("ijn,jn->ni", rotation, shifts) + middle
        pixels = np.mgrid[:H, :W].reshape(2, -1)[::-1] - middle[:, None]
        places = matrix @ pixels + offset[:, :, None]  # (N, 2, H * W), of x and y
        outside = ((places < 0) | (places > 2 * middle[:, None])).any(axis=1)
        if self.fill_mode == "reflect":
            extents = 2 * np.array([[W], [H]])
            places = np.mod(places + 0.5, extents)
            places = np.minimum(places, extents - places) - 0.5
        x, y = np.clip(places, 0, 2 * middle[:, None]).swapaxes(0, 1)
        n, j, i = np.arange(N)[:, None], x.astype(int), y.astype(int)
        right, below = np.minimum(j + 1, W - 1), np.minimum(i + 1, H - 1)
        fx, fy = (x - j)[..., None], (y - i)[..., None]
        upper = images[n, i, j] * (1 - fx) + images[n, i, right] * fx
        lower = images[n, below, j] * (1 - fx) + images[n, below, right] * fx
        found = upper * (1 - fy) + lower * fy
        if self.fill_mode == "constant":
            found[outside] = self.cval
        return found.reshape(images.shape).astype(images.dtype)

    def _as_images(self, owner: str, x: Any) -> Array:
        images = np.asarray(x, self.dtype)
        if images.ndim != 4:
            raise ValueError(
                f"{owner}: expected images of shape (N, H, W, C), received {images.shape}. Grey "
                "ones have a channel axis too: x[..., None]."
            )
        return images


def _shifts(limit: Any, extent: int, count: int, rng: np.random.Generator) -> Array:
    """Return shifts in pixels (count,) along an axis of ``extent`` pixels; ``limit`` as Keras's."""
    if not np.any(limit):
        return np.zeros(count)
    if isinstance(limit, int | np.integer) or np.ndim(limit):
        found = rng.choice(limit, count) * rng.choice([-1, 1], count)
    else:
        found = rng.uniform(-limit, limit, count)
    return np.asarray(found * (extent if np.max(limit) < 1 else 1))


class NumpyArrayIterator(utils.PyDataset):
    """What ``ImageDataGenerator.flow`` returns: batches without an end, or by number."""

    def __init__(
        self, generator: ImageDataGenerator, arrays: Any, size: int, shuffle: bool, seed: Any
    ) -> None:
        super().__init__()
        self.generator, self.batch_size, self.shuffle = generator, size, shuffle
        (self.x, self.y, self.sample_weight), self.n = arrays, len(arrays[0])
        self.rng = generator.rng if seed is None else np.random.default_rng(seed)
        self.on_epoch_end()
        self.reset()

    def __len__(self) -> int:
        return -(-self.n // self.batch_size)

    def __getitem__(self, index: int) -> Any:
        if not 0 <= index < len(self):
            raise IndexError(f"batch: expected 0 to {len(self) - 1}, received {index}.")
        rows = self.order[index * self.batch_size : (index + 1) * self.batch_size]
        images = self.generator.standardize(self.generator.changed(self.x[rows], self.rng))
        rest = [array[rows] for array in (self.y, self.sample_weight) if array is not None]
        return (images, *rest) if rest else images

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Any:
        if self.batch_index == len(self):
            self.on_epoch_end()
            self.reset()
        self.batch_index += 1
        return self[self.batch_index - 1]

    next = __next__

    def reset(self) -> None:
        """Begin with the first batch."""
        self.batch_index = 0

    def on_epoch_end(self) -> None:
        """Draw a new order."""
        self.order = self.rng.permutation(self.n) if self.shuffle else np.arange(self.n)
