"""Finding the translation by which two images are most alike, over all there are.

Both images are brought to one coarse grid of cubes, and their normalised correlation is
computed for every shift by whole voxels at once, by Fourier transforms, over the voxels
that both show then and that count in both (Padfield 2012, "Masked object registration
in the Fourier domain", IEEE TIP 21(5), doi 10.1109/TIP.2011.2181402).

A small overlap may be alike by chance. So shifts are compared by how much of what they
overlap in is explained, `-n log(1 - ncc²)` of `n` voxels, which is the likelihood of
one image as a line through the other; and an overlap of less than a quarter of what
there could be doesn't count. What stays where it is while the body moves, as a couch
does, is the less likely shift.
"""

import math
from dataclasses import dataclass

import numpy as np

from dlir_tf.images import Grid, Image
from dlir_tf.images.grid import apply_affine
from dlir_tf.pairs.correlation import line_scores, ratio_scores
from dlir_tf.pairs.on_grid import to_grid, voxels_inside

# Voxels of the coarse grid in the larger image, as if it were a cube (or a square).
_SIZE = {2: 192, 3: 64}


def find_translation(
    fixed: Image,
    moving: Image,
    counting: tuple[np.ndarray | None, np.ndarray | None] = (None, None),
) -> np.ndarray:
    """Finds the translation by which a pair is most alike.

    Args:
        fixed: Intensities in [0, 1]; any grid.
        moving: Likewise; its intensities should follow those of the fixed image.
        counting: Which voxels of either count, bool, on its grid; `None` for all.

    Returns:
        `(ndim,)` in mm of the world, from points of the fixed image to points of the
        moving one. Zeros if no overlap shows anything alike.

    Example: a square, 12 mm further along the first axis.

    >>> first, second = np.zeros((2, 40, 40))
    >>> first[12:20, 12:20] = second[18:26, 12:20] = 1.0
    >>> affine = np.diag([2.0, 2.0, 1.0])
    >>> find_translation(Image(first, affine), Image(second, affine)).round()
    array([12.,  0.])
    """
    linear = fixed.grid.directions * _step(fixed.grid, moving.grid)
    pair = [
        coarse_image(*each, linear)
        for each in zip((fixed, moving), counting, strict=True)
    ]
    shift, score = best_shift(*pair)
    if score <= 0:
        return np.zeros(fixed.ndim)
    first, second = (one.image.affine[:-1, -1] for one in pair)
    return np.asarray(second - first + linear @ shift)


@dataclass(frozen=True, eq=False)
class Coarse:
    """An image on a coarse grid.

    Attributes:
        image: Intensities in [0, 1], float64.
        weights: Which of its voxels count, 0 or 1, float64.
    """

    image: Image
    weights: np.ndarray


def best_shift(
    fixed: Coarse, moving: Coarse, *, one_modality: bool = True
) -> tuple[np.ndarray, float]:
    """Finds the shift of grids by which two images are most alike.

    Args:
        fixed: On any grid.
        moving: On another one of the same steps, whatever their directions.
        one_modality: Whether one follows the other along a line, or any function.

    Returns:
        From voxels of the fixed grid to voxels of the moving one, `(ndim,)`, and how
        likely it is; 0 if no overlap shows anything alike.
    """
    pictures = fixed.image.array, moving.image.array
    scores = line_scores if one_modality else ratio_scores
    score = scores(pictures, (fixed.weights, moving.weights))
    peak = np.unravel_index(np.argmax(score), score.shape)
    place = np.array(peak) + _between_voxels(score, peak)
    size = np.asarray(score.shape)
    # Of a cyclic correlation, the second half are negative shifts.
    shift = np.where(place > size - np.asarray(pictures[0].shape), place - size, place)
    return shift, float(score[peak])


def _step(fixed: Grid, moving: Grid) -> float:
    """The edge of a coarse voxel, in mm; not finer than either image is."""
    volume = max(math.prod(grid.extent) for grid in (fixed, moving))
    own = max(min(grid.spacing) for grid in (fixed, moving))
    return max(float(volume ** (1 / fixed.ndim) / _SIZE[fixed.ndim]), own)


def coarse_image(
    image: Image, counting: np.ndarray | None, linear: np.ndarray
) -> Coarse:
    """Brings an image to the smallest coarse grid that holds it.

    Args:
        image: On any grid.
        counting: Which of its voxels count, or all.
        linear: Steps of the coarse grid, as columns, in mm of the world.
    """
    corners = apply_affine(np.linalg.inv(_matrix(linear)), image.grid.corners)
    low, high = corners.min(axis=0), corners.max(axis=0)
    shape = tuple(int(n) for n in np.maximum(np.ceil(high - low - 0.01), 1))
    first = linear @ ((low + high) / 2 - (np.asarray(shape) - 1) / 2)
    affine = _matrix(linear, first)
    to_image = image.grid.inverse @ affine
    inside = voxels_inside(image.shape, to_image, shape)
    picture, weights = to_grid(image.array, to_image, inside), inside
    if counting is not None:
        weights = to_grid(counting.astype(np.float32), to_image, inside) > 0.5
    return Coarse(Image(picture.astype(np.float64), affine), weights.astype(np.float64))


def _matrix(linear: np.ndarray, origin: np.ndarray | float = 0.0) -> np.ndarray:
    matrix = np.eye(len(linear) + 1)
    matrix[:-1, :-1], matrix[:-1, -1] = linear, origin
    return matrix


def _between_voxels(score: np.ndarray, peak: tuple[np.intp, ...]) -> np.ndarray:
    """Where a parabola through a peak and its neighbours is highest, per axis."""
    offset = np.zeros(score.ndim)
    for axis, place in enumerate(peak):
        around = [(place + step) % score.shape[axis] for step in (-1, 0, 1)]
        before, here, after = score.take(around, axis)[
            tuple(slice(None) if a == axis else p for a, p in enumerate(peak))
        ]
        bend = before - 2 * here + after
        if before > 0 and after > 0 and bend < 0:
            offset[axis] = 0.5 * (before - after) / bend
    return offset
