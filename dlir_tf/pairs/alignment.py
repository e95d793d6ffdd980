"""How two images are laid onto each other before any registration."""

import numpy as np
from scipy import ndimage

from dlir_tf.images import Image
from dlir_tf.pairs.pose import find_pose
from dlir_tf.pairs.translation import find_translation


def initial_alignment(
    fixed: Image,
    moving: Image,
    method: str,
    counting: tuple[np.ndarray | None, np.ndarray | None] = (None, None),
    *,
    one_modality: bool = True,
) -> np.ndarray:
    """World-to-world matrix from fixed to moving, before any registration.

    Args:
        fixed: Intensities in [0, 1].
        moving: Likewise.
        method: `header` trusts the world coordinates, `centers` lays the centres of
            the two volumes onto each other, `mass` the centres of intensity, and
            `search` finds the translation by which they are most alike (see
            `dlir_tf.pairs.translation`), `pose` the rotation and the translation (see
            `dlir_tf.pairs.pose`).
        counting: Which voxels of either count in a search, bool, on its grid; `None`
            for all.
        one_modality: Whether a pose may take the intensities of one for a line through
            those of the other.
    """
    if method == "pose":
        return find_pose(fixed, moving, counting, one_modality=one_modality)
    matrix = np.eye(fixed.ndim + 1)
    if method == "search":
        matrix[:-1, -1] = find_translation(fixed, moving, counting)
    elif method != "header":
        place = _centre_of_mass if method == "mass" else _centre
        matrix[:-1, -1] = place(moving) - place(fixed)
    return matrix


def _centre(image: Image) -> np.ndarray:
    return image.grid.centre


def _centre_of_mass(image: Image) -> np.ndarray:
    return image.grid.to_world(np.asarray(ndimage.center_of_mass(image.array)))
