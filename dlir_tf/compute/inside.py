"""Masks that were averaged or interpolated: which voxels are wholly inside."""

from typing import Any

# Less than 1 by what rounds a point that lies exactly on a voxel.
_WHOLE = 0.999


def is_wholly_inside(share: Any) -> Any:
    """Where all voxels that a value comes from are inside a mask, bool.

    Args:
        share: What became of the mask, from 0 to 1; an array of NumPy, or a tensor of
            any backend.
    """
    return share >= _WHOLE
