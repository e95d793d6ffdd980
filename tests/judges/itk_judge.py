"""A registration's parameters, as our `Transform` and, independently, as ITK's."""

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
from scipy import ndimage

from dlir_tf.images import Grid, Image, flip_ras_lps
from dlir_tf.transforms import Affine, Component, Transform
from dlir_tf.transforms.bspline import stage_bspline

# Shapes of working grids, voxel sizes, and the splines' spacings, coarse to fine.
SHAPES = {2: (24, 16), 3: (16, 24, 6)}
SPACINGS = {2: (1.3, 0.7), 3: (1.5, 1.1, 6.0)}
STEPS = {2: ((8, 8), (4, 2), (1, 2)), 3: ((8, 8, 1), (4, 8, 2), (2, 4, 1))}
FIXED = {2: (21, 15), 3: (13, 19, 7)}
MOVING = {2: (19, 25), 3: (17, 15, 9)}


@dataclass(frozen=True)
class Parameters:
    """What a model would have predicted."""

    grid: Grid
    initial: np.ndarray
    matrix: np.ndarray
    splines: tuple[tuple[np.ndarray, tuple[int, ...]], ...]

    @property
    def ndim(self):
        return len(self.grid.shape)

    def ours(self):
        splines: list[Component] = [
            stage_bspline(points, steps, self.grid.affine)
            for points, steps in self.splines
        ]
        affines = [Affine(matrix) for matrix in self._world_matrices()]
        return Transform((*splines[::-1], *affines))

    def itk(self):
        """Filled in the order initial, affine, u_1 ... u_K: the last acts first."""
        composite = sitk.CompositeTransform(self.ndim)
        for matrix in self._world_matrices()[::-1]:
            composite.AddTransform(sitk_affine(matrix))
        for points, steps in self.splines:
            composite.AddTransform(sitk_spline(points, steps, self.grid))
        return composite

    def _world_matrices(self):
        last_row = np.eye(self.ndim + 1)[-1:]
        to_world = self.grid.affine
        affine = to_world @ np.vstack([self.matrix, last_row]) @ np.linalg.inv(to_world)
        affine[-1] = last_row
        return [affine, self.initial]


def random_parameters(rng, ndim, num_splines, size=1.0):
    shape = SHAPES[ndim]
    grid = Grid(shape, random_frame(rng, SPACINGS[ndim], 20.0 * np.arange(ndim), shape))
    initial = np.eye(ndim + 1)
    initial[:-1, -1] = rng.uniform(3, 9, ndim)
    matrix = np.eye(ndim, ndim + 1) + 0.08 * rng.normal(size=(ndim, ndim + 1))
    splines = tuple(
        (
            size
            * rng.normal(
                size=(*(n // s + 4 for n, s in zip(shape, steps, strict=True)), ndim)
            ),
            steps,
        )
        for steps in STEPS[ndim][:num_splines]
    )
    return Parameters(grid, initial, matrix, splines)


def random_frame(
    rng,
    spacing,
    centre,
    shape,
):
    """An oblique frame, mirrored half of the time, with its centre at a place."""
    ndim = len(spacing)
    turn, _ = np.linalg.qr(rng.normal(size=(ndim, ndim)))
    affine = np.eye(ndim + 1)
    affine[:-1, :-1] = turn * spacing
    affine[:-1, -1] = centre - affine[:-1, :-1] @ ((np.asarray(shape) - 1) / 2)
    return affine


def random_image(
    rng,
    shape,
    affine,
    dtype=np.float32,
):
    array = ndimage.gaussian_filter(rng.normal(size=shape), 1.0)
    array = 100 * (array - array.min()) / np.ptp(array)
    return Image(array.astype(dtype), affine)


def reference_within(
    rng,
    grid,
    spacing,
    shape,
):
    """An oblique grid of its own around the centre of a working grid."""
    centre = grid.affine @ [*((np.asarray(grid.shape) - 1) / 2), 1]
    frame = random_frame(rng, spacing, centre[:-1], shape)
    return Image(np.zeros(shape, np.float32), frame)


def points_within(rng, image, count=500, beyond=0.0):
    """World points between an image's voxels, and as far beyond as is asked for."""
    last = np.asarray(image.shape) - 1
    voxels = rng.uniform(-beyond, 1 + beyond, (count, image.ndim)) * last
    return voxels @ image.affine[:-1, :-1].T + image.affine[:-1, -1]


def grid_of(image):
    """World points of all voxels, `(*shape, ndim)`."""
    voxels = np.moveaxis(np.indices(image.shape), 0, -1)
    return voxels @ image.affine[:-1, :-1].T + image.affine[:-1, -1]


def itk_map(transform, points):
    """RAS+ points through an ITK transform, RAS+ again."""
    mapped = [transform.TransformPoint(point) for point in flip_ras_lps(points)]
    return flip_ras_lps(np.array(mapped))


def sitk_image(image):
    converted = sitk.GetImageFromArray(image.array.T)
    lps, spacing = _flip(image.affine), image.spacing
    converted.SetSpacing(spacing)
    converted.SetOrigin(lps[:-1, -1])
    converted.SetDirection((lps[:-1, :-1] / spacing).ravel())
    return converted


def sitk_affine(matrix):
    ndim = len(matrix) - 1
    signs = np.diag([*np.array([-1.0, -1.0, 1.0])[:ndim], 1.0])
    flipped = signs @ matrix @ signs
    transform = sitk.AffineTransform(ndim)
    transform.SetMatrix(flipped[:-1, :-1].ravel())
    transform.SetTranslation(flipped[:-1, -1])
    return transform


def sitk_spline(control_points, spacing, grid):
    ndim = len(spacing)
    steps, lps = np.asarray(spacing), _flip(grid.affine)
    first = lps[:-1, :-1] @ ((steps - 1) / 2 - 2 * steps) + lps[:-1, -1]
    transform = sitk.BSplineTransform(ndim, 3)
    transform.SetFixedParameters(
        [
            *map(float, control_points.shape[:-1]),
            *first,
            *(steps * grid.spacing),
            *(lps[:-1, :-1] / grid.spacing).ravel(),
        ]
    )
    coefficients = control_points @ lps[:-1, :-1].T
    transform.SetParameters(
        np.concatenate([coefficients[..., a].ravel(order="F") for a in range(ndim)])
    )
    return transform


def _flip(matrix):
    """A voxel-to-world matrix as ITK has it, LPS."""
    return np.vstack([flip_ras_lps(matrix[:-1].T).T, matrix[-1:]])
