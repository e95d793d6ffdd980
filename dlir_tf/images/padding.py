"""Which voxels of an image are padding: outside what the scanner has seen.

NaN is padding in every image. A CT is stored as a box, but what it shows is round, or
less than the box once it was resampled. The rest holds a value of its own, which is no
density:

- below all densities (-2048, -3024, -2000): the smallest value, if it's below -1100 and
  makes up a thousandth of the image. Where interpolation has mixed it with others, what
  is closer to it than to -1024 is padding, too;
- that of air (-1024, mostly), which air itself may have as well: it's padding where it
  fills the corners of all slices, and what is left of them is a part of a disc, as the
  field of view of a scanner is.

Other images have no other padding that could be told from what they show.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from dlir_tf.images.hounsfield import USUAL_PADDING, is_ct
from dlir_tf.images.image import Image
from dlir_tf.images.missing import limits_of, missing_voxels

# Noise of air in sharp images ends above.
_BELOW_ALL_DENSITIES = -1100.0
_LEAST_SHARE = 1e-3
# Of the disc that a scanner sees, in mm.
_RADII = (50.0, 450.0)
_FEWEST_RIM_VOXELS = 12
_LEAST_BENT = 4  # along both axes
_LARGEST_ANISOTROPY = 1.25  # of pixels, which scanners make square
# The rim of a disc is drawn in voxels: this far from its circle, in voxels.
_UNEVEN, _LEAST_ROUND = 1.5, 0.95


@dataclass(frozen=True, eq=False)
class Padding:
    """The padding of an image.

    Attributes:
        value: What it's filled with.
        voxels: Where it is, the image's shape, bool.
    """

    value: float
    voxels: np.ndarray


def find_padding(image: Image) -> Padding | None:
    """Finds the padding by the rules of this module; `None` without any.

    Args:
        image: Any image; only a CT has padding that is a number.

    Example:

    >>> array = np.array([[-2048, -1000], [-995, 30]])
    >>> find_padding(Image(array, np.eye(3))).voxels
    array([[ True, False],
           [False, False]])
    """
    known, missing = _padding_of_ct(image), missing_voxels(image.array)
    if missing is None:
        return known
    voxels = missing if known is None else missing | known.voxels
    return Padding(math.nan, voxels)


def _padding_of_ct(image: Image) -> Padding | None:
    array = image.array
    if not is_ct(array):
        return None
    value = float(limits_of(array)[0])
    if value >= _BELOW_ALL_DENSITIES:
        voxels = _around_field_of_view(image, value)
        return None if voxels is None else Padding(value, voxels)
    if np.count_nonzero(array == value) < _LEAST_SHARE * array.size:
        return None
    return Padding(value, array < (value + USUAL_PADDING) / 2)


def padding_voxels(image: Image) -> np.ndarray | None:
    """Where an image's padding is, bool; `None` without any."""
    padding = find_padding(image)
    return None if padding is None else padding.voxels


def counting_voxels(
    mask: Image | None, padding: np.ndarray | None
) -> np.ndarray | None:
    """Which voxels of an image count: inside its mask, and not padding.

    Args:
        mask: On the image's grid, bool; or none.
        padding: From `padding_voxels`.

    Returns:
        The image's shape, bool; `None` for all.
    """
    if padding is None:
        return None if mask is None else mask.array
    return np.asarray(~padding if mask is None else mask.array & ~padding)


def _around_field_of_view(image: Image, value: float) -> np.ndarray | None:
    """What lies around the disc that all slices show, along the axis that has one."""
    filled, found = image.array == value, []
    for axis in range(image.ndim) if image.ndim == 3 else (None,):
        plane = filled if axis is None else filled.all(axis)
        spacing = np.array([s for a, s in enumerate(image.spacing) if a != axis])
        corners = _corners_of(plane)
        if corners.any() and _is_disc(~corners, spacing):
            whole = corners if axis is None else np.expand_dims(corners, axis)
            found.append(np.broadcast_to(whole, image.shape))
    # Seen from the side, a disc in a larger box leaves bands, which are a part of it.
    return max(found, key=np.count_nonzero, default=None)


def _corners_of(plane: np.ndarray) -> np.ndarray:
    """The parts of a plane's `True` that reach its corners, but for straight bands."""
    parts, _ = ndimage.label(plane)
    inside = ndimage.binary_dilation(parts == 0)
    corners = np.zeros(plane.shape, bool)
    for number in np.unique(parts[np.ix_([0, -1], [0, -1])]):
        part = parts == number
        rim = np.argwhere(part & inside)
        if number and len(rim) and np.ptp(rim, axis=0).min() >= _LEAST_BENT:
            corners |= part
    return corners


def _is_disc(inside: np.ndarray, spacing: np.ndarray) -> bool:
    """Whether a part of a plane ends on a circle, and lies within it.

    Args:
        inside: `(size, size)`, bool.
        spacing: Of its pixels, in mm.
    """
    if spacing.max() > _LARGEST_ANISOTROPY * spacing.min():
        return False
    rim = inside & ndimage.binary_dilation(~inside)
    points = np.argwhere(rim) * spacing
    if len(points) < _FEWEST_RIM_VOXELS:
        return False
    # |p|² = 2 c·p + (r² - |c|²): linear in the centre c and the last term.
    system = np.column_stack([2 * points, np.ones(len(points))])
    *centre, rest = np.linalg.lstsq(system, (points**2).sum(axis=1))[0]
    radius = np.sqrt(max(rest + np.dot(centre, centre), 0.0))
    if not _RADII[0] <= radius <= _RADII[1]:
        return False
    off = _UNEVEN * spacing.max()
    on_circle = np.abs(np.linalg.norm(points - centre, axis=1) - radius) <= off
    all_points = np.argwhere(inside) * spacing
    within = np.linalg.norm(all_points - centre, axis=1) <= radius + off
    return min(on_circle.mean(), within.mean()) >= _LEAST_ROUND
