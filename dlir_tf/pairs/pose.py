"""Finding the rotation and the translation by which two images are most alike.

Rotations are tried one by one, on a grid of rotation vectors, and for each of them all
translations at once, by Fourier transforms, as `dlir_tf.pairs.translation` does. From
the best few, smaller and smaller turns lead on to where nothing is more alike. All of
it on a coarse grid: it's a start, from which a refinement finds the rest.

How alike two images of one modality are is what one explains of the other as a line,
`-n log(1 - ncc²)`. Of different modalities, it is what any function of the fixed image
explains, with the correlation ratio in the place of the squared correlation (Roche et
al. 1998, "The correlation ratio as a new similarity measure for multimodal image
registration", MICCAI, doi 10.1007/BFb0056301).
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from dlir_tf.images import Image
from dlir_tf.images.grid import apply_affine
from dlir_tf.pairs.rotations import plane_rotation, rotations_up_to
from dlir_tf.pairs.translation import Coarse, best_shift, coarse_image

# Voxels of the coarse grid in the larger image, as if it were a cube (or a square).
_SIZE = {2: 64, 3: 20}
# How far, in degrees, any rotation is from the closest that is tried, and the largest
# of them: in a plane all.
_REACH = {2: 5.0, 3: 20.0}
_LARGEST = {2: 180.0, 3: 75.0}
# So many of the best go on by a turn, of so much of that.
_CLIMBS = ((6, 0.5), (3, 0.5), (1, 0.25), (1, 0.125))


@dataclass(frozen=True, eq=False)
class _Pose:
    rotation: np.ndarray
    shift: np.ndarray  # of the centre of the fixed image's coarse grid, in mm
    score: float


def find_pose(
    fixed: Image,
    moving: Image,
    counting: tuple[np.ndarray | None, np.ndarray | None] = (None, None),
    *,
    one_modality: bool = True,
) -> np.ndarray:
    """Finds the rigid motion by which a pair is most alike.

    Args:
        fixed: Intensities in [0, 1]; any grid.
        moving: Likewise.
        counting: Which voxels of either count, bool, on its grid; `None` for all.
        one_modality: Whether the intensities of one follow those of the other along a
            line; if not, along any function.

    Returns:
        World-to-world matrix from fixed to moving, `(ndim + 1, ndim + 1)`. The identity
        if no pose shows anything alike. Turns of more than 75 degrees aren't tried in
        3-d.

    Example: a bar, upright in one image and lying in the other.

    >>> first, second = np.zeros((2, 40, 40))
    >>> first[18:23, 8:35] = second[10:37, 22:27] = 1.0
    >>> matrix = find_pose(Image(first, np.eye(3)), Image(second, np.eye(3)))
    >>> abs(matrix[:2, :2] @ [0, 1]).round(1)
    array([1., 0.])
    >>> (matrix @ [20, 21, 1])[:2].round()
    array([23., 24.])
    """
    search = _Search(fixed, moving, counting, one_modality=one_modality)
    rotations = rotations_up_to(_LARGEST[fixed.ndim], _REACH[fixed.ndim], fixed.ndim)
    poses = [search.best(rotation) for rotation in rotations]
    for number, share in _CLIMBS:
        poses.sort(key=lambda pose: -pose.score)
        angle = share * _REACH[fixed.ndim]
        poses = [search.climb(pose, angle) for pose in poses[:number]]
    best = max(poses, key=lambda pose: pose.score)
    matrix = np.eye(fixed.ndim + 1)
    if best.score <= 0:
        return matrix
    matrix[:-1, :-1] = best.rotation
    matrix[:-1, -1] = best.shift + search.centre - best.rotation @ search.centre
    return matrix


class _Search:
    def __init__(
        self,
        fixed: Image,
        moving: Image,
        counting: tuple[np.ndarray | None, np.ndarray | None],
        *,
        one_modality: bool,
    ) -> None:
        volume = max(math.prod(image.grid.extent) for image in (fixed, moving))
        step = volume ** (1 / fixed.ndim) / _SIZE[fixed.ndim]
        left, _, right = np.linalg.svd(fixed.grid.directions)
        self._linear = left @ right * step
        self._one_modality = one_modality
        self._fixed = coarse_image(fixed, counting[0], self._linear)
        small = coarse_image(moving, counting[1], moving.grid.directions * step)
        self._moving, self._counting = small.image, small.weights > 0
        self.centre = fixed.grid.centre

    def best(self, rotation: np.ndarray) -> _Pose:
        """The most alike of all poses with a rotation."""
        turned: Coarse = coarse_image(
            self._moving, self._counting, rotation @ self._linear
        )
        shift, score = best_shift(self._fixed, turned, one_modality=self._one_modality)
        # Voxel p of the fixed grid belongs to voxel p + shift of the turned one.
        to_voxels = np.linalg.inv(self._fixed.image.affine)
        place = apply_affine(to_voxels, self.centre) + shift
        goes_to = apply_affine(turned.image.affine, place)
        return _Pose(rotation, goes_to - self.centre, score)

    def climb(self, pose: _Pose, angle: float) -> _Pose:
        """Turns a pose by so many degrees about an axis, if one is more alike then."""
        turns = _turns(len(pose.rotation), angle)
        turned = [self.best(turn @ pose.rotation) for turn in turns]
        return max(pose, *turned, key=lambda one: one.score)


def _turns(ndim: int, angle: float) -> list[np.ndarray]:
    """Turns about each axis, both ways."""
    if ndim == 2:
        return [plane_rotation(way * angle) for way in (-1, 1)]
    vectors = [way * angle * axis for axis in np.eye(3) for way in (-1, 1)]
    return [Rotation.from_rotvec(v, degrees=True).as_matrix() for v in vectors]
