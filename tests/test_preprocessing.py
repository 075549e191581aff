"""``ImageDataGenerator``: what it does to images, and the batches it gives to ``fit``."""

import numpy as np
import pytest

import nn
from nn.preprocessing.image import ImageDataGenerator


def move(images, turn=0.0, slant=0.0, shift=(0.0, 0.0), zoom=(1.0, 1.0), **arguments):
    """Return images changed by given amounts: degrees, pixels, factors."""
    N = len(images)
    angles = [np.full(N, np.radians(angle)) for angle in (turn, slant)]
    pairs = [np.repeat(np.array(pair)[:, None], N, axis=1) for pair in (shift, zoom)]
    return ImageDataGenerator(**arguments).moved(images, *angles, *pairs)


@pytest.fixture
def images(rng):
    return rng.random((3, 5, 7, 2), np.float32)


# --- where pixels come from -----------------------------------------------------------------------


def test_nothing_moves_without_reason(images):
    np.testing.assert_array_equal(move(images), images)
    np.testing.assert_array_equal(ImageDataGenerator().random_transform(images[0]), images[0])


def test_a_pixel_is_read_from_across_and_down(images):
    moved = move(images, shift=(2, 1))
    np.testing.assert_array_equal(moved[:, :-1, :-2], images[:, 1:, 2:])
    np.testing.assert_array_equal(moved[:, -1, :-2], images[:, -1, 2:])  # nearest: the last row
    half = move(images, shift=(0.5, 0))
    np.testing.assert_allclose(half[:, :, :-1], (images[:, :, 1:] + images[:, :, :-1]) / 2, 1e-6)


def test_what_lies_outside(images):
    row = np.array([1.0, 2, 3], np.float32).reshape(1, 1, 3, 1)
    for mode, expected in {
        "nearest": [1, 1, 1],
        "constant": [9, 9, 1],
        "reflect": [2, 1, 1],
    }.items():
        moved = move(row, shift=(-2, 0), fill_mode=mode, cval=9)
        np.testing.assert_array_equal(moved.ravel(), expected, err_msg=mode)


def test_turning_and_mirroring(images):
    square = images[:, :, :5]
    np.testing.assert_allclose(move(square, turn=90), np.rot90(square, 1, (1, 2)), atol=1e-6)
    np.testing.assert_allclose(move(images, turn=180), images[:, ::-1, ::-1], atol=1e-6)


def test_zooming_out_of_the_middle():
    """A factor of 2 shows twice the width: of a ramp every second step."""
    ramp = np.broadcast_to(np.arange(9.0, dtype=np.float32)[:, None], (1, 5, 9, 1))
    np.testing.assert_allclose(move(ramp, zoom=(2, 1))[0, 2, 2:7, 0], [0, 2, 4, 6, 8])
    np.testing.assert_allclose(move(ramp, zoom=(0.5, 1))[0, 2, :, 0], np.arange(2, 6.5, 0.5))


def test_a_slant_moves_columns_by_rows():
    ramp = np.broadcast_to(np.arange(9.0, dtype=np.float32)[:, None], (1, 5, 9, 1))
    moved = move(ramp, slant=30)  # x is read at x - y sin(30°)
    np.testing.assert_allclose(moved[0, :, 4, 0], [5, 4.5, 4, 3.5, 3], atol=1e-5)


# --- how much -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("limit", "sizes"),
    [
        (0.5, None),  # a fraction of 8 pixels
        (4.0, None),  # pixels
        (3, {0, 1, 2}),  # whole pixels
        ([1, 4], {1, 4}),
        (np.int64(2), {0, 1}),
        (0, {0}),
    ],
)
def test_limits_of_shifts(limit, sizes, rng):
    shifts = nn.preprocessing.image._shifts(limit, 8, 2000, rng)
    if sizes is None:
        assert 3.9 < shifts.max() <= 4
        assert -4 <= shifts.min() < -3.9
        assert abs(shifts.mean()) < 0.3
    else:
        assert set(np.abs(shifts)) == sizes
        assert set(np.unique(shifts)) == sizes | {-size for size in sizes}


def test_half_of_the_images_are_mirrored(rng):
    images = rng.random((400, 2, 2, 1), np.float32)
    changed = ImageDataGenerator(horizontal_flip=True, vertical_flip=True).changed(images, rng)
    for turned in (images, images[:, ::-1], images[:, :, ::-1], images[:, ::-1, ::-1]):
        assert 60 < (changed == turned).all(axis=(1, 2, 3)).sum() < 140


def test_changes_stay_small_and_differ(rng):
    dot = np.zeros((200, 21, 21, 1), np.float32)
    dot[:, 10, 14] = 1
    turned = ImageDataGenerator(rotation_range=20).changed(dot, rng)
    rows = (turned[..., 0] * np.arange(21)[:, None]).sum(axis=(1, 2)) / turned.sum(axis=(1, 2, 3))
    angles = np.degrees(np.arcsin((rows - 10) / 4))
    assert 15 < angles.max() < 22
    assert -22 < angles.min() < -15


# --- normalisation --------------------------------------------------------------------------------


def test_normalisation_by_image_and_by_channel(images):
    sample = ImageDataGenerator(samplewise_std_normalization=True).standardize(images * 9)
    np.testing.assert_allclose(sample.mean(axis=(1, 2, 3)), 0, atol=1e-6)
    np.testing.assert_allclose(sample.std(axis=(1, 2, 3)), 1, atol=1e-4)
    feature = ImageDataGenerator(featurewise_std_normalization=True, rescale=1 / 9)
    with pytest.raises(ValueError, match=r"expected the mean of the images.* Call fit\(x\)"):
        feature.standardize(images)
    feature.fit(images * 9)
    done = feature.standardize(images * 9)
    np.testing.assert_allclose(done.mean(axis=(0, 1, 2)), 0, atol=1e-6)
    np.testing.assert_allclose(done.std(axis=(0, 1, 2)), 1, atol=1e-4)
    assert done.dtype == np.float32
    own = ImageDataGenerator(preprocessing_function=lambda image: image - image[0, 0], rescale=2)
    np.testing.assert_allclose(own.standardize(images), 2 * (images - images[:, :1, :1]))


# --- batches --------------------------------------------------------------------------------------


def test_batches_hold_every_image_once_an_epoch(images):
    x = np.arange(10.0).reshape(10, 1, 1, 1)
    flow = ImageDataGenerator().flow(x, np.arange(10), batch_size=4)
    assert len(flow) == 3
    for _ in range(3):
        given = [next(flow) for _ in range(3)]
        assert [len(y) for _, y in given] == [4, 4, 2]
        labels = np.concatenate([y for _, y in given])
        assert sorted(labels) == list(range(10))
        np.testing.assert_array_equal(np.concatenate([a for a, _ in given]).ravel(), labels)
    weighted = ImageDataGenerator().flow(x, np.arange(10), 10, False, np.ones(10))
    assert len(weighted.next()) == 3
    assert ImageDataGenerator().flow(x)[0].shape == (10, 1, 1, 1)


def test_the_same_seed_gives_the_same_batches(images):
    generator = ImageDataGenerator(rotation_range=30, zoom_range=0.2, width_shift_range=0.2)
    first, second, other = (next(generator.flow(images, seed=seed)) for seed in (5, 5, 6))
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first, other)


def test_training_and_validation_are_apart():
    x = np.arange(10.0).reshape(10, 1, 1, 1)
    generator = ImageDataGenerator(validation_split=0.3)
    held, rest = (
        generator.flow(x, subset=part, shuffle=False) for part in ("validation", "training")
    )
    assert (held.n, rest.n) == (3, 7)
    np.testing.assert_array_equal(next(held).ravel(), [0, 1, 2])


def test_a_network_learns_from_the_batches(easy_digits):
    x, y = easy_digits
    x = x.reshape(len(x), 28, 28, 1)
    flow = ImageDataGenerator(rotation_range=5, width_shift_range=0.05).flow(x, y, 16, seed=1)
    L = nn.layers
    model = nn.Sequential([nn.Input((28, 28, 1)), L.Flatten(), L.Dense(10, "softmax")], seed=1)
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    history = model.fit(flow, epochs=12, validation_data=flow, verbose=0)
    assert history.params["steps"] == len(flow)
    assert model.optimizer.iterations == 12 * len(flow)
    assert history.history["accuracy"][-1] > 0.8
    # fewer steps than there are batches: as in Keras 2 each epoch has as many
    model.fit(flow, steps_per_epoch=len(flow) - 1, epochs=3, verbose=0)
    assert model.optimizer.iterations == 15 * len(flow) - 3
    ordered = ImageDataGenerator().flow(x, batch_size=16, shuffle=False)
    next(ordered)
    np.testing.assert_array_equal(model.predict(ordered), model.predict(x))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"zca_whitening": True}, r"expected zca_whitening False, received True\. Whiten the arr"),
        ({"brightness_range": (0.5, 1)}, r"brightness_range None, .* preprocessing_function"),
        ({"fill_mode": "wrap"}, r"fill_mode 'nearest' or 'constant' or 'reflect', received 'wrap'"),
        ({"data_format": "channels_first"}, r"'channels_last', .* Transpose to \(N, H, W, C\)"),
        ({"zoom_range": (1, 2, 3)}, r"expected zoom_range, a number or two, received \(1, 2, 3\)"),
    ],
)
def test_what_is_not_built_is_refused_by_name(arguments, sentence):
    with pytest.raises(ValueError, match=sentence):
        ImageDataGenerator(**arguments)


def test_other_refusals(images):
    generator = ImageDataGenerator()
    with pytest.raises(
        TypeError, match=r"there is no argument 'rotation'. Did you mean rotation_range"
    ):
        ImageDataGenerator(rotation=3)
    with pytest.raises(
        ValueError, match=r"flow: expected images of shape \(N, H, W, C\), received"
    ):
        generator.flow(images[..., 0])
    with pytest.raises(ValueError, match="expected y and sample_weight of the 3 images"):
        generator.flow(images, [1, 2])
    with pytest.raises(ValueError, match="flow: expected save_to_dir None, received 'here'"):
        generator.flow(images, save_to_dir="here")
    with pytest.raises(AttributeError, match=r"has no flow_from_directory. Make one array"):
        generator.flow_from_directory("here")
