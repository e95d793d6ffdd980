"""Where a refinement stands: what it found, and what the pair looks like by it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from dlir_tf.compute.inside import is_wholly_inside
from dlir_tf.config import BSplineStage, Config
from dlir_tf.kernels.sampling import compose, warp
from dlir_tf.kernels.splines import expand
from dlir_tf.models.parameters import Parameters
from dlir_tf.pairs.working_pair import WorkingPair
from dlir_tf.refinement.images import PhaseImages, pool


@dataclass(frozen=True, eq=False)
class Standing:
    """What a refinement found so far.

    Attributes:
        pair: On its working grid.
        matrix: `(ndim, ndim + 1)`, in working voxels; a point goes through it last.
        control_points: Of the deformable stages, by name.
        deformation: Displacements of all these, `(*size, ndim)`, in working voxels,
            float32; `None` for none.
    """

    pair: WorkingPair
    matrix: np.ndarray
    control_points: Mapping[str, np.ndarray]
    deformation: np.ndarray | None = None

    @classmethod
    def at(
        cls, pair: WorkingPair, parameters: Parameters, config: Config
    ) -> "Standing":
        """Begins with parameters that are there already."""
        standing = cls(pair, parameters.matrix, {})
        for (_, name, stage), points in parameters.splines(config):
            standing = standing.with_spline(name, stage, points)
        return standing

    @property
    def parameters(self) -> Parameters:
        """What was found, as a `Predictor` gives it."""
        return Parameters(self.matrix, self.control_points)

    def with_matrix(self, matrix: np.ndarray) -> "Standing":
        """Takes another matrix."""
        return replace(self, matrix=matrix)

    def with_spline(
        self, name: str, stage: BSplineStage, points: np.ndarray
    ) -> "Standing":
        """Adds a stage, which a point goes through before all others.

        Args:
            name: Of its control points.
            stage: Says their spacing.
            points: `(*lattice_shape, ndim)`, in working voxels.
        """
        field = expand(points.astype(np.float32), stage.control_point_spacing)
        if self.deformation is not None:
            field = compose(self.deformation, field)
        found = {**self.control_points, name: points}
        return replace(self, control_points=found, deformation=field)

    def images(self, factor: tuple[int, ...], *, moved: bool = True) -> PhaseImages:
        """The pair's images, pooled; the moving one as it is moved so far.

        It is interpolated once, at the resolution of the working grid.

        Args:
            factor: Voxels per axis that are averaged.
            moved: Whether it's moved at all.
        """
        pair = self.pair
        weights = pool(pair.mask.astype(np.float32), factor)
        if pair.fixed_mask is not None:
            weights = weights * is_wholly_inside(
                pool(pair.fixed_mask.astype(np.float32), factor)
            )
        ddf = self.displacements() if moved else None
        moving, mask = pair.moving, None
        if ddf is not None:
            moving = warp(moving[..., None], ddf)[..., 0]
        if pair.moving_mask is not None:
            mask = pair.moving_mask.astype(np.float32)
            if ddf is not None:
                inside = is_wholly_inside(warp(mask[..., None], ddf)[..., 0])
                mask = inside.astype(np.float32)
            mask = is_wholly_inside(pool(mask, factor)).astype(np.float32)
        fixed, moving = (pool(image, factor) for image in (pair.fixed, moving))
        return PhaseImages(fixed, moving, weights, mask)

    def displacements(self) -> np.ndarray | None:
        """Of the whole transform, `(*size, ndim)`; `None` if it moves nothing."""
        ndim = len(self.matrix)
        change = self.matrix - np.eye(ndim, ndim + 1)
        if not np.any(change):
            return self.deformation
        places = np.moveaxis(np.indices(self.pair.grid.shape, np.float32), 0, -1)
        inner = self.deformation
        if inner is not None:
            places += inner
        linear, shift = (part.astype(np.float32) for part in np.split(change, [-1], 1))
        outer = places @ linear.T + shift[:, 0]
        return outer if inner is None else outer + inner
