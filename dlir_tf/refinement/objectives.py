"""What the phases of a refinement minimise, and how their numbers are understood."""

import numpy as np

from dlir_tf.config import BSplineStage, Config, LinearStage
from dlir_tf.kernels.bending import BendingEnergy
from dlir_tf.kernels.splines import expand, sum_up
from dlir_tf.layers.affine import rescale_matrix
from dlir_tf.models.linear import matrix_layer
from dlir_tf.refinement.images import PhaseImages, counting_cells, pool
from dlir_tf.refinement.measures import dissimilarity
from dlir_tf.refinement.standing import Standing
from dlir_tf.splines.lattice import BORDER, INJECTIVITY_LIMIT

# Half of what numbers are changed by to see what that does to a matrix.
_STEP = 1e-3


class SplineNumbers:
    """The numbers by which a deformable stage is refined.

    They are unbounded: control points in units of their spacing, before the `tanh`
    that keeps the stage from folding, if it's injective.

    Args:
        images: At the stage's resolution.
        stage: Whose control points these are.
    """

    def __init__(self, images: PhaseImages, stage: BSplineStage) -> None:
        self._stage = stage
        size = np.multiply(images.fixed.shape, stage.downsample)
        self._shape = stage.lattice_shape(tuple(map(int, size)))
        self._cells = np.asarray(stage.control_point_spacing, np.float32)
        self._limit = np.float32(INJECTIVITY_LIMIT[len(self._shape)])

    @property
    def start(self) -> np.ndarray:
        """Numbers that move nothing, float32."""
        return np.zeros((*self._shape, len(self._shape)), np.float32)

    def points(self, numbers: np.ndarray) -> np.ndarray:
        """The control points that numbers stand for, in working voxels."""
        if not self._stage.injective:
            return numbers * self._cells
        return self._limit * np.tanh(numbers / self._limit) * self._cells

    def by_numbers(self, numbers: np.ndarray, by_points: np.ndarray) -> np.ndarray:
        """Takes a derivative by the control points to one by the numbers."""
        gradient = by_points * self._cells
        if self._stage.injective:
            gradient *= 1 - np.tanh(numbers / self._limit) ** 2
        return gradient


class SplineObjective(SplineNumbers):
    """The loss of a deformable stage, by its numbers; see `SplineNumbers`.

    Args:
        images: At the stage's resolution, the moving one as earlier stages move it.
        config: Says the similarity.
        stage: Whose control points these are.
        spacing: Of the working grid, in mm.
    """

    def __init__(
        self,
        images: PhaseImages,
        config: Config,
        stage: BSplineStage,
        spacing: tuple[float, ...],
    ) -> None:
        super().__init__(images, stage)
        counting = counting_cells(images.weights, stage.pooling)
        voxels = tuple(
            slice(part.start * step, part.stop * step)
            for part, step in zip(counting, stage.pooling, strict=True)
        )
        # Of the control points, those that move voxels which count.
        self._near = tuple(
            slice(part.start, part.stop + 2 * BORDER) for part in counting
        )
        self._dissimilarity = dissimilarity(images, config.similarity, voxels)
        cells = stage.control_point_spacing
        self._energy = BendingEnergy(self._shape, cells, spacing)

    def __call__(self, numbers: np.ndarray) -> tuple[float, np.ndarray]:
        """The loss and its gradient."""
        stage = self._stage
        points = self.points(numbers)
        factor = np.asarray(stage.downsample, np.float32)
        near = np.ascontiguousarray(points[self._near])
        loss, by_voxel = self._dissimilarity(expand(near / factor, stage.pooling))
        gradient = np.zeros_like(points)
        gradient[self._near] = sum_up(by_voxel, stage.pooling) / factor
        if stage.bending_energy:
            energy, slopes = self._energy(points)
            loss += stage.bending_energy * energy
            gradient += np.float32(stage.bending_energy) * slopes
        return loss, self.by_numbers(numbers, gradient)


class MatrixObjective:
    """The loss of a further linear stage, by the numbers that its matrix is made of.

    Args:
        images: At the stage's resolution, the moving one as it was at the start.
        config: Says the similarity.
        stage: Says what the matrix is made of.
        spacing: Of the working grid, in mm.
        matrix: What is there already, and is applied last.
        deformation: What a point goes through before, `(*size, ndim)`, in working
            voxels; `None` for nothing.
    """

    def __init__(
        self,
        images: PhaseImages,
        config: Config,
        stage: LinearStage,
        spacing: tuple[float, ...],
        matrix: np.ndarray,
        deformation: np.ndarray | None,
    ) -> None:
        self._stage, self._matrix = stage, matrix
        self._layer = matrix_layer(stage)
        self._spacing = np.asarray([spacing], np.float32)
        self._dissimilarity = dissimilarity(images, config.similarity)
        shape = images.fixed.shape
        self._size = np.multiply(shape, stage.downsample).astype(np.float32)
        self._num = stage.num_parameters[len(shape)]
        self._places: np.ndarray = np.moveaxis(np.indices(shape, np.float32), 0, -1)
        self._inner: np.ndarray | None = None
        if deformation is not None:
            factor = np.asarray(stage.downsample, np.float32)
            self._inner = pool(deformation, stage.downsample) / factor
            self._places = self._places + self._inner

    @property
    def start(self) -> np.ndarray:
        """Numbers that move nothing, float32."""
        return np.zeros(self._num, np.float32)

    def matrix(self, numbers: np.ndarray) -> np.ndarray:
        """The whole transform's matrix, `(ndim, ndim + 1)`, in working voxels."""
        return self._matrices(numbers[None])[0]

    def slopes(self, numbers: np.ndarray) -> np.ndarray:
        """The whole matrix' derivatives by the numbers, `(count, ndim, ndim + 1)`."""
        changes = _STEP * np.eye(self._num, dtype=np.float32)
        forth, back = (self._matrices(numbers + sign * changes) for sign in (1, -1))
        return np.asarray((forth - back) / (2 * _STEP))

    def __call__(self, numbers: np.ndarray) -> tuple[float, np.ndarray]:
        """The loss and its gradient."""
        changes = _STEP * np.eye(self._num, dtype=np.float32)
        batch = np.concatenate([numbers[None], numbers + changes, numbers - changes])
        matrices = rescale_matrix(self._matrices(batch), self._stage.downsample, np)
        current, forth, back = np.split(matrices, [1, 1 + self._num])
        loss, by_voxel = self._dissimilarity(self._displacements(current[0]))
        ndim = by_voxel.shape[-1]
        by_voxel, places = by_voxel.reshape(-1, ndim), self._places.reshape(-1, ndim)
        by_matrix = np.column_stack([by_voxel.T @ places, by_voxel.sum(axis=0)])
        slopes = (forth - back) / (2 * _STEP)
        return loss, np.tensordot(slopes, by_matrix, 2).astype(np.float32)

    def _displacements(self, matrix: np.ndarray) -> np.ndarray:
        """Of every voxel, in voxels of the stage."""
        ndim = len(matrix)
        change = (matrix - np.eye(ndim, ndim + 1)).astype(np.float32)
        outer = self._places @ change[:, :ndim].T + change[:, ndim]
        return outer if self._inner is None else outer + self._inner

    def _matrices(self, batch: np.ndarray) -> np.ndarray:
        """Of each set of numbers."""
        ndim = len(self._matrix)
        own = self._layer.matrix(batch, self._spacing, self._size, np)
        own = own.astype(np.float64)
        linear, shift = self._matrix[:, :ndim], self._matrix[:, ndim]
        translations = own[..., ndim] @ linear.T + shift
        return np.concatenate(
            [linear @ own[..., :ndim], translations[..., None]], axis=-1
        )


def loss_of(standing: Standing, config: Config, factor: tuple[int, ...]) -> float:
    """The loss of all stages together, at a resolution.

    Args:
        standing: Where a refinement stands.
        config: Says the similarity and the weights.
        factor: Voxels per axis that are averaged.
    """
    images = standing.images(factor)
    still = np.zeros((*images.fixed.shape, images.fixed.ndim), np.float32)
    loss, _ = dissimilarity(images, config.similarity)(still)
    for one, points in standing.parameters.splines(config):
        stage = one.stage
        energy = BendingEnergy(
            points.shape[:-1], stage.control_point_spacing, standing.pair.grid.spacing
        )
        loss += stage.bending_energy * energy(points.astype(np.float32))[0]
    return loss
