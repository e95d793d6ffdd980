"""The working grid and the lattices that suit a pair, by where its voxels lie."""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from dlir_tf.images import Grid
from dlir_tf.pairs.working_grid import working_axes

# Voxels along the longest axis: at most, and not fewer if the images have more; and of
# the whole grid. They bound the time, whatever the images' own sizes are.
_MOST, _ENOUGH = {2: 320, 3: 192}, {2: 192, 3: 96}
_MOST_VOXELS = {2: 102_400, 3: 1_200_000}
# Slices this many times as thick as the grid's finest voxels are kept as they are.
_THICK = 1.7
# An axis of voxels hardly larger than the grid's gets these.
_NEARLY = 1.1
# Of the extent between the control points of the first lattice; voxels between those
# of the last one. In two dimensions, finer ones cost little.
_FIRST, _LAST = 1 / 4, {2: 2, 3: 4}
# So many voxels between control points are seen before images are made coarser, and
# the coarsest that they are made.
_SEEN, _COARSEST = 8, 4
# Voxels along an axis that an affine part needs to see.
_AFFINE = 40


@dataclass(frozen=True)
class GridChoice:
    """The working grid of a pair, as a config says it.

    Attributes:
        spacing: In mm per axis of the grid; `None` keeps the fixed image's own.
        axes: Their order; see `dlir_tf.pairs.working_grid.working_axes`.
        step: The spacing in mm, with no gaps.
        size: About how many voxels there are along each axis.
        fine: The smallest spacing, in mm, that the thin axes have.
    """

    spacing: tuple[float | None, ...]
    axes: Literal["ras", "slices_last"]
    step: tuple[float, ...]
    size: tuple[float, ...]
    fine: float

    @property
    def is_thick(self) -> tuple[bool, ...]:
        """Which axes have voxels that are much longer than the others."""
        return tuple(step > _THICK * self.fine for step in self.step)


def choose_grid(fixed: Grid, moving: Grid) -> GridChoice:
    """Chooses the working grid of a pair.

    It is as fine as the coarser of the two images, but has no more voxels than a
    refinement is done with in some seconds. Axes along which the fixed image has
    thicker slices keep these.

    Args:
        fixed: Of the image that it covers.
        moving: Of the other one.

    Example: a brain of 1 mm, and a heart in slices of 10 mm.

    >>> brain = Grid((160, 192, 160), np.eye(4))
    >>> choose_grid(brain, brain).spacing
    (1.61, 1.61, 1.61)
    >>> heart = Grid((256, 216, 10), np.diag([1.4, 1.4, 10.0, 1.0]))
    >>> choose_grid(heart, heart).spacing, choose_grid(heart, heart).axes
    ((1.87, 1.87, None), 'slices_last')
    """
    ndim, own, extent = fixed.ndim, np.asarray(fixed.spacing), fixed.extent
    longest = float(extent.max())
    fine = max(min(fixed.spacing), min(moving.spacing))
    wanted = max(fine, longest / _MOST[ndim])
    # Not much coarser than the fixed image, only because the other one is.
    wanted = min(wanted, max(min(fixed.spacing), longest / _ENOUGH[ndim]))
    while np.prod(np.ceil(extent / np.maximum(own, wanted))) > _MOST_VOXELS[ndim]:
        wanted *= 1.01
    wanted = float(f"{wanted:.3g}")
    thick = ndim == 3 and own.max() > _THICK * wanted
    order: Literal["ras", "slices_last"] = "slices_last" if thick else "ras"
    axes, _ = working_axes(fixed.affine, order)
    kept = own[axes] > _NEARLY * wanted
    step = np.where(kept, own[axes], wanted)
    return GridChoice(
        tuple(None if keep else wanted for keep in kept),
        order,
        tuple(map(float, step)),
        tuple(map(float, extent[axes] / step)),
        float(step.min()),
    )


def choose_lattices(grid: GridChoice) -> list[dict[str, list[int]]]:
    """Chooses control point spacings from coarse to fine, by the extent.

    Along thick slices they are as many mm as along the other axes, or one slice.

    Args:
        grid: The working grid.

    Returns:
        `downsample` and `control_point_spacing` of every deformable stage.
    """
    ndim = len(grid.step)
    thin = [
        size for size, thick in zip(grid.size, grid.is_thick, strict=True) if not thick
    ]
    first = 2 ** round(math.log2(max(thin) * _FIRST))
    cell = max(first, _LAST[ndim])
    lattices = []
    while cell >= _LAST[ndim]:
        factor = max(1, min(cell // _SEEN, _COARSEST))
        cells, factors = [], []
        for step, thick in zip(grid.step, grid.is_thick, strict=True):
            along = _power_below(cell * grid.fine / step) if thick else cell
            cells.append(along)
            factors.append(1 if thick else factor)
        lattices.append({"downsample": factors, "control_point_spacing": cells})
        cell //= 2
    return lattices


def choose_lattices_at_once(grid: GridChoice) -> list[dict[str, list[int]]]:
    """Chooses control point spacings for a pair that coarse lattices do harm.

    The last two of those from coarse to fine, each of them twice. The first two see
    images of half the resolution, for an eighth of the time.

    Args:
        grid: The working grid.

    Returns:
        `downsample` and `control_point_spacing` of every deformable stage.
    """
    *_, first, last = choose_lattices(grid)
    halved = [1 if thick else 2 for thick in grid.is_thick]
    first = first | {"downsample": halved}
    return [first, first, last, last]


def choose_affine(grid: GridChoice) -> dict[str, list[int]]:
    """Chooses at which resolution an affine part is found.

    Args:
        grid: The working grid.

    Returns:
        `downsample` and `feature_spacing`.
    """
    factors = [
        1 if thick else _power_below(size / _AFFINE)
        for size, thick in zip(grid.size, grid.is_thick, strict=True)
    ]
    return {"downsample": factors, "feature_spacing": factors}


def _power_below(number: float) -> int:
    """The largest power of two that isn't above a number, at least 1."""
    return int(2 ** math.floor(math.log2(max(number, 1)) + 1e-9))
