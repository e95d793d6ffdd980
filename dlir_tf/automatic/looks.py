"""What an image looks like: a CT, a mask, a map of labels, or any other picture."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from dlir_tf.config import Intensity
from dlir_tf.images import Image, is_label_image
from dlir_tf.images.hounsfield import is_ct

Looks = Literal["ct", "mask", "labels", "picture"]

# What a CT is clipped to: lung tissue and its vessels, or all else, from fat to bone.
LUNG_WINDOW, BODY_WINDOW = (-1000.0, -300.0), (-300.0, 500.0)
_NO_AIR, _NO_LUNG = -960.0, -500.0
_MANY_LUNGS = 0.15  # of what isn't air
_MOST_VOXELS = 1_000_000  # looked at, evenly over the image


@dataclass(frozen=True)
class PairLooks:
    """What two images look like.

    Attributes:
        fixed: See `looks_of`.
        moving: Likewise.
        has_lungs: Whether what a CT of the two shows, inside its mask, is lungs for a
            good part.
    """

    fixed: Looks
    moving: Looks
    has_lungs: bool = False

    @property
    def are_ct(self) -> bool:
        """Whether both are CTs, so that their values mean the same."""
        return self.fixed == self.moving == "ct"

    @property
    def are_labels(self) -> bool:
        """Whether both hold labels, of whatever number."""
        return {self.fixed, self.moving} <= {"mask", "labels"}

    @property
    def differ(self) -> bool:
        """Whether they can't be compared by their values, by what they are."""
        if self.are_labels:
            return self.fixed != self.moving
        return self.fixed != self.moving

    @property
    def intensity(self) -> Intensity:
        """How their values are brought to [0, 1]."""
        if self.are_ct:
            window = LUNG_WINDOW if self.has_lungs else BODY_WINDOW
            return Intensity(clip_percentiles=None, clip_values=window, hounsfield=True)
        if {self.fixed, self.moving} & {"mask", "labels"}:
            return Intensity(clip_percentiles=None)
        return Intensity()


def looks_of(image: Image) -> Looks:
    """Tells what an image looks like, by its values.

    Args:
        image: Any image.

    Example:

    >>> halves = np.repeat([0, 1], 8).reshape(4, 4)
    >>> looks_of(Image(halves, np.eye(3)))
    'mask'
    """
    if is_ct(image.array):
        return "ct"
    if not is_label_image(image):
        return "picture"
    some = _some(image.array)
    return "mask" if len(np.unique(some)) <= 2 else "labels"


def looks_of_pair(
    fixed: Image, moving: Image, masks: tuple[Image | None, Image | None]
) -> PairLooks:
    """Tells what two images look like.

    Args:
        fixed: Any image.
        moving: Likewise.
        masks: Of either, on its grid, or `None`.
    """
    found = looks_of(fixed), looks_of(moving)
    shares = [
        _lung_share(image.array if mask is None else image.array[mask.array])
        for look, image, mask in zip(found, (fixed, moving), masks, strict=True)
        if look == "ct"
    ]
    return PairLooks(*found, has_lungs=bool(shares) and min(shares) > _MANY_LUNGS)


def _lung_share(values: np.ndarray) -> float:
    some = _some(values)
    body = some > _NO_AIR
    return float(np.mean(some[body] < _NO_LUNG)) if body.any() else 0.0


def _some(values: np.ndarray) -> np.ndarray:
    flat = values.ravel()
    return np.asarray(flat[:: max(1, flat.size // _MOST_VOXELS)])
