"""Sums in windows around voxels.

A volume is gone through plane by plane. Along the first axis, sums of planes slide:
one enters, another leaves. In the plane that this gives, rows slide likewise, and along
the rows sums of 1, 2, 4 and more neighbours are put together. So all but the planes
that enter and leave stays in the processor's cache.
"""

import numpy as np

from dlir_tf.kernels.compiling import in_blocks, kernel

# Numbers that are summed up along rows at a time: several rows, if these are short.
_LONG = 2048


def window_sums(values: np.ndarray, window: int, before: int) -> np.ndarray:
    """Sums up all values in a window around each voxel; outside, there are zeros.

    Args:
        values: `(channels, *size)`, float32, 2-d or 3-d.
        window: Edge length of the window, in voxels.
        before: How many of them come before the voxel, along each axis.

    Returns:
        Of the same shape.
    """
    result = np.empty(values.shape, np.float32)
    planes, sums = (
        array.reshape(*array.shape[:2], -1, array.shape[-1])
        for array in (np.ascontiguousarray(values), result)
    )
    in_blocks(_sum_planes, planes.shape[1], planes, window, before, sums)
    return result


@kernel
def make_room(shape, window):
    """Arrays that `sum_plane` needs, for planes of a shape and windows of a length."""
    middle, last = shape
    wide = last + window - 1
    length = max(1, min(middle, _LONG // wide)) * wide
    levels = 1
    while 1 << levels <= window:
        levels += 1
    return (
        np.zeros((levels, length), np.float32),
        np.empty(length, np.float32),
        np.empty(last, np.float64),
    )


@kernel
def slide(sums, values, row, first, before, after):
    """Lets a plane enter the sums, and another one leave which isn't before `first`.

    Sums are of double precision: what was added up leaves nothing behind when it
    leaves.
    """
    entering, leaving = row + after, row - before - 1
    if entering < len(values) and leaving >= first:
        enters, leaves = values[entering], values[leaving]
        for k in range(sums.size):
            sums[k] += np.float64(enters[k]) - np.float64(leaves[k])
    elif entering < len(values):
        enters = values[entering]
        for k in range(sums.size):
            sums[k] += enters[k]
    elif leaving >= first:
        leaves = values[leaving]
        for k in range(sums.size):
            sums[k] -= leaves[k]


@kernel
def sum_plane(sums, window, before, room, out):
    """Sums up in windows along both axes of a plane.

    Args:
        sums: `(middle, last)`, float64.
        window: Edge length of the windows.
        before: How many come before.
        room: As `make_room` gives it.
        out: `(middle, last)`, float32.
    """
    levels, along, total = room
    middle, last = out.shape
    wide = last + window - 1
    after = window - 1 - before
    rows = levels.shape[1] // wide
    total[:] = 0.0
    for row in range(min(after, middle)):
        total += sums[row]
    for start in range(0, middle, rows):
        stop = min(start + rows, middle)
        for row in range(start, stop):
            slide(total, sums, row, 0, before, after)
            # There are zeros in between, so that rows don't see each other.
            place = (row - start) * wide + before
            line = levels[0, place : place + last]
            for k in range(last):
                line[k] = total[k]
        length = (stop - start) * wide - window + 1
        if stop - start == 1:
            _sum_along(levels, window, out[start])
            continue
        _sum_along(levels, window, along[:length])
        for row in range(start, stop):
            place = (row - start) * wide
            line, target = along[place : place + last], out[row]
            for k in range(last):
                target[k] = line[k]


@kernel
def _sum_along(levels, window, out):
    """Sums of `window` neighbours along a line, `out[k]` of those from `k` on.

    Args:
        levels: The line is the first of them; the others are for sums of 2, 4, 8, …
            neighbours.
        window: How many are summed up.
        out: Its length says how many sums are wanted.
    """
    count = len(out)
    for level in range(1, len(levels)):
        half = 1 << (level - 1)
        # So many are needed for those behind the last of `out`.
        length = count + window - 2 * half
        shorter, further, longer = (
            levels[level - 1],
            levels[level - 1, half:],
            levels[level],
        )
        for k in range(length):
            longer[k] = shorter[k] + further[k]
    # A window of 7 is one of 4, of 2 and of 1, one behind the other; two at a time.
    offset, begun, held = 0, False, -1
    for level in range(len(levels)):
        if not (window >> level) & 1:
            continue
        part = levels[level, offset:]
        offset += 1 << level
        if held < 0:
            kept, held = part, level
            continue
        held = -1
        if begun:
            for k in range(count):
                out[k] += kept[k] + part[k]
        else:
            begun = True
            for k in range(count):
                out[k] = kept[k] + part[k]
    if held >= 0:
        if begun:
            for k in range(count):
                out[k] += kept[k]
        else:
            for k in range(count):
                out[k] = kept[k]


@kernel
def _sum_planes(values, window, before, out, start, stop):
    channels, _, middle, last = values.shape
    after = window - 1 - before
    first = max(0, start - before)
    room = make_room((middle, last), window)
    for channel in range(channels):
        planes = values[channel].reshape(-1, middle * last)
        sums = np.zeros(middle * last, np.float64)
        for row in range(first, min(len(planes), start + after)):
            sums += planes[row]
        for row in range(start, stop):
            slide(sums, planes, row, first, before, after)
            plane = sums.reshape(middle, last)
            sum_plane(plane, window, before, room, out[channel, row])
