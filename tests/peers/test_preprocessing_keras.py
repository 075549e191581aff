"""Keras's ``ImageDataGenerator``, which it keeps for TensorFlow, as the judge of ours."""

import numpy as np
import pytest

from nn.preprocessing.image import ImageDataGenerator


@pytest.fixture(scope="module")
def image(keras):
    return pytest.importorskip("keras.src.legacy.preprocessing.image")


@pytest.mark.parametrize(
    "arguments",
    [
        {"rescale": 0.5},
        {"featurewise_center": True},
        {"featurewise_std_normalization": True, "rescale": 0.1},
        {"samplewise_center": True},
        {"samplewise_std_normalization": True},
        {"samplewise_center": True, "featurewise_center": True},
    ],
    ids=str,
)
@pytest.mark.filterwarnings("ignore:This ImageDataGenerator specifies")
def test_normalisation(image, rng, arguments):
    x = rng.random((20, 6, 6, 3), np.float32) * 9
    ours, theirs = ImageDataGenerator(**arguments), image.ImageDataGenerator(**arguments)
    ours.fit(x)
    theirs.fit(x)
    for one in x[:4]:
        expected = theirs.standardize(one.copy())
        np.testing.assert_allclose(ours.standardize(one), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("mode", ["nearest", "constant", "reflect"])
@pytest.mark.parametrize("seed", range(20))
def test_every_pixel_of_a_moved_image(image, seed, mode):
    """Of square images: Keras turns the others about a point that is not their middle."""
    pytest.importorskip("scipy", reason="Keras moves images with SciPy: pip install scipy")
    rng = np.random.default_rng(seed)
    x = rng.random((9, 9, 2), np.float32)
    theta, shear = rng.uniform(-40, 40, 2)
    shift, zoom = rng.uniform(-5, 5, 2), rng.uniform(0.6, 1.5, 2)
    if seed % 4 == 0:  # exact places: edges and ties
        theta = shear = 0.0
        shift, zoom = rng.integers(-3, 4, 2).astype(float), np.ones(2)
    axes = {"row_axis": 0, "col_axis": 1, "channel_axis": 2}
    expected = image.apply_affine_transform(
        x, theta, *shift, shear, *zoom, fill_mode=mode, cval=0.25, **axes
    )
    generator = ImageDataGenerator(fill_mode=mode, cval=0.25)
    angles = np.radians([[theta], [shear]])
    moved = generator.moved(x[None], *angles, shift[:, None], zoom[:, None])[0]
    np.testing.assert_allclose(moved, expected, atol=1e-6)
