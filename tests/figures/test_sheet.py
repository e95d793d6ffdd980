"""Small pictures: true proportions, and everything in its place."""

import io

import numpy as np
import pytest
from matplotlib import image as matplotlib_image

from dlir_tf.figures.sheet import PICTURES, cut_plane, draw_sheet, encode_png

SPACING = np.array([1.0, 2.0, 5.0])
SHAPE = (40, 10, 3)


def panels(sheet):
    """The six pictures by their names, without the gaps between them."""
    height, width = (sheet.shape[0] - 4) // 2, (sheet.shape[1] - 8) // 3
    return {
        name: sheet[
            row * (height + 4) : row * (height + 4) + height,
            column * (width + 4) : column * (width + 4) + width,
        ]
        for row, names in enumerate(PICTURES)
        for column, name in enumerate(names)
    }


@pytest.fixture
def images():
    """A bright corner at the patient's left and back, in the middle slice alone."""
    fixed = np.zeros(SHAPE, np.float16)
    fixed[:20, :5, 1] = 1.0
    return fixed, np.zeros(SHAPE, np.float16), fixed.copy()


def test_the_patients_left_is_on_the_right_and_the_front_above(images):
    plane = cut_plane(*images, np.zeros((*SHAPE, 3)), SPACING)
    sheet = draw_sheet(plane)
    assert sheet.dtype == np.uint8
    found = panels(sheet)
    height, width = found["fixed"].shape[:2]
    assert width == 2 * height == 200
    bright = found["fixed"][..., 0] > 127
    expected = np.zeros_like(bright)
    # x grows to the patient's right: its small half is the left one.
    expected[height // 2 :, width // 2 :] = True
    assert (bright != expected).mean() < 0.02
    np.testing.assert_array_equal(found["fixed"], found["moved"])
    assert found["moving"].max() == 0


def test_differences_before_and_after(images):
    found = panels(draw_sheet(cut_plane(*images, np.zeros((*SHAPE, 3)), SPACING)))
    before, after = found["difference before"], found["difference after"]
    assert (before.sum(-1) > 300).mean() == pytest.approx(0.25, abs=0.02)
    assert after.max() < 10


@pytest.mark.parametrize(("axis", "voxels"), [(0, 3.0), (1, 1.5)])
def test_lines_of_the_grid_lie_where_the_field_takes_them(axis, voxels):
    empty, lines = np.zeros(SHAPE), []
    for distance in (0.0, voxels):
        ddf = np.zeros((*SHAPE, 3))
        ddf[..., axis] = distance
        found = panels(draw_sheet(cut_plane(empty, empty, empty, ddf, SPACING)))
        is_lit = found["deformed grid"].max(axis=-1) > 0
        lines.append(np.flatnonzero(is_lit.mean(axis=axis) > 0.6))
    # 200 pixels are 40 mm; the x axis points to the left, the y axis upwards.
    shift = round(voxels * SPACING[axis] * 5)
    expected = lines[0] - shift
    assert len(expected) > 4
    np.testing.assert_array_equal(lines[1], expected[expected >= 0])


def test_a_png_holds_the_pixels(rng):
    pixels = rng.integers(0, 256, (7, 5, 3)).astype(np.uint8)
    png = encode_png(pixels)
    read = matplotlib_image.imread(io.BytesIO(png))
    np.testing.assert_array_equal(np.rint(255 * read[..., :3]), pixels)
    assert encode_png(pixels) == png


def test_2d_pairs_and_thin_ones_have_pictures():
    for shape in ((32, 24), (200, 3)):
        images = np.random.default_rng(1).random((3, *shape))
        plane = cut_plane(*images, np.zeros((*shape, 2)), np.array([1.0, 1.0]))
        sheet = draw_sheet(plane)
        assert min(sheet.shape[:2]) >= 100
        assert sheet.std() > 1
