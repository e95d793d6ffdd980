"""Losses of images of one modality, and their derivatives by the moved image."""

import numpy as np

from dlir_tf.kernels.compiling import in_blocks, kernel
from dlir_tf.kernels.windows import window_sums

# As `dlir_tf.losses.weighting` has it, which Keras would come with.
EPSILON = 1e-6

# The loss, and its derivative by each voxel of the moved image.
LossAndSlopes = tuple[float, np.ndarray]


def ncc_loss(
    fixed: np.ndarray, moved: np.ndarray, weights: np.ndarray
) -> LossAndSlopes:
    """1 minus the normalised cross-correlation; see `dlir_tf.losses.ncc`.

    Args:
        fixed: `(*size)`, float32.
        moved: The same shape.
        weights: How much each voxel counts, the same shape.
    """
    flat = [array.ravel() for array in (fixed, moved, weights)]
    sums = sum(in_blocks(_moments, flat[0].size, *flat))
    total = sums[0] + EPSILON
    fixed_mean, moved_mean = sums[1] / total, sums[2] / total
    # Of what is centred, though the weights' sum lacks a little in the total.
    share = sums[0] / total
    covariance = sums[3] / total - (2 - share) * fixed_mean * moved_mean
    fixed_variance = sums[4] / total - (2 - share) * fixed_mean**2
    moved_variance = sums[5] / total - (2 - share) * moved_mean**2
    fixed_root, moved_root = _root(fixed_variance), _root(moved_variance)
    correlation = covariance / (fixed_root * moved_root)
    by_fixed = -1.0 / (fixed_root * moved_root * total)
    by_moved = 0.0
    if moved_variance > EPSILON:
        by_moved = correlation / (moved_root**2 * total)
    constant = -by_fixed * fixed_mean - by_moved * moved_mean
    slopes = np.empty(moved.shape, np.float32)
    factors = [np.float32(x) for x in (by_fixed, by_moved, constant)]
    in_blocks(_weigh, flat[0].size, *flat, *factors, slopes.ravel())
    return float(1.0 - correlation), slopes


def mse_loss(
    fixed: np.ndarray, moved: np.ndarray, weights: np.ndarray
) -> LossAndSlopes:
    """The mean squared difference; see `dlir_tf.losses.mse`."""
    total = float(weights.sum(dtype=np.float64)) + EPSILON
    apart = moved - fixed
    slopes = weights * apart
    loss = float(np.vdot(slopes, apart)) / total
    return loss, slopes * np.float32(2 / total)


class WindowedNCC:
    """1 minus the mean correlation in windows; see `dlir_tf.losses.windowed_ncc`.

    Args:
        fixed: `(*size)`, float32.
        weights: How much each voxel counts, the same shape.
        window: Edge length of the windows, in voxels.
    """

    def __init__(self, fixed: np.ndarray, weights: np.ndarray, window: int) -> None:
        self._window = window
        total = float(weights.sum(dtype=np.float64)) + EPSILON
        mean = np.vdot(weights, fixed) / total
        self._fixed = fixed - np.float32(mean)
        self._weights = weights
        self._total = total
        parts = (weights, weights * self._fixed, weights * self._fixed**2)
        sums = self._sum(np.stack(parts, axis=-1))
        least = np.float32(EPSILON * window**fixed.ndim)
        self._count = np.maximum(sums[..., 0], least)
        self._fixed_mean = sums[..., 1] / self._count
        variance = sums[..., 2] / self._count - self._fixed_mean**2
        self._fixed_root = np.sqrt(np.maximum(variance, np.float32(EPSILON)))

    def __call__(self, moved: np.ndarray) -> LossAndSlopes:
        """Evaluates the loss of a moved image."""
        moved = moved - np.float32(np.vdot(self._weights, moved) / self._total)
        size, flat = moved.size, moved.ravel()
        known = [self._fixed.ravel(), self._weights.ravel()]
        parts = np.empty((*moved.shape, 3), np.float32)
        in_blocks(_products, size, *known, flat, parts.reshape(-1, 3))
        sums = self._sum(parts).reshape(-1, 3)
        windows = [
            array.ravel() for array in (self._count, self._fixed_mean, self._fixed_root)
        ]
        blocks = in_blocks(
            _correlate, size, sums, known[1], *windows, np.float32(self._total)
        )
        spread = self._sum(sums.reshape(parts.shape), backwards=True).reshape(-1, 3)
        slopes = np.empty(moved.shape, np.float32)
        in_blocks(_pull_back, size, *known, flat, spread, slopes.ravel())
        return float(1.0 - sum(blocks) / self._total), slopes

    def _sum(self, values: np.ndarray, *, backwards: bool = False) -> np.ndarray:
        before = self._window // 2
        if backwards:
            before = self._window - 1 - before
        return window_sums(values, self._window, before)


def _root(variance: float) -> float:
    return float(np.sqrt(max(variance, EPSILON)))


@kernel
def _moments(fixed, moved, weights, start, stop):
    sums = np.zeros(6, np.float64)
    s0 = s1 = s2 = s3 = s4 = s5 = 0.0
    for n in range(start, stop):
        w, f, m = np.float64(weights[n]), np.float64(fixed[n]), np.float64(moved[n])
        s0 += w
        s1 += w * f
        s2 += w * m
        s3 += w * f * m
        s4 += w * f * f
        s5 += w * m * m
    sums[0], sums[1], sums[2], sums[3], sums[4], sums[5] = s0, s1, s2, s3, s4, s5
    return sums


@kernel
def _weigh(fixed, moved, weights, by_fixed, by_moved, constant, out, start, stop):
    for n in range(start, stop):
        out[n] = weights[n] * (by_fixed * fixed[n] + by_moved * moved[n] + constant)


@kernel
def _products(fixed, weights, moved, out, start, stop):
    for n in range(start, stop):
        weighted = weights[n] * moved[n]
        out[n, 0] = weighted
        out[n, 1] = weighted * moved[n]
        out[n, 2] = weighted * fixed[n]


@kernel
def _correlate(sums, weights, count, fixed_mean, fixed_root, total, start, stop):
    """Turns sums into what each window has to do with its voxels; adds up the NCC."""
    added = 0.0
    # Divided by the count but once, and without branches: so several voxels are
    # taken at a time.
    epsilon, one, zero = np.float32(EPSILON), np.float32(1.0), np.float32(0.0)
    for n in range(start, stop):
        each = one / count[n]
        moved_mean = sums[n, 0] * each
        variance = sums[n, 1] * each - moved_mean * moved_mean
        covariance = sums[n, 2] * each - fixed_mean[n] * moved_mean
        varies = variance > epsilon
        root = np.sqrt(variance if varies else epsilon)
        by_roots = one / (fixed_root[n] * root)
        coefficient = covariance * by_roots
        added += weights[n] * coefficient
        share = weights[n] * each / total
        by_fixed = share * by_roots
        by_moved = share * coefficient / (root * root) if varies else zero
        sums[n, 0] = by_fixed
        sums[n, 1] = by_moved
        sums[n, 2] = by_moved * moved_mean - by_fixed * fixed_mean[n]
    return added


@kernel
def _pull_back(fixed, weights, moved, spread, out, start, stop):
    for n in range(start, stop):
        out[n] = -weights[n] * (
            spread[n, 0] * fixed[n] - spread[n, 1] * moved[n] + spread[n, 2]
        )
