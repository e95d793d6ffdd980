"""Intensities as models take them: clipped, and scaled to [0, 1]."""

import numpy as np

from dlir_tf.config import Intensity
from dlir_tf.errors import InputError
from dlir_tf.images.missing import missing_voxels


def scale_intensities(
    array: np.ndarray,
    intensity: Intensity,
    name: str,
    padding: np.ndarray | None = None,
) -> np.ndarray:
    """Clips and scales intensities to [0, 1], float32; NaN becomes 0.

    Args:
        array: Of an image.
        intensity: The limits; percentiles are those of the array.
        name: Of the image, for messages.
        padding: Voxels that have no say in the limits, bool; they are clipped like
            the others.

    Raises:
        InputError: If the image is constant within the clipping limits, infinite, or
            nothing but padding.
    """
    if np.isinf(array).any():
        raise InputError(
            f"the {name} image has infinite voxels; replace them by a background "
            "value, or by NaN"
        )
    if padding is None:
        padding = missing_voxels(array)
    if padding is not None and padding.all():
        raise InputError(
            f"the {name} image has no voxel with a value that isn't padding; check "
            "that this is the image that was meant"
        )
    limits = _limits(array, padding)
    low, high = limits
    if intensity.clip_values is not None:
        low, high = intensity.clip_values
    elif intensity.clip_percentiles is not None:
        seen = array if padding is None else array[~padding]
        low, high = map(float, np.percentile(seen, intensity.clip_percentiles))
        if not high > low:
            # Percentiles miss a small bright object on a wide background.
            low, high = limits
    # float64 for what float32 can't hold: differences of large integers.
    wide = array.astype(np.result_type(array.dtype, np.float32))
    clipped = np.clip(wide, low, high)
    if limits[0] >= high or limits[1] <= low or limits[0] == limits[1]:
        raise InputError(
            f"the {name} image is constant between the intensities {low:g} and "
            f"{high:g}, as its own go from {limits[0]:g} to {limits[1]:g}: there is "
            "nothing to register; check the file and the config's intensity limits"
            + " and units (hounsfield: true)"
            * bool(intensity.hounsfield)
        )
    scaled = ((clipped - low) / (high - low)).astype(np.float32)
    return np.nan_to_num(scaled, copy=False, nan=0.0)


def _limits(array: np.ndarray, padding: np.ndarray | None) -> tuple[float, float]:
    """The smallest and the largest value that isn't padding, without a copy."""
    if padding is None:
        return float(array.min()), float(array.max())
    seen = ~padding
    first = array[np.unravel_index(seen.argmax(), seen.shape)]
    low, high = (of(where=seen, initial=first) for of in (array.min, array.max))
    return float(low), float(high)
