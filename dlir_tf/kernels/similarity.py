"""Losses of images of one modality, and their derivatives by the moved image."""

import numpy as np

from dlir_tf.kernels.compiling import in_blocks, kernel

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
