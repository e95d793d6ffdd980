"""The similarities in NumPy, at their known points."""

import itertools

import numpy as np
import pytest
from scipy import ndimage

from dlir_tf.metrics.similarity import most_alike, similarity

KINDS = ["ncc", "windowed_ncc", "mse", "nmi", "mind_ssc"]
SIZES = [(34, 27), (17, 14, 11)]


def _texture(rng, size):
    values = ndimage.gaussian_filter(rng.normal(size=size), 1.0)
    return ((values - values.min()) / np.ptp(values)).astype(np.float32)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kind", KINDS)
def test_equal_images_are_the_most_alike(rng, kind, size):
    image, other = _texture(rng, size), _texture(rng, size)
    itself, apart = similarity(kind, image, image), similarity(kind, image, other)
    assert apart < itself - 0.01
    if kind == "nmi":  # windows of neighbouring intensities overlap
        assert 1.2 < itself < most_alike(kind) == 2
    else:
        # Windows of one intensity alone, of which there are none, would count 0.
        assert itself == pytest.approx(most_alike(kind), abs=1e-3)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kind", KINDS)
def test_what_has_no_weight_does_not_show(rng, kind, size):
    """Garbage outside the weights changes nothing, and no weights compare nothing."""
    image, other = _texture(rng, size), _texture(rng, size)
    weights = np.ones(size, np.float32)
    weights[8:] = 0
    expected = similarity(kind, image, other, weights)
    assert expected != pytest.approx(similarity(kind, image, other), abs=1e-4)
    spoiled = other.copy()
    spoiled[8:] = rng.uniform(-5, 9, spoiled[8:].shape)
    assert similarity(kind, image, spoiled, weights) == pytest.approx(expected)
    assert np.isnan(similarity(kind, image, other, np.zeros(size)))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kind", ["nmi", "mind_ssc"])
def test_modalities_do_not_matter(rng, kind, size):
    image, other = _texture(rng, size), _texture(rng, size)
    expected = similarity(kind, image, other)
    assert similarity(kind, image, 0.8 - 0.5 * other) == pytest.approx(
        expected, abs=1e-4
    )
    assert similarity(kind, image, 1 - image) > expected


def test_ncc_and_mse_are_those_of_numpy(rng):
    image, other = _texture(rng, (19, 23)), _texture(rng, (19, 23))
    expected = np.corrcoef(image.ravel(), other.ravel())[0, 1]
    assert similarity("ncc", image, other) == pytest.approx(expected, abs=1e-5)
    expected = -np.mean((image.astype(float) - other) ** 2)
    assert similarity("mse", image, other) == pytest.approx(expected, rel=1e-5)
    assert similarity("ncc", image, np.ones_like(image)) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("window", [4, 5])
def test_windowed_ncc_is_a_mean_over_windows(rng, window):
    image, other = _texture(rng, (19, 23)), _texture(rng, (19, 23))
    coefficients = []
    for voxel in np.ndindex(image.shape):
        around = tuple(
            slice(max(x - window // 2, 0), x - window // 2 + window) for x in voxel
        )
        pair = image[around].ravel(), other[around].ravel()
        coefficients.append(np.corrcoef(*pair)[0, 1])
    found = similarity("windowed_ncc", image, other, window=window)
    assert found == pytest.approx(np.mean(coefficients), abs=5e-3)


def test_nmi_is_that_of_the_smooth_joint_histogram(rng):
    """Voxel by voxel, with windows from SciPy."""
    from scipy.interpolate import BSpline

    image, other = _texture(rng, (9, 11)), _texture(rng, (9, 11))
    window = BSpline.basis_element([-2, -1, 0, 1, 2], extrapolate=False)
    bins = 10

    def shares(values):
        places = 1 + (values - values.min()) / np.ptp(values) * (bins - 3)
        return np.nan_to_num(window(places.ravel()[:, None] - np.arange(bins)))

    joint = shares(image.astype(float)).T @ shares(other.astype(float)) / image.size
    sums = joint.sum(axis=0), joint.sum(axis=1), joint.ravel()
    first, second, both = (-(p[p > 0] @ np.log(p[p > 0])) for p in sums)
    found = similarity("nmi", image, other, bins=bins)
    assert found == pytest.approx((first + second) / both, abs=1e-6)


def test_mind_compares_pairs_of_patches(rng):
    """One voxel's descriptor, patch by patch."""
    size, radius, dilation = (13, 12, 11), 1, 2
    images = [_texture(rng, size).astype(float) for _ in range(2)]
    voxels = list(itertools.product(*[range(n) for n in size]))
    padded = [np.pad(image, radius + dilation, mode="edge") for image in images]

    def patch(image, centre):
        start = np.add(centre, dilation)
        return image[tuple(slice(s, s + 2 * radius + 1) for s in start)]

    steps = [s * d for d in np.eye(3, dtype=int) for s in (-dilation, dilation)]
    pairs = [(a, b) for a, b in itertools.combinations(steps, 2) if (a + b).any()]
    assert len(pairs) == 12
    descriptors = []
    for image in padded:
        distances = np.array(
            [
                [
                    np.mean((patch(image, v + a) - patch(image, v + b)) ** 2)
                    for a, b in pairs
                ]
                for v in voxels
            ]
        )
        distances -= distances.min(axis=1, keepdims=True)
        variance = distances.mean(axis=1, keepdims=True)
        variance = np.clip(variance, 1e-3 * variance.mean(), 1e3 * variance.mean())
        descriptors.append(np.exp(-distances / variance))
    expected = -np.mean((descriptors[0] - descriptors[1]) ** 2)
    options = {"radius": radius, "dilation": dilation}
    found = similarity("mind_ssc", *images, **options)
    assert found == pytest.approx(expected, rel=1e-3)


def test_an_unknown_kind_is_refused():
    for ask in (lambda: similarity("sad", *np.ones((2, 3))), lambda: most_alike("sad")):
        with pytest.raises(ValueError, match=r"kind: must be one of .*'sad'"):
            ask()
