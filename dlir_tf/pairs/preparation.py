"""A pair that is ready to be brought to its working grid, from one start or several.

What depends on one image alone is done once for it: limits of intensities, and where
the fixed image lies on the grid.
"""

from dataclasses import dataclass, replace

import numpy as np

from dlir_tf.compute.threads import in_threads
from dlir_tf.config import Config
from dlir_tf.errors import InputError
from dlir_tf.images import Grid, Image
from dlir_tf.pairs.alignment import initial_alignment
from dlir_tf.pairs.placement import Placement, to_working_grid
from dlir_tf.pairs.sides import FixedSide, Side, moving_side, shown_voxels
from dlir_tf.pairs.size import check_cover
from dlir_tf.pairs.slices import SlicePlane
from dlir_tf.pairs.working_pair import WorkingPair
from dlir_tf.transforms import Affine, Transform


@dataclass(frozen=True, eq=False)
class Preparation:
    """A pair that is ready to be brought to its working grid.

    Attributes:
        fixed: The fixed image.
        moving: The moving image.
        config: Says the initial alignment.
        plane: Where the pair was laid out, if it's two slices for a 2-d model.
    """

    fixed: FixedSide
    moving: Side
    config: Config
    plane: SlicePlane | None = None

    def with_moving(self, image: Image) -> "Preparation":
        """The same fixed image with another moving one, without a mask.

        Args:
            image: On the grid of the one before.

        Raises:
            InputError: If it's constant, or nothing but padding.
        """
        flat = image if self.plane is None else self.plane.flatten(image)
        return replace(self, moving=moving_side(flat, self.config, None))

    def from_start(self, initial_transform: Transform | None = None) -> WorkingPair:
        """Brings the pair to its working grid.

        Args:
            initial_transform: From fixed to moving points, mm, instead of the config's
                initial alignment; for two slices, in coordinates of their plane.

        Raises:
            InputError: If the two, or their masks, don't overlap then, or an image is a
                speck on the grid.
        """
        fixed, moving, grid = self.fixed, self.moving, self.fixed.grid
        initial = initial_transform or self._alignment()
        place = Placement.of(grid, moving.image.grid, initial)
        check_cover("fixed", fixed.image.grid, fixed.place.matrix)
        check_cover("moving", moving.image.grid, place.matrix)
        inside = place.inside()
        covered = fixed.shown & inside
        grids = fixed.image.grid, moving.image.grid
        _check_overlap(covered, *grids, initial_transform)
        sides = {"fixed_mask": fixed.mask, "moving_mask": moving.mask}
        masks = {name: mask for name, mask in sides.items() if mask is not None}
        on_grid = _masks_on_grid(masks, grid, initial, covered)
        if moving.padding is not None:  # it goes where the transform takes it, as masks
            shown = shown_voxels(moving.padding, place, inside)
            on_grid["moving_mask"] = on_grid.get("moving_mask", True) & shown
        fixed_on_grid, moving_on_grid = in_threads(
            lambda make: make(),
            [
                lambda: fixed.on_grid,
                lambda: place.linear(moving.image.array, inside),
            ],
        )
        return WorkingPair(
            fixed_on_grid,
            moving_on_grid,
            covered,
            grid,
            initial,
            on_grid.get("fixed_mask"),
            on_grid.get("moving_mask"),
            self.plane,
        )

    def _alignment(self) -> Transform:
        """The config's initial alignment."""
        config = self.config
        matrix = initial_alignment(
            self.fixed.image,
            self.moving.image,
            config.initial_alignment,
            (self.fixed.counting, self.moving.counting),
            one_modality=config.while_refining.similarity.is_of_one_modality,
        )
        return Transform((Affine(matrix),))


def _check_overlap(
    covered: np.ndarray, fixed: Grid, moving: Grid, start: Transform | None
) -> None:
    if covered.any():
        return
    # A start that moves nothing is the headers' own place, whoever has given it.
    if start is not None and not _is_identity(start):
        raise InputError(
            "initial_transform: takes no voxel of the fixed image into the moving one; "
            "it must map points of the fixed image to points of the moving one (mm), "
            "so its inverse may be what is meant"
        )
    distance = np.linalg.norm(fixed.centre - moving.centre)
    raise InputError(
        "the fixed and the moving image don't overlap in the world: their centres "
        f"are {distance:.0f} mm apart; if their headers can't be trusted, set "
        "initial_alignment (--initial-alignment) to search, pose, centers or mass"
    )


def _is_identity(transform: Transform) -> bool:
    matrix = transform.affine_part
    return transform.is_affine and np.array_equal(matrix, np.eye(len(matrix)))


def _masks_on_grid(
    masks: dict[str, Image], grid: Grid, initial: Transform, covered: np.ndarray
) -> dict[str, np.ndarray]:
    """Resamples masks; refuses those that leave nothing to compare."""
    placed = {"fixed_mask": None, "moving_mask": initial}
    found = {n: to_working_grid(m, grid, placed[n]) for n, m in masks.items()}
    if not np.all([covered, *found.values()], axis=0).any():
        raise InputError(
            f"{' and '.join(found)}: no voxel of the working grid that both images "
            "cover is inside after the initial alignment, so nothing would be "
            "compared; check that each mask belongs to its image, and that the "
            "config's spacing doesn't pass over it"
        )
    return found
