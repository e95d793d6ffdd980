"""A small picture of a registration, for tables: fixed, moved, and both in turns."""

from pathlib import Path

import matplotlib.image
import numpy as np

from dlir_tf.files import replacing
from dlir_tf.images import Image
from dlir_tf.page.shrinking import shrinking_to
from dlir_tf.page.volumes import layout_of, window_of

SIZE = 80  # pixels of a picture's sides
_SQUARES = 5


def write_thumbnail(path: Path | str, fixed: Image, moved: Image) -> None:
    """Writes fixed, moved and a checkerboard of both beside each other, as PNG.

    Args:
        path: An existing file is replaced.
        fixed: The fixed image.
        moved: The moved one, on its grid.
    """
    parts = [_picture(fixed), _picture(moved)]
    places = np.indices((SIZE, SIZE)) * _SQUARES // SIZE
    parts.append(np.where(places.sum(axis=0) % 2, parts[0], parts[1]))
    with replacing(Path(path)) as unfinished:
        picture = np.repeat(np.hstack(parts)[..., None], 3, axis=-1)
        matplotlib.image.imsave(unfinished, picture, format="png")


def _picture(image: Image) -> np.ndarray:
    """The middle plane, as the viewer lays it, uint8, `(SIZE, SIZE)`; black around."""
    shrinking = shrinking_to(image.grid, 4_000_000)
    layout = layout_of(shrinking.coarse)
    volume = layout.lay(shrinking.mean(image.array))
    spacing = np.linalg.norm(layout.affine[:3, :3], axis=0)
    axis = int(np.argmin(volume.shape))
    if volume.shape[axis] > 1:  # across the thickest slices, where pictures are sharp
        axis = 2 - int(np.argmax(spacing[::-1].round(3)))
    plane = volume.take(volume.shape[axis] // 2, axis)
    sides = np.delete(spacing, axis) * plane.shape
    low, high = window_of(plane, (0.5, 99.5))
    grey = np.clip((np.nan_to_num(plane, nan=low) - low) / (high - low), 0, 1)
    # Rows from above, and the patient's left, or back, on the right.
    per_pixel = float(sides.max()) / SIZE
    sizes = np.maximum(np.rint(sides / per_pixel).astype(int), 1)
    places = [
        ((np.arange(size) + 0.5) * full / size).astype(int)
        for size, full in zip(sizes, plane.shape, strict=True)
    ]
    small = grey[np.ix_(*places)][::-1, ::-1].T
    canvas = np.zeros((SIZE, SIZE), np.uint8)
    top, left = ((SIZE - size) // 2 for size in small.shape)
    canvas[top : top + small.shape[0], left : left + small.shape[1]] = np.rint(
        255 * small
    )
    return canvas
