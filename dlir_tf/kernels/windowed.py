"""The loss of correlation in windows, and its derivative by the moved image."""

import numpy as np

from dlir_tf.kernels.compiling import in_blocks, kernel
from dlir_tf.kernels.similarity import EPSILON, LossAndSlopes
from dlir_tf.kernels.windows import make_room, slide, sum_plane, window_sums

# Where the last axis is shorter than this part of the one before it, as through a few
# slices, both change places: kernels are fast along the last axis where it's long.
_SHORT = 0.5


class WindowedNCC:
    """1 minus the mean correlation in windows; see `dlir_tf.losses.windowed_ncc`.

    It isn't for several threads at a time, since it keeps the memory that it works in.

    Args:
        fixed: `(*size)`, float32, 2-d or 3-d.
        weights: How much each voxel counts, the same shape.
        window: Edge length of the windows, in voxels.
    """

    def __init__(self, fixed: np.ndarray, weights: np.ndarray, window: int) -> None:
        *_, middle, last = (1, *fixed.shape)
        self._swaps = fixed.ndim == 3 and last < _SHORT * middle
        fixed, weights = self._laid_out(fixed), self._laid_out(weights)
        self._window = window
        self._total = float(weights.sum(dtype=np.float64)) + EPSILON
        fixed = fixed - np.float32(np.vdot(weights, fixed) / self._total)
        self._fixed, self._weights = fixed, weights
        parts = np.stack([weights, weights * fixed, weights * fixed**2])
        sums = window_sums(parts, window, window // 2)
        least = np.float32(EPSILON * window**fixed.ndim)
        count = np.maximum(sums[0], least)
        mean = sums[1] / count
        variance = np.maximum(sums[2] / count - mean**2, np.float32(EPSILON))
        self._known = np.stack(
            [1 / count, mean, 1 / np.sqrt(variance), weights / np.float32(self._total)]
        )
        self._spread = np.empty_like(parts)

    def __call__(self, moved: np.ndarray) -> LossAndSlopes:
        """Evaluates the loss of a moved image."""
        image, before = self._laid_out(moved), self._window // 2
        mean = np.float32(np.vdot(self._weights, image) / self._total)
        slopes = np.empty(image.shape, np.float32)
        images = [_planes(each) for each in (self._fixed, self._weights, image)]
        known, spread = _planes(self._known, 1), _planes(self._spread, 1)
        count, window = len(image), self._window
        after = window - 1 - before
        blocks = in_blocks(
            _correlate, count, *images, mean, known, window, before, spread
        )
        in_blocks(
            _pull_back, count, *images, mean, spread, window, after, _planes(slopes)
        )
        if self._swaps:
            slopes = np.ascontiguousarray(np.swapaxes(slopes, 1, 2))
        return float(1.0 - sum(blocks)), slopes

    def _laid_out(self, image: np.ndarray) -> np.ndarray:
        """The image as kernels go through it."""
        return np.ascontiguousarray(np.swapaxes(image, 1, 2) if self._swaps else image)


def _planes(image: np.ndarray, channels: int = 0) -> np.ndarray:
    """A view of three axes, behind those of the channels; of a slice, rows."""
    lead = image.shape[: channels + 1]
    return image.reshape(*lead, -1, image.shape[-1])


@kernel
def _correlate(fixed, weights, moved, mean, known, window, before, spread, start, stop):
    """What each window has to do with its voxels; adds up the correlations."""
    count, middle, last = moved.shape
    size, after = middle * last, window - 1 - before
    first = max(0, start - before)
    f, w = fixed.reshape(count, size), weights.reshape(count, size)
    m, k = moved.reshape(count, size), known.reshape(4, count, size)
    room = make_room((middle, last), window)
    sums = np.zeros((3, size), np.float64)
    found = np.empty((3, middle, last), np.float32)
    results = found.reshape(3, size)
    one = np.float32(1.0)
    for row in range(first, min(count, start + after)):
        _add(sums, f[row], w[row], m[row], mean, one)
    added = 0.0
    for row in range(start, stop):
        entering, leaving = row + after, row - before - 1
        if entering < count:
            _add(sums, f[entering], w[entering], m[entering], mean, one)
        if leaving >= first:
            _add(sums, f[leaving], w[leaving], m[leaving], mean, -one)
        for part in range(3):
            plane = sums[part].reshape(middle, last)
            sum_plane(plane, window, before, room, found[part])
        added += _turn(results, k[0, row], k[1, row], k[2, row], k[3, row])
        for part in range(3):
            spread[part, row] = found[part]
    return added


@kernel
def _add(sums, fixed, weights, moved, mean, sign):
    """Adds a plane of the moved image, of its squares, and of products with the fixed.

    In loops of their own, which the compiler takes several voxels at a time.
    """
    ones, squares, products = sums[0], sums[1], sums[2]
    for n in range(moved.size):
        ones[n] += sign * (weights[n] * (moved[n] - mean))
    for n in range(moved.size):
        centred = moved[n] - mean
        squares[n] += sign * (weights[n] * centred * centred)
    for n in range(moved.size):
        products[n] += sign * (weights[n] * (moved[n] - mean) * fixed[n])


@kernel
def _turn(sums, by_count, fixed_mean, by_fixed_root, weights):
    """Turns sums into derivatives, without branches, for the same reason."""
    added = np.float32(0.0)
    epsilon, one, zero = np.float32(EPSILON), np.float32(1.0), np.float32(0.0)
    ones, squares, products = sums[0], sums[1], sums[2]
    for n in range(ones.size):
        moved_mean = ones[n] * by_count[n]
        variance = squares[n] * by_count[n] - moved_mean * moved_mean
        covariance = products[n] * by_count[n] - fixed_mean[n] * moved_mean
        varies = variance > epsilon
        by_root = one / np.sqrt(variance if varies else epsilon)
        by_roots = by_fixed_root[n] * by_root
        coefficient = covariance * by_roots
        added += weights[n] * coefficient
        share = weights[n] * by_count[n]
        by_fixed = share * by_roots
        by_moved = share * coefficient * by_root * by_root if varies else zero
        ones[n] = by_fixed
        squares[n] = by_moved
        products[n] = by_moved * moved_mean - by_fixed * fixed_mean[n]
    return np.float64(added)


@kernel
def _pull_back(
    fixed, weights, moved, mean, spread, window, before, slopes, start, stop
):
    """Sums up what all windows around a voxel have to do with it."""
    count, middle, last = moved.shape
    size, after = middle * last, window - 1 - before
    first = max(0, start - before)
    values = spread.reshape(3, count, size)
    room = make_room((middle, last), window)
    sums = np.zeros((3, size), np.float64)
    found = np.empty((3, middle, last), np.float32)
    results = found.reshape(3, size)
    for part in range(3):
        for row in range(first, min(count, start + after)):
            sums[part] += values[part, row]
    for row in range(start, stop):
        for part in range(3):
            slide(sums[part], values[part], row, first, before, after)
            plane = sums[part].reshape(middle, last)
            sum_plane(plane, window, before, room, found[part])
        _combine(
            results[0],
            results[1],
            results[2],
            fixed[row].ravel(),
            weights[row].ravel(),
            moved[row].ravel(),
            mean,
            slopes[row].reshape(size),
        )


@kernel
def _combine(by_fixed, by_moved, constant, fixed, weights, moved, mean, slopes):
    for n in range(slopes.size):
        by_voxel = by_fixed[n] * fixed[n] - by_moved[n] * (moved[n] - mean)
        slopes[n] = -weights[n] * (by_voxel + constant[n])
