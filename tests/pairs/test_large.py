"""Large pictures: seen by the means of blocks, moved whole, with the same transform."""

import numpy as np
import pytest
import SimpleITK as sitk
from itk_judge import sitk_image

from dlir_tf import register
from dlir_tf.config.reading import parse_config
from dlir_tf.images import Grid, Image
from dlir_tf.pairs import large

AFFINE = np.array([[-0.4, 0.1, 9.0], [0.1, -0.7, -4.0], [0, 0, 1]])


CONFIG = """
ndim: 2
spacing: null
stages: [{transform: bspline, downsample: 1, control_point_spacing: 16}]
refinement: {steps: 40, learning_rate: 0.06}
"""


@pytest.fixture
def tiny(monkeypatch):
    """Pictures of more than 3000 pixels are large."""
    monkeypatch.setattr(large, "MOST_PIXELS", 3000)


def blobs(points):
    """A smooth asymmetric thing, `(..., 2)` in mm to `(...,)`."""
    rng = np.random.default_rng(5)
    value = np.zeros(points.shape[:-1])
    for centre, size, high in zip(
        rng.uniform(-22, 22, (16, 2)), rng.uniform(3, 7, 16), rng.uniform(80, 200, 16),
        strict=True,
    ):  # fmt: skip
        value += high * np.exp(-((points - centre) ** 2).sum(-1) / (2 * size**2))
    return np.clip(value, 0, 255)


def centred(shape, spacing):
    affine = np.diag([-spacing[0], -spacing[1], 1.0])
    affine[:2, 2] = -affine[:2, :2] @ (np.array(shape) - 1) / 2
    return Grid(shape, affine)


def test_blocks_are_those_that_itk_makes(tiny):
    rng = np.random.default_rng(2)
    image = Image(rng.uniform(0, 255, (119, 101)).astype(np.float32), AFFINE)
    lower = large.at_lower_resolution(image)
    assert lower.shape == (39, 33)
    by_itk = sitk.BinShrink(sitk_image(image), [3, 3])
    np.testing.assert_allclose(lower.array.T, sitk.GetArrayFromImage(by_itk), rtol=1e-5)
    np.testing.assert_allclose(-lower.grid.to_world([0.0, 0.0]), by_itk.GetOrigin())
    np.testing.assert_allclose(lower.spacing, by_itk.GetSpacing())


def test_what_is_small_or_3d_stays_itself(tiny):
    small = Image(np.zeros((50, 60)), np.eye(3))
    volume = Image(np.zeros((50, 60, 9)), np.eye(4))
    for image in (small, volume):
        assert large.at_lower_resolution(image) is image
        assert large.mask_at_lower_resolution(image) is image
        assert large.told_blocks(image.grid, image.grid) == ()


def test_labels_stay_labels_and_masks_are_inside_only_whole(tiny):
    labels = np.repeat(np.repeat([[0, 3], [7, 9]], 60, axis=0), 60, axis=1)
    lower = large.at_lower_resolution(Image(labels.astype(np.uint8), np.eye(3)))
    assert set(np.unique(lower.array)) == {0, 3, 7, 9}
    mask = Image(np.ones((120, 90), bool), np.eye(3))
    mask.array[10, 10] = False
    inside = large.mask_at_lower_resolution(mask)
    assert inside.shape == large.at_lower_resolution(mask).shape
    assert np.count_nonzero(~inside.array) == 1


def test_a_large_picture_moves_whole_as_its_transform_says(tiny):
    """A known shift comes back, to less than a pixel; ITK moves the channels alike."""
    config = parse_config(CONFIG, "here")
    fixed_grid, moving_grid = (
        centred((130, 110), (0.4, 0.5)),
        centred((120, 125), (0.45,) * 2),
    )
    shift = np.array([1.4, -0.9])
    fixed = Image(blobs(fixed_grid.points()).astype(np.uint8), fixed_grid.affine)
    grey = blobs(moving_grid.points() - shift)
    colours = np.stack([grey, 255 - grey, grey / 2], axis=-1).astype(np.uint8)
    moving = Image(grey.astype(np.uint8), moving_grid.affine, channels=colours)
    seen = []
    result = register(fixed, moving, config=config, on_choice=seen.append)
    assert "130×110 pixels, so it's registered by the means of 3×3" in seen[0][0]
    assert result.report.choices == seen[0]
    assert result.computed is None
    assert result.displacement.shape == (130, 110, 2)
    assert result.moved.channels.shape == (130, 110, 3)
    inner = np.s_[20:-20, 20:-20]
    error = np.linalg.norm(result.displacement - shift, axis=-1)[inner]
    assert np.median(error) < 0.15
    assert np.abs(result.moved.array.astype(float) - fixed.array)[inner].mean() < 4
    direct = result.transform.resample(moving, fixed)
    np.testing.assert_array_equal(result.moved.channels, direct.channels)
