"""Whether images are in the units that a config was made for: Hounsfield, or others.

A CT that is scaled like an MR image, and an MR image that is clipped like a CT, can be
registered; but what counts in them is squeezed into a few grey values.
"""

from dlir_tf.config import Intensity
from dlir_tf.images import Image
from dlir_tf.images.hounsfield import is_ct
from dlir_tf.images.missing import limits_of

# Lungs and air are below, fat and all else above.
_LOWEST_WITHOUT_AIR = -200.0


def wrong_units(fixed: Image, moving: Image, intensity: Intensity) -> tuple[str, ...]:
    """Says which images aren't in the units that the config wants.

    Args:
        fixed: As it was read.
        moving: Likewise.
        intensity: Wants nothing if its `hounsfield` isn't set.

    Returns:
        A sentence for each such image, as a reason of a verdict.

    Example:

    >>> import numpy as np
    >>> mr = Image(np.array([[0, 900], [15, 400]]), np.eye(3))
    >>> len(wrong_units(mr, mr, Intensity(hounsfield=True)))
    2
    """
    if intensity.hounsfield is None:
        return ()
    found = []
    for name, image in (("fixed", fixed), ("moving", moving)):
        low, high = map(float, limits_of(image.array))
        reaches = f"its values go from {low:g} to {high:g}"
        if intensity.hounsfield and low > _LOWEST_WITHOUT_AIR:
            found.append(
                f"the {name} image is no CT in Hounsfield units, as the config wants "
                f"it (hounsfield: true): {reaches}, and air is at -1000; take a preset "
                "for what it shows (dlir-tf info lists them)"
            )
        if not intensity.hounsfield and is_ct(image.array):
            found.append(
                f"the {name} image is a CT in Hounsfield units, which the config isn't "
                f"for (hounsfield: false): {reaches}; take a preset for CT, lung-ct say"
            )
    return tuple(found)
