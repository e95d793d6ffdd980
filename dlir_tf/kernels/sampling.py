"""Images and fields, sampled at displaced voxels."""

import numpy as np

from dlir_tf.kernels.compiling import in_blocks, kernel


def warp_with_slopes(
    image: np.ndarray,
    ddf: np.ndarray,
    mask: np.ndarray | None = None,
    weights: np.ndarray | None = None,
    origin: tuple[int, ...] | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Warps an image, and differentiates the result by the displacements.

    Args:
        image: `(*image_size)`, float32, 2-d or 3-d; its border is repeated outside.
        ddf: `(*size, ndim)`, in voxels, float32.
        mask: `(*image_size)`, float32, 0 or 1.
        weights: `(*size)`, float32; where they are 0, the results are 0.
        origin: The voxel of the image where the field begins; by default the first,
            and the field is as large as the image.

    Returns:
        The warped image `(*size)`; its slopes `(*size, ndim)`, 0 outside the image; and
        the mask, warped linearly, `(*size)`, if there is one.

    Raises:
        ValueError: If the sizes differ.
    """
    size = ddf.shape[:-1]
    moved, slopes = np.empty(size, np.float32), np.empty(ddf.shape, np.float32)
    counting = np.ones(size, np.float32) if weights is None else weights
    start = start_of_field(image.shape, ddf.shape, origin)
    field, results = _field(ddf), (_volume(moved), _field(slopes))
    rows = field.shape[0] * field.shape[1]
    in_blocks(
        _warp_with_slopes,
        rows,
        _volume(image),
        field,
        start,
        _volume(counting),
        *results,
    )
    if mask is None:
        return moved, slopes, None
    return moved, slopes, warp(mask[..., None], ddf, origin)[..., 0]


def warp(
    values: np.ndarray, ddf: np.ndarray, origin: tuple[int, ...] | None = None
) -> np.ndarray:
    """Warps an image or a field of several channels linearly.

    Args:
        values: `(*image_size, channels)`, float32; the border is repeated outside.
        ddf: `(*size, ndim)`, in voxels, float32.
        origin: As for `warp_with_slopes`.

    Returns:
        `(*size, channels)`, float32.

    Raises:
        ValueError: If the sizes differ.
    """
    result = np.empty((*ddf.shape[:-1], values.shape[-1]), np.float32)
    start = start_of_field(values.shape[:-1], ddf.shape, origin)
    field = _field(ddf)
    rows = field.shape[0] * field.shape[1]
    in_blocks(_warp, rows, _field(values), field, start, _field(result))
    return result


def compose(outer: np.ndarray, inner: np.ndarray) -> np.ndarray:
    """Composes two fields `(*size, ndim)`, as `dlir_tf.layers.Compose` does."""
    return inner + warp(outer, inner)


def start_of_field(
    size: tuple[int, ...], field: tuple[int, ...], origin: tuple[int, ...] | None
) -> np.ndarray:
    """Where a field begins in an image, on three axes; kernels don't look themselves.

    Raises:
        ValueError: If the field is none of that image.
    """
    ndim = len(size)
    if field[-1] != ndim or len(field) != ndim + 1 or ndim not in (2, 3):
        raise ValueError(
            f"warp: an image of {size} voxels needs a field of {ndim} components. "
            f"Received: {field}"
        )
    if origin is None and field[:-1] != size:
        raise ValueError(
            f"warp: an image of {size} voxels needs a field of that size. "
            f"Received: {field}"
        )
    return np.array([0] * (3 - ndim) + list(origin or (0,) * ndim), np.float32)


def _field(array: np.ndarray) -> np.ndarray:
    """Channels of a slice as those of a volume of one slice."""
    return array[None] if array.ndim == 3 else array


def _volume(image: np.ndarray) -> np.ndarray:
    """A slice as a volume of one slice."""
    return image[None] if image.ndim == 2 else image


@kernel
def find_cell(place, size):
    """The voxel before a place, the step to the next, the fraction of the way to it.

    And 1 if the place is within the image, 0 if not.
    """
    last = size - 1
    within = np.float32(1.0)
    if not place >= 0.0:  # which is so if it's no number, too
        place, within = np.float32(0.0), np.float32(0.0)
    if place > last:
        place, within = np.float32(last), np.float32(0.0)
    cell = min(int(place), max(last - 1, 0))
    return cell, min(last, 1), np.float32(place - cell), within


@kernel
def blend(p000, p001, p010, p011, p100, p101, p110, p111, u, v, w):
    """The value between eight neighbours, and its slopes along the three axes.

    Neighbours are numbered by their steps along the axes; u, v and w are the fractions
    of the way to the next along the first, second and third one. What a caller doesn't
    use isn't computed: the compiler sees both.
    """
    p00, p01 = p000 + w * (p001 - p000), p010 + w * (p011 - p010)
    p10, p11 = p100 + w * (p101 - p100), p110 + w * (p111 - p110)
    p0, p1 = p00 + v * (p01 - p00), p10 + v * (p11 - p10)
    by_b = (p01 - p00) + u * ((p11 - p10) - (p01 - p00))
    d0 = (p001 - p000) + v * ((p011 - p010) - (p001 - p000))
    d1 = (p101 - p100) + v * ((p111 - p110) - (p101 - p100))
    return p0 + u * (p1 - p0), p1 - p0, by_b, d0 + u * (d1 - d0)


@kernel
def _warp_with_slopes(image, ddf, origin, weights, moved, slopes, start, stop):
    m0, m1, m2 = image.shape
    _, n1, n2, ndim = ddf.shape
    o0, o1, o2 = origin[0], origin[1], origin[2]
    for row in range(start, stop):
        i, j = row // n1, row % n1
        for k in range(n2):
            if weights[i, j, k] == 0.0:
                moved[i, j, k] = 0.0
                slopes[i, j, k] = 0.0
                continue
            shift = ddf[i, j, k, 0] if ndim == 3 else np.float32(0.0)
            a, da, u, in_a = find_cell(np.float32(o0 + i + shift), m0)
            b, db, v, in_b = find_cell(np.float32(o1 + j + ddf[i, j, k, ndim - 2]), m1)
            c, dc, w, in_c = find_cell(np.float32(o2 + k + ddf[i, j, k, ndim - 1]), m2)
            p000, p001 = image[a, b, c], image[a, b, c + dc]
            p010, p011 = image[a, b + db, c], image[a, b + db, c + dc]
            p100, p101 = image[a + da, b, c], image[a + da, b, c + dc]
            p110, p111 = image[a + da, b + db, c], image[a + da, b + db, c + dc]
            value, by_a, by_b, by_c = blend(
                p000, p001, p010, p011, p100, p101, p110, p111, u, v, w
            )
            moved[i, j, k] = value
            if ndim == 3:
                slopes[i, j, k, 0] = in_a * by_a
            slopes[i, j, k, ndim - 2] = in_b * by_b
            slopes[i, j, k, ndim - 1] = in_c * by_c


@kernel
def _warp(values, ddf, origin, out, start, stop):
    m0, m1, m2, channels = values.shape
    _, n1, n2, ndim = ddf.shape
    o0, o1, o2 = origin[0], origin[1], origin[2]
    for row in range(start, stop):
        i, j = row // n1, row % n1
        for k in range(n2):
            shift = ddf[i, j, k, 0] if ndim == 3 else np.float32(0.0)
            a, da, u, _ = find_cell(np.float32(o0 + i + shift), m0)
            b, db, v, _ = find_cell(np.float32(o1 + j + ddf[i, j, k, ndim - 2]), m1)
            c, dc, w, _ = find_cell(np.float32(o2 + k + ddf[i, j, k, ndim - 1]), m2)
            for n in range(channels):
                p000, p001 = values[a, b, c, n], values[a, b, c + dc, n]
                p010, p011 = values[a, b + db, c, n], values[a, b + db, c + dc, n]
                p100, p101 = values[a + da, b, c, n], values[a + da, b, c + dc, n]
                p110 = values[a + da, b + db, c, n]
                p111 = values[a + da, b + db, c + dc, n]
                out[i, j, k, n], _, _, _ = blend(
                    p000, p001, p010, p011, p100, p101, p110, p111, u, v, w
                )
