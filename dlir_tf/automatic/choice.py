"""All that is chosen for a pair of which nothing is known but its two images."""

import math
from dataclasses import dataclass

from dlir_tf.automatic.coarse import CoarsePair, make_coarse
from dlir_tf.automatic.looks import PairLooks, looks_of_pair
from dlir_tf.automatic.modality import Modality, choose_comparing
from dlir_tf.automatic.settings import choose_settings
from dlir_tf.automatic.starts import Start, find_start, find_start_by_context
from dlir_tf.automatic.trial import TrialPair, fine_at_once_is_better
from dlir_tf.config import Config
from dlir_tf.errors import InputError
from dlir_tf.images import Grid, Image, mask_on_image
from dlir_tf.pairs.fitting_start import fitting_start
from dlir_tf.pairs.slices import (
    SlicePlane,
    in_plane,
    is_slice,
    rank_of_pair,
    slice_plane,
)
from dlir_tf.transforms import Transform


@dataclass(frozen=True, eq=False)
class Choice:
    """What was chosen for a pair.

    Attributes:
        config: By which it is registered.
        start: Where that starts; for two slices, in coordinates of their plane.
        looks: What the two look like.
        reasons: A sentence for each choice.
        of_images: Those of them that are about the images and the start, whatever
            registers them.
        coarse: The pair on coarse grids; of two slices, in their plane.
        plane: Of the two, if they are slices.
    """

    config: Config
    start: Start
    looks: PairLooks
    reasons: tuple[str, ...]
    of_images: tuple[str, ...]
    coarse: CoarsePair
    plane: SlicePlane | None

    def clarity(self, transform: Transform) -> float:
        """How clearly the two belong together like that, by what surrounds each voxel.

        Args:
            transform: From points of the fixed image to points of the moving one.

        Returns:
            See `CoarsePair.clarity`; NaN of labels, whose values are names. Volumes
            such as MR and ultrasound have next to none even where they belong.
        """
        if self.looks.are_labels:
            return math.nan
        grid = self.coarse.fixed.grid
        return self.coarse.clarity(fitting_start(transform, self.plane, grid))


def choose_for_pair(
    fixed: Image,
    moving: Image,
    *,
    fixed_mask: Image | None = None,
    moving_mask: Image | None = None,
    initial_alignment: str | None = None,
    initial_transform: Transform | None = None,
    modality: Modality | None = None,
    to_refine: bool = True,
) -> Choice:
    """Chooses settings and a start for a pair.

    Args:
        fixed: The image that stays; two slices in 3-d are taken for 2-d images.
        moving: The image to be laid onto it.
        fixed_mask: Which voxels of the fixed image count, on its grid.
        moving_mask: Likewise, of the moving image.
        initial_alignment: The only start that is tried.
        initial_transform: Likewise.
        modality: Whether values mean the same in both; `None` to tell it by the images.
        to_refine: Whether the settings are to be refined by; else lattices aren't
            tried, which takes time.

    Raises:
        InputError: If the two are of different rank, or have nothing in common that
            can be seen; or if the transform to start from is of another rank.

    Example:

    >>> from dlir_tf.phantoms import beating_heart
    >>> heart = beating_heart(1, shape=(48, 40, 6))
    >>> choice = choose_for_pair(heart.fixed, heart.moving)
    >>> choice.config.ndim, choice.config.similarity.kind
    (3, 'windowed_ncc')
    """
    check_ranks(fixed.grid, moving.grid)
    ndim = rank_of_pair(fixed.grid, moving.grid)
    flat = in_plane(fixed, moving, ndim)
    plane = slice_plane(fixed.grid, moving.grid, ndim)
    both: list[Image | None] = [None, None]
    given_masks = {"fixed_mask": fixed_mask, "moving_mask": moving_mask}
    for side, (name, mask) in enumerate(given_masks.items()):
        if mask is not None:
            own = mask_on_image(mask, (fixed, moving)[side], name)
            both[side] = own if plane is None else plane.flatten(own)
    masks = both[0], both[1]
    looks = looks_of_pair(*flat, masks)
    coarse = make_coarse(*flat, looks.intensity, masks)
    given = initial_alignment is not None or initial_transform is not None
    if initial_transform is not None:
        whole = fitting_start(initial_transform, plane, flat[0].grid)
        start = Start(whole, "transform", "it starts from what was given")
    else:
        start = find_start(coarse, initial_alignment)
    comparing = choose_comparing(looks, coarse, start.transform, modality)
    if comparing.is_faint and not given:
        start = find_start_by_context(coarse)
    grids = flat[0].grid, flat[1].grid
    settings = choose_settings(*grids, looks, start, comparing)
    if ndim == 3 and to_refine:  # slices gain by coarse lattices, whatever they show
        trial = TrialPair(*flat, masks)
        if fine_at_once_is_better(trial, settings.config, start.transform):
            settings = choose_settings(*grids, looks, start, comparing, at_once=True)
    return Choice(
        settings.config,
        start,
        looks,
        settings.reasons,
        settings.of_images,
        coarse,
        plane=plane,
    )


def check_ranks(fixed: Grid, moving: Grid) -> None:
    """Refuses images of different rank.

    Args:
        fixed: Of the fixed image.
        moving: Of the moving image.

    Raises:
        InputError: If they are, or only one of them is a slice.
    """
    if fixed.ndim != moving.ndim:
        raise InputError(
            f"the fixed image is {fixed.ndim}-d, of shape {fixed.shape}, but the "
            f"moving one is {moving.ndim}-d, of shape {moving.shape}; give two images "
            "of one rank"
        )
    if is_slice(fixed) != is_slice(moving):
        raise InputError(
            f"one image is a single slice and the other isn't (shapes {fixed.shape} "
            f"and {moving.shape}); give two slices, or two volumes"
        )
