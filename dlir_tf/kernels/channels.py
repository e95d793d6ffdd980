"""Images of several channels, compared under a field in one go."""

import numpy as np

from dlir_tf.kernels.compiling import in_blocks, kernel
from dlir_tf.kernels.sampling import blend, find_cell, start_of_field
from dlir_tf.kernels.similarity import EPSILON


def squared_differences(
    fixed: np.ndarray,
    moving: np.ndarray,
    weights: np.ndarray,
    ddf: np.ndarray,
    origin: tuple[int, ...] | None = None,
) -> tuple[float, np.ndarray]:
    """The mean squared difference under a field, and its derivative by the field.

    The warped channels never exist: there are many of them.

    Args:
        fixed: `(*size, channels)`, float32, 2-d or 3-d.
        moving: `(*image_size, channels)`; its border is repeated outside.
        weights: How much each voxel counts, `(*size)`.
        ddf: `(*size, ndim)`, in voxels, float32.
        origin: As for `dlir_tf.kernels.sampling.warp_with_slopes`.
    """
    slopes = np.empty(ddf.shape, np.float32)
    lead = (1,) * (4 - fixed.ndim)
    arrays = [a.reshape(lead + a.shape) for a in (fixed, moving, weights, ddf, slopes)]
    total = float(weights.sum(dtype=np.float64)) + EPSILON
    share = np.float32(1 / (total * fixed.shape[-1]))
    rows = arrays[0].shape[0] * arrays[0].shape[1]
    begin = start_of_field(moving.shape[:-1], ddf.shape, origin)
    parts = in_blocks(_compare, rows, *arrays[:4], begin, share, arrays[4])
    return float(sum(parts)), slopes


@kernel
def _compare(fixed, moving, weights, ddf, origin, share, slopes, start, stop):
    m0, m1, m2, channels = moving.shape
    _, n1, n2, ndim = ddf.shape
    o0, o1, o2 = origin[0], origin[1], origin[2]
    loss = 0.0
    for row in range(start, stop):
        i, j = row // n1, row % n1
        for k in range(n2):
            weight = share * weights[i, j, k]
            shift = ddf[i, j, k, 0] if ndim == 3 else np.float32(0.0)
            a, da, u, in_a = find_cell(np.float32(o0 + i + shift), m0)
            b, db, v, in_b = find_cell(np.float32(o1 + j + ddf[i, j, k, ndim - 2]), m1)
            c, dc, w, in_c = find_cell(np.float32(o2 + k + ddf[i, j, k, ndim - 1]), m2)
            sum_a = sum_b = sum_c = np.float32(0.0)
            for n in range(channels):
                p000, p001 = moving[a, b, c, n], moving[a, b, c + dc, n]
                p010, p011 = moving[a, b + db, c, n], moving[a, b + db, c + dc, n]
                p100, p101 = moving[a + da, b, c, n], moving[a + da, b, c + dc, n]
                p110 = moving[a + da, b + db, c, n]
                p111 = moving[a + da, b + db, c + dc, n]
                value, by_a, by_b, by_c = blend(
                    p000, p001, p010, p011, p100, p101, p110, p111, u, v, w
                )
                apart = value - fixed[i, j, k, n]
                loss += weight * apart * apart
                force = 2 * weight * apart
                sum_a += force * by_a
                sum_b += force * by_b
                sum_c += force * by_c
            if ndim == 3:
                slopes[i, j, k, 0] = in_a * sum_a
            slopes[i, j, k, ndim - 2] = in_b * sum_b
            slopes[i, j, k, ndim - 1] = in_c * sum_c
    return loss
