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
    flat = image.reshape(m0 * m1 * m2)
    cells = np.zeros((3, n2), np.int32)
    ways, within = np.zeros((3, n2), np.float32), np.zeros((3, n2), np.float32)
    first = np.empty(n2, np.int64)
    # To the next voxel along each axis, of which there may be none.
    da = m1 * m2 if m0 > 1 else 0
    db, dc = m2 if m1 > 1 else 0, min(m2 - 1, 1)
    still, next_voxel, zero = np.float32(0.0), np.float32(1.0), np.float32(0.0)
    for row in range(start, stop):
        i, j = row // n1, row % n1
        field, counts = ddf[i, j], weights[i, j]
        values, result = moved[i, j], slopes[i, j]
        begin = (np.float32(origin[0] + i), np.float32(origin[1] + j), origin[2])
        if ndim == 3:
            _find_cells(begin[0], still, field, 0, m0, cells[0], ways[0], within[0])
        _find_cells(begin[1], still, field, ndim - 2, m1, cells[1], ways[1], within[1])
        _find_cells(
            begin[2], next_voxel, field, ndim - 1, m2, cells[2], ways[2], within[2]
        )
        for k in range(n2):
            first[k] = (np.int64(cells[0, k]) * m1 + cells[1, k]) * m2 + cells[2, k]
        for k in range(n2):
            if counts[k] == zero:
                values[k] = zero
                result[k] = zero
                continue
            at, v, w = first[k], ways[1, k], ways[2, k]
            p000, p001 = flat[at], flat[at + dc]
            p010, p011 = flat[at + db], flat[at + db + dc]
            if ndim == 3:
                p100, p101 = flat[at + da], flat[at + da + dc]
                p110, p111 = flat[at + da + db], flat[at + da + db + dc]
                value, by_a, by_b, by_c = blend(
                    p000, p001, p010, p011, p100, p101, p110, p111, ways[0, k], v, w
                )
                result[k, 0] = within[0, k] * by_a
            else:
                value, _, by_b, by_c = blend(
                    p000, p001, p010, p011, p000, p001, p010, p011, zero, v, w
                )
            values[k] = value
            result[k, ndim - 2] = within[1, k] * by_b
            result[k, ndim - 1] = within[2, k] * by_c


@kernel
def _find_cells(begin, step, field, axis, size, cells, ways, within):
    """As `find_cell`, for a whole row, several voxels at a time: without branches."""
    zero, one, last = np.float32(0.0), np.float32(1.0), np.float32(size - 1)
    most = np.int32(max(size - 2, 0))
    for k in range(len(cells)):
        place = np.float32(begin + step * k + field[k, axis])
        within[k] = one if place >= zero and place <= last else zero
        place = place if place >= zero else zero  # also if it's no number
        place = place if place <= last else last
        cell = np.int32(place)
        cells[k] = cell if cell < most else most
        ways[k] = place - np.float32(cells[k])


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
