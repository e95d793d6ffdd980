"""What is known of a pair, as a part of the loss of each phase of a refinement.

Landmarks add their mean distance, in mm: a force that doesn't fade with the distance,
so that a wrong valley of the similarity is left. Outlines add the difference of their
signed distances, `d / sqrt(d² + reach²)`, which differ wherever the outlines do.
"""

import itertools
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import ndimage, sparse

from dlir_tf.config import BSplineStage
from dlir_tf.errors import InputError
from dlir_tf.kernels.sampling import warp
from dlir_tf.kernels.splines import expand, sum_up
from dlir_tf.pairs.knowledge import Knowledge
from dlir_tf.pairs.working_pair import WorkingPair
from dlir_tf.refinement.images import PhaseImages, pool
from dlir_tf.refinement.measures import ByField, DescriptorDissimilarity
from dlir_tf.refinement.standing import Standing
from dlir_tf.splines.lattice import lattice_coordinate, spline_weights

# Takes numbers of a stage (control points, or a matrix), in working voxels; returns the
# loss and its derivative by them.
Term = Callable[[np.ndarray], tuple[float, np.ndarray]]

_LEAST_SQUARE = 1e-6  # mm²: where two points meet, their distance has no gradient
_REACH = 0.1  # of the image's extent
_MOST_LABELS = 16


@dataclass(frozen=True, eq=False)
class Known:
    """Knowledge on the working grid of a pair.

    Attributes:
        spacing: Of the grid, mm.
        mask: Where both images have voxels.
        points: Of both images, in voxels of the grid; or none.
        outlines: Their maps, `(*size, labels)`, float32, of both images; or none.
        weights: Of points and of outlines.
    """

    spacing: np.ndarray
    mask: np.ndarray
    points: tuple[np.ndarray, np.ndarray] | None
    outlines: tuple[np.ndarray, np.ndarray] | None
    weights: tuple[float, float]

    @classmethod
    def of(cls, pair: WorkingPair, knowledge: Knowledge) -> "Known":
        """Brings what is known to where the working images show it."""
        spacing = np.asarray(pair.grid.spacing)
        points, outlines = knowledge.points, None
        if points is not None:
            ndim = pair.grid.ndim if pair.plane is None else 3
            if points[0].shape[1] != ndim:
                raise InputError(
                    f"points: of {ndim}-d images, they must have {ndim} coordinates. "
                    f"Received: {points[0].shape[1]}"
                )
            points = pair.points_in_voxels(points)
        if knowledge.labels is not None:
            outlines = _outlines(pair.labels_on_grid(knowledge.labels), spacing)
        weights = knowledge.points_weight, knowledge.labels_weight
        return cls(spacing, pair.mask.astype(np.float32), points, outlines, weights)

    def loss(self, standing: Standing, factor: tuple[int, ...]) -> float:
        """What is known adds so much to the loss of where a refinement stands."""
        loss, ddf = 0.0, standing.displacements()
        if self.points is not None:
            fixed, moving = self.points
            loss += self._distance(fixed + _sampled(ddf, fixed), moving)[0]
        if self.outlines is not None:
            compare = self._of_outlines(ddf, factor)
            shape = [n // r for n, r in zip(self.mask.shape, factor, strict=True)]
            loss += compare(np.zeros((*shape, len(shape)), np.float32))[0]
        return loss

    def of_matrix(self, standing: Standing, factor: tuple[int, ...]) -> Term:
        """The loss by the whole transform's matrix, `(ndim, ndim + 1)`."""
        terms: list[Term] = []
        if self.points is not None:
            fixed, moving = self.points
            before = fixed + _sampled(standing.deformation, fixed)

            def of_points(matrix: np.ndarray) -> tuple[float, np.ndarray]:
                mapped = before @ matrix[:, :-1].T + matrix[:, -1]
                loss, by_point = self._distance(mapped, moving)
                return loss, _by_matrix(by_point, before)

            terms.append(of_points)
        if self.outlines is not None:
            terms.append(self._outlines_by_matrix(standing, factor))
        return _sum_of(terms)

    def of_spline(self, standing: Standing, stage: BSplineStage) -> Term:
        """The loss of a further stage, by its control points."""
        ddf = standing.displacements()
        terms: list[Term] = []
        if self.points is not None:
            terms.append(self._points_by_spline(ddf, stage))
        if self.outlines is not None:
            compare = self._of_outlines(ddf, stage.downsample)
            factor = np.asarray(stage.downsample, np.float32)

            def of_outlines(points: np.ndarray) -> tuple[float, np.ndarray]:
                field = expand(points.astype(np.float32) / factor, stage.pooling)
                loss, by_voxel = compare(field)
                return loss, sum_up(by_voxel, stage.pooling) / factor

            terms.append(of_outlines)

        return _sum_of(terms)

    def _points_by_spline(self, ddf: np.ndarray | None, stage: BSplineStage) -> Term:
        if self.points is None:
            raise ValueError("of_spline: there are no points")
        fixed, moving = self.points
        shape = stage.lattice_shape(self.mask.shape)
        weigh = _weights_of_points(fixed, stage.control_point_spacing, shape)

        def term(points: np.ndarray) -> tuple[float, np.ndarray]:
            there = fixed + weigh @ points.reshape(-1, len(shape))
            loss, by_point = self._distance(there + _sampled(ddf, there), moving)
            by_place = by_point + np.einsum("nij,ni->nj", _slopes(ddf, there), by_point)
            return loss, (weigh.T @ by_place).reshape(points.shape)

        return term

    def _outlines_by_matrix(self, standing: Standing, factor: tuple[int, ...]) -> Term:
        compare, step = self._of_outlines(None, factor), np.asarray(factor, np.float32)
        shape = [n // r for n, r in zip(self.mask.shape, factor, strict=True)]
        indices: np.ndarray = np.moveaxis(np.indices(shape, np.float32), 0, -1)
        places = step * indices + (step - 1) / 2
        before = places
        if standing.deformation is not None:
            before = places + pool(standing.deformation, factor)

        def term(matrix: np.ndarray) -> tuple[float, np.ndarray]:
            narrow = matrix.astype(np.float32)
            mapped = before @ narrow[:, :-1].T + narrow[:, -1]
            loss, by_voxel = compare((mapped - places) / step)
            ndim = len(matrix)
            by_place = (by_voxel / step).reshape(-1, ndim)
            return loss, _by_matrix(by_place, before.reshape(-1, ndim))

        return term

    def _distance(
        self, mapped: np.ndarray, moving: np.ndarray
    ) -> tuple[float, np.ndarray]:
        """The weighted mean distance, mm, and its derivative by the mapped points."""
        apart = (mapped - moving) * self.spacing
        lengths = np.sqrt((apart**2).sum(axis=-1) + _LEAST_SQUARE)
        share = self.weights[0] / len(lengths)
        slopes = share * self.spacing * apart / lengths[:, None]
        return share * float(lengths.sum()), slopes

    def _of_outlines(self, ddf: np.ndarray | None, factor: tuple[int, ...]) -> ByField:
        if self.outlines is None:
            raise ValueError("of_outlines: there are no labels")
        fixed, moving = self.outlines
        if ddf is not None:
            moving = warp(moving, ddf)
        fixed, moving, mask = (pool(m, factor) for m in (fixed, moving, self.mask))
        images = PhaseImages(fixed, moving, mask, None)
        return DescriptorDissimilarity(images, self.weights[1])


def _sum_of(terms: list[Term]) -> Term:
    def total(numbers: np.ndarray) -> tuple[float, np.ndarray]:
        found = [term(numbers) for term in terms]
        slopes = np.asarray(sum(slope for _, slope in found), np.float32)
        return float(sum(loss for loss, _ in found)), slopes

    return total


def _by_matrix(by_mapped: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Takes a derivative by mapped places to one by the matrix that maps them."""
    return np.column_stack([by_mapped.T @ places, by_mapped.sum(axis=0)])


def _outlines(
    labels: tuple[np.ndarray, np.ndarray], spacing: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Maps of the labels that both images have, scaled to what they take up."""
    values, counts = np.unique(labels[0], return_counts=True)
    order = np.argsort(-counts, kind="stable")
    common = [v for v in values[order] if v and np.any(labels[1] == v)]
    if not common:
        raise InputError(
            "labels: the two images have no label in common where they are compared, "
            "so outlines say nothing; check that they belong together"
        )
    if len(common) > _MOST_LABELS:
        warnings.warn(
            f"labels: {len(common)} are too many for a refinement; the "
            f"{_MOST_LABELS} largest of the fixed image count",
            stacklevel=2,
        )
        common = common[:_MOST_LABELS]
    reach = _REACH * float(np.mean(np.multiply(labels[0].shape, spacing)))
    maps: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
    for value in common:
        depths = [_depth(side == value, spacing) for side in labels]
        # Of all voxels, as many as are near the outline: small organs count, too.
        share = max(np.mean(np.abs(depths[0]) < reach), 1e-6)
        for side, depth in zip(maps, depths, strict=True):
            side.append(depth / np.sqrt((depth**2 + reach**2) * share))
    fixed, moving = (np.stack(side, axis=-1).astype(np.float32) for side in maps)
    return fixed, moving


def _depth(inside: np.ndarray, spacing: np.ndarray) -> np.ndarray:
    """Signed distance from the outline, mm, positive inside."""
    if inside.all():
        return np.full(inside.shape, float(np.dot(inside.shape, spacing)))
    within = ndimage.distance_transform_edt(inside, sampling=spacing)
    beyond = ndimage.distance_transform_edt(~inside, sampling=spacing)
    return np.asarray(within - beyond)


def _sampled(ddf: np.ndarray | None, places: np.ndarray) -> np.ndarray:
    """A field `(*size, ndim)` at places `(num_points, ndim)`, linearly."""
    if ddf is None:
        return np.zeros_like(places)
    columns = [
        ndimage.map_coordinates(
            ddf[..., axis], places.T, np.float64, order=1, mode="nearest"
        )
        for axis in range(places.shape[1])
    ]
    return np.stack(columns, axis=-1)


def _slopes(ddf: np.ndarray | None, places: np.ndarray) -> np.ndarray:
    """Derivatives of a field at places, over one voxel: `(num_points, ndim, ndim)`."""
    ndim = places.shape[1]
    if ddf is None:
        return np.zeros((len(places), ndim, ndim))
    steps = 0.5 * np.eye(ndim)
    columns = [_sampled(ddf, places + s) - _sampled(ddf, places - s) for s in steps]
    return np.stack(columns, axis=-1)


def _weights_of_points(
    places: np.ndarray, cells: tuple[int, ...], shape: tuple[int, ...]
) -> sparse.csr_array:
    """What the control points of a lattice weigh at places, in working voxels."""
    first, weights = [], []
    for axis, step in enumerate(cells):
        along = lattice_coordinate(places[:, axis], step)
        # Beyond the lattice, the displacement goes on as at its end.
        along = np.clip(along, 1, shape[axis] - 2 - 1e-9)
        cell = np.floor(along).astype(int)
        first.append(cell - 1)
        weights.append(spline_weights(along - cell))
    columns, values = [], []
    for taps in itertools.product(range(4), repeat=len(cells)):
        index = [start + tap for start, tap in zip(first, taps, strict=True)]
        columns.append(np.ravel_multi_index(index, shape))
        values.append(np.prod([w[t] for w, t in zip(weights, taps, strict=True)], 0))
    rows = np.tile(np.arange(len(places)), len(columns))
    entries = np.concatenate(values), (rows, np.concatenate(columns))
    size = len(places), int(np.prod(shape))
    return sparse.csr_array(sparse.coo_array(entries, size))
