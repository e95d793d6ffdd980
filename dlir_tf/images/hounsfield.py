"""Telling by its values whether an image is a CT, in Hounsfield units.

Air is at -1000 HU and water at 0. An image is a CT if it goes below -500, as air and
lungs do, but not below -4096, and if at least a hundredth of it is within 150 HU of air
or of water each.
"""

import numpy as np

from dlir_tf.images.missing import limits_of

AIR, WATER = -1000.0, 0.0
# What scanners and programs write where there's no more to be said than "outside".
USUAL_PADDING = -1024.0

_LOWEST, _HIGHEST_OF_AIR = -4096, -500
_NEAR, _LEAST_SHARE = 150, 0.01
_MOST_VOXELS = 1_000_000  # looked at, evenly over the image


def is_ct(array: np.ndarray) -> bool:
    """Whether values are Hounsfield units of something that has air around or in it.

    Args:
        array: Of any shape.

    Example:

    >>> is_ct(np.array([-1000, -990, 20, 45])), is_ct(np.array([0, 15, 20, 45]))
    (True, False)
    """
    if array.dtype.kind not in "iuf" or not array.size:
        return False
    low, _ = limits_of(array)
    if not _LOWEST <= low <= _HIGHEST_OF_AIR:
        return False
    flat = array.ravel()
    some = flat[:: max(1, flat.size // _MOST_VOXELS)].astype(np.float64)
    some = some[~np.isnan(some)]
    if not some.size:
        return False
    return all(
        bool(np.mean(np.abs(some - value) <= _NEAR) >= _LEAST_SHARE)
        for value in (AIR, WATER)
    )
