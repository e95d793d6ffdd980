"""The loss of normalised mutual information, and its derivative."""

import numpy as np

from dlir_tf.kernels.compiling import in_blocks, kernel
from dlir_tf.kernels.similarity import EPSILON, LossAndSlopes
from dlir_tf.splines.lattice import spline_slopes, spline_weights

_TINY = 1e-12


class MutualInformation:
    """2 minus the normalised mutual information; see `dlir_tf.losses.nmi`.

    Args:
        fixed: `(*size)`, float32.
        weights: How much each voxel counts, the same shape.
        bins: Of the histograms.
        chosen: The numbers of the voxels that are looked at.
    """

    def __init__(
        self, fixed: np.ndarray, weights: np.ndarray, bins: int, chosen: np.ndarray
    ) -> None:
        self._bins, self._chosen = bins, chosen
        self._weights = weights.ravel()[chosen]
        self._total = float(self._weights.sum(dtype=np.float64)) + EPSILON
        self._fixed, _ = self._places(fixed.ravel()[chosen])

    def __call__(self, moved: np.ndarray) -> LossAndSlopes:
        """Evaluates the loss of a moved image."""
        places, scale = self._places(moved.ravel()[self._chosen])
        arrays, size = (self._fixed, places, self._weights), len(places)
        counts = sum(in_blocks(_count, size, *arrays, self._bins))
        joint = counts / self._total
        loss, by_share = _loss_of(joint)
        found = np.zeros(size, np.float32)
        in_blocks(_slopes_of, size, *arrays, by_share * scale / self._total, found)
        slopes = np.zeros(moved.size, np.float32)
        slopes[self._chosen] = found
        return loss, slopes.reshape(moved.shape)

    def _places(self, values: np.ndarray) -> tuple[np.ndarray, float]:
        """Where intensities lie among the bins, and how many bins one of them takes."""
        inside = self._weights > 0
        if not inside.any():
            return np.ones_like(values), 0.0
        low, high = values[inside].min(), values[inside].max()
        scale = (self._bins - 3) / float(high - low) if high > low else 0.0
        shifted = np.where(inside, values - low, np.float32(0))
        return 1 + np.float32(scale) * shifted, scale


def _loss_of(joint: np.ndarray) -> tuple[float, np.ndarray]:
    """The loss of a joint histogram, and its derivative by each of the shares."""

    def entropy(shares: np.ndarray) -> tuple[float, np.ndarray]:
        logs = np.log(np.maximum(shares, _TINY))
        return -float(np.sum(shares * logs)), -logs - (shares > _TINY)

    fixed, by_fixed = entropy(joint.sum(axis=1))
    moved, by_moved = entropy(joint.sum(axis=0))
    together, by_joint = entropy(joint)
    if together <= _TINY:
        return 1.0, np.zeros_like(joint)
    apart = fixed + moved
    derivative = (by_fixed[:, None] + by_moved) / together
    return 2.0 - apart / together, apart / together**2 * by_joint - derivative


_weights, _slopes = kernel(spline_weights), kernel(spline_slopes)


@kernel
def _windows(place):
    """The first of the four bins that a place counts in, and how far into it it is."""
    cell = int(place)
    return cell - 1, np.float64(place) - cell


@kernel
def _count(fixed, moved, weights, bins, start, stop):
    counts = np.zeros((bins, bins), np.float64)
    for n in range(start, stop):
        if weights[n] == 0:
            continue
        first, u = _windows(fixed[n])
        second, v = _windows(moved[n])
        in_fixed, in_moved = _weights(u), _weights(v)
        for a in range(4):
            if first + a >= bins:
                continue
            share = weights[n] * in_fixed[a]
            for b in range(4):
                if second + b < bins:
                    counts[first + a, second + b] += share * in_moved[b]
    return counts


@kernel
def _slopes_of(fixed, moved, weights, by_share, out, start, stop):
    bins = by_share.shape[0]
    for n in range(start, stop):
        if weights[n] == 0:
            continue
        first, u = _windows(fixed[n])
        second, v = _windows(moved[n])
        in_fixed, slopes = _weights(u), _slopes(v)
        total = 0.0
        for a in range(4):
            if first + a >= bins:
                continue
            share = weights[n] * in_fixed[a]
            for b in range(4):
                if second + b < bins:
                    total += share * slopes[b] * by_share[first + a, second + b]
        out[n] = total
