"""A small picture of a pair, drawn within milliseconds, as a training needs many.

`dlir_tf.figures.panels` draws the same larger, with what is to be read beside it; this
takes a tenth of the time, because pixels are all it draws.
"""

import io
from dataclasses import dataclass

import matplotlib
import numpy as np
from matplotlib import image as matplotlib_image
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from dlir_tf.figures.planes import choose_view
from dlir_tf.images import Grid

Array = NDArray[np.floating]

PICTURES = (
    ("fixed", "moving", "moved"),
    ("difference before", "difference after", "deformed grid"),
)
_WIDTH = 200  # pixels of the longer side of a picture
_GAP = 4
_LARGEST_DIFFERENCE = 0.6


@dataclass(frozen=True, eq=False)
class Plane:
    """What lies in the middle plane of a pair.

    Attributes:
        fixed: Intensities from 0 to 1, `(right, up)`.
        moving: Likewise.
        moved: Likewise, the moving image after registration.
        segments: Of the deformed grid, `(n, 2, 2)`, mm to the right and up.
        sizes: The length of the displacement there, mm, `(n,)`.
        extent: Of the plane, mm.
    """

    fixed: Array
    moving: Array
    moved: Array
    segments: Array
    sizes: Array
    extent: tuple[float, float]


def cut_plane(
    fixed: Array, moving: Array, moved: Array, ddf: Array, spacing: Array
) -> Plane:
    """Cuts the middle plane across the last axis out of a pair on one grid.

    Args:
        fixed: `(*shape)`, from 0 to 1; axes in the order of RAS, 2-d or 3-d.
        moving: Likewise.
        moved: Likewise.
        ddf: `(*shape, ndim)`, in voxels.
        spacing: `(ndim,)`, mm.
    """
    if fixed.ndim == 3:
        middle = slice(fixed.shape[2] // 2, fixed.shape[2] // 2 + 1)
        fixed, moving, moved, ddf = (
            array[:, :, middle] for array in (fixed, moving, moved, ddf)
        )
    grid = Grid(fixed.shape, np.diag([*np.asarray(spacing, float), 1.0]))
    view = choose_view(grid, -1, None)
    segments, sizes = view.deformed_grid(ddf * np.asarray(spacing))
    pictures = [
        view.plane(array).astype(np.float32) for array in (fixed, moving, moved)
    ]
    return Plane(pictures[0], pictures[1], pictures[2], segments, sizes, view.extent)


def draw_sheet(plane: Plane) -> NDArray[np.uint8]:
    """Draws the six `PICTURES` of a pair, in two rows.

    Returns:
        `(height, width, 3)`, rows from the top.
    """
    size = _size(plane.extent)
    fixed, moving, moved = (
        _pixels(array, size) for array in (plane.fixed, plane.moving, plane.moved)
    )
    rows = (
        [_gray(each) for each in (fixed, moving, moved)],
        [
            _difference(fixed - moving),
            _difference(fixed - moved),
            _with_grid(0.6 * fixed, plane),
        ],
    )
    height, width = fixed.shape
    sheet = np.zeros((2 * height + _GAP, 3 * width + 2 * _GAP, 3), np.uint8)
    for row, pictures in enumerate(rows):
        for column, picture in enumerate(pictures):
            top, left = row * (height + _GAP), column * (width + _GAP)
            sheet[top : top + height, left : left + width] = picture
    return sheet


def encode_png(pixels: NDArray[np.uint8]) -> bytes:
    """Returns a picture `(height, width, 3)` as the content of a PNG file."""
    stream = io.BytesIO()
    # Instead of matplotlib's version: equal pictures are equal files.
    about = {"Software": "dlir-tf"}
    # 20 ms instead of the 70 that files an eighth smaller take; drawing takes 12.
    fast = {"compress_level": 1}
    matplotlib_image.imsave(
        stream, pixels, format="png", metadata=about, pil_kwargs=fast
    )
    return stream.getvalue()


def _size(extent: tuple[float, float]) -> tuple[int, int]:
    """Height and width in pixels, in true proportions, but for extreme ones."""
    scaled = np.array(extent[::-1]) / max(extent) * _WIDTH
    height, width = np.maximum(np.rint(scaled), _WIDTH // 4).astype(int)
    return int(height), int(width)


def _pixels(array: Array, size: tuple[int, int]) -> Array:
    """A plane `(right, up)` as rows of pixels from the top, interpolated linearly."""
    height, width = size
    right = (np.arange(width) + 0.5) * array.shape[0] / width - 0.5
    up = (np.arange(height)[::-1] + 0.5) * array.shape[1] / height - 0.5
    places = np.meshgrid(right, up)
    pixels = map_coordinates(array, places, order=1, mode="nearest")
    clipped: Array = np.clip(np.nan_to_num(pixels), 0.0, 1.0)
    return clipped


def _gray(pixels: Array) -> NDArray[np.uint8]:
    return np.repeat(np.rint(255 * pixels).astype(np.uint8)[..., None], 3, axis=-1)


def _difference(pixels: Array) -> NDArray[np.uint8]:
    return _coloured(np.abs(pixels) / _LARGEST_DIFFERENCE, "inferno")


def _coloured(values: Array, name: str) -> NDArray[np.uint8]:
    colours: NDArray[np.uint8] = matplotlib.colormaps[name](values, bytes=True)
    return colours[..., :3]


def _with_grid(pixels: Array, plane: Plane) -> NDArray[np.uint8]:
    """Lays the deformed grid on a picture; the colour tells how far it's moved."""
    picture = _gray(pixels)
    height, width = pixels.shape
    scale = np.array([width, height]) / plane.extent
    starts, ends = (plane.segments[:, end] * scale for end in range(2))
    longest = float(np.abs(ends - starts).max(initial=1.0))
    # As many points on each as the longest has pixels, but never very many.
    steps = np.linspace(0.0, 1.0, int(np.clip(np.ceil(longest) + 1, 2, 64)))
    places = starts[:, None] + steps[:, None] * (ends - starts)[:, None]
    columns, rows = np.floor(places).astype(int).reshape(-1, 2).T
    rows = height - 1 - rows
    largest = max(float(plane.sizes.max(initial=0.0)), 1e-3)
    colours = _coloured(plane.sizes / largest, "turbo").repeat(len(steps), axis=0)
    inside = (columns >= 0) & (columns < width) & (rows >= 0) & (rows < height)
    picture[rows[inside], columns[inside]] = colours[inside]
    return picture
