"""Working grids and lattices that suit images of any size."""

import math

import numpy as np
import pytest

from dlir_tf.automatic.grids import choose_affine, choose_grid, choose_lattices
from dlir_tf.images import Grid
from dlir_tf.pairs.working_grid import working_grid


def _grid(shape, spacing):
    return Grid(shape, np.diag([*spacing, 1.0]))


@pytest.mark.parametrize(
    ("shape", "spacing"),
    [
        ((160, 192, 160), (1.0, 1.0, 1.0)),
        ((800, 500, 700), (0.01, 0.01, 0.01)),  # a mouse's brain
        ((512, 512, 900), (0.98, 0.98, 2.0)),  # a whole body
        ((64, 64, 64), (1.0, 1.0, 1.0)),
        ((256, 216, 10), (1.4, 1.4, 10.0)),
        ((44, 59, 41), (0.4, 0.4, 0.4)),
        ((20, 512, 512), (3.3, 0.5, 0.5)),
        ((2048, 1536), (0.02, 0.02)),
        ((216, 291), (1.0, 1.0)),
    ],
)
def test_time_is_bounded_and_little_is_lost(shape, spacing):
    """The grid of any image has few enough voxels, and not needlessly few."""
    fixed = _grid(shape, spacing)
    chosen = choose_grid(fixed, fixed)
    ndim = len(shape)
    lattices = choose_lattices(chosen)
    multiple = np.max([one["control_point_spacing"] for one in lattices], axis=0)
    grid = working_grid(fixed, chosen.spacing, tuple(map(int, multiple)), chosen.axes)
    extent = np.asarray(shape) * spacing
    longest = extent.max() / min(grid.spacing)
    assert longest <= {2: 330, 3: 195}[ndim]
    assert longest >= min(90, max(shape) - 1)
    assert math.prod(chosen.size) <= 1.25e6
    assert math.prod(grid.shape) <= 3e6
    # Thick slices keep their spacing; nothing is made finer than it is.
    kept = [step for step in spacing if step > 1.8 * min(grid.spacing)]
    assert all(any(np.isclose(step, grid.spacing)) for step in kept)
    assert min(grid.spacing) >= 0.99 * min(spacing)


def test_the_coarser_image_says_how_fine_it_is():
    """But the fixed image isn't thrown away where the other is far coarser."""
    fixed = _grid((96, 96, 96), (1.0, 1.0, 1.0))
    assert choose_grid(fixed, _grid((48, 48, 48), (2.0, 2.0, 2.0))).step == (1, 1, 1)
    wide = _grid((192, 160, 160), (1.0, 1.0, 1.0))
    assert choose_grid(wide, _grid((60, 60, 60), (3.0, 3.0, 3.0))).step == (2, 2, 2)


def test_lattices_go_from_a_quarter_of_the_extent_to_fine():
    chosen = choose_grid(*[_grid((256, 256, 12), (1.4, 1.4, 10.0))] * 2)
    lattices = choose_lattices(chosen)
    cells = [one["control_point_spacing"] for one in lattices]
    assert [cell[0] for cell in cells] == [64, 32, 16, 8, 4][: len(cells)]
    assert cells[-1] == [4, 4, 1]
    for one in lattices:
        assert one["downsample"][2] == 1
        apart = np.multiply(one["control_point_spacing"], chosen.step)
        # As many mm along the slices, within a factor of two, or one slice.
        assert one["control_point_spacing"][2] == 1 or 0.49 < apart[2] / apart[0] <= 1
    assert choose_affine(chosen)["downsample"][2] == 1


def test_storage_and_orientation_do_not_matter():
    """The same slices, stored along the first axis."""
    turned = np.array([[0, 1.4, 0, 0], [0, 0, 1.4, 0], [10.0, 0, 0, 0], [0, 0, 0, 1.0]])
    stored = Grid((10, 256, 216), turned)
    plain = _grid((256, 216, 10), (1.4, 1.4, 10.0))
    assert choose_grid(stored, stored) == choose_grid(plain, plain)
