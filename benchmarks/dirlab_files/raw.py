"""Reads the files of `datasets.py`: voxels without a header, landmarks as text."""

from pathlib import Path

import numpy as np

from dirlab_files.datasets import HU_OFFSET, NUM_LANDMARKS, Layout
from dlir_tf.errors import InputError
from dlir_tf.images import Grid, Image

# Values where air would lie in HU, and where it lies as stored. Lungs are between.
_AIR_IN_HU, _AIR_AS_STORED = (-1100, -900), (-100, 150)


def grid_of(layout: Layout) -> Grid:
    """Where the voxels lie: the first one at the origin, RAS+ mm.

    All three axes run against those of the world: to the left, to the back, down.
    """
    return Grid(layout.shape, np.diag([*(-mm for mm in layout.spacing), 1.0]))


def check_image(path: Path, layout: Layout) -> None:
    """Looks at the size of a file alone.

    Raises:
        InputError: If it isn't that of the published image.
    """
    expected, actual = 2 * int(np.prod(layout.shape)), path.stat().st_size
    if actual != expected:
        shape = "×".join(map(str, layout.shape))
        raise InputError(
            f"{path}: must be {shape} voxels of 2 bytes, {expected} bytes, but is "
            f"{actual} bytes; unpack or download it again"
        )


def read_image(path: Path, layout: Layout) -> Image:
    """Reads an image, in HU.

    Raises:
        InputError: If its size isn't the published one, or it's in HU already.
    """
    check_image(path, layout)
    stored = np.fromfile(path, "<i2")
    in_hu, as_stored = (
        float(np.mean((stored > low) & (stored < high)))
        for low, high in (_AIR_IN_HU, _AIR_AS_STORED)
    )
    if in_hu > max(0.1, as_stored):
        raise InputError(
            f"{path}: must store HU + {HU_OFFSET}, but then {100 * in_hu:.0f} % of it "
            f"would be below {_AIR_IN_HU[1] - HU_OFFSET} HU, where nothing is; take "
            "the file as its owners hand it out"
        )
    # What is outside the field, -2000, becomes -3024.
    array = np.maximum(stored, np.iinfo(np.int16).min + HU_OFFSET) - HU_OFFSET
    grid = grid_of(layout)
    return Image(array.astype(np.int16).reshape(layout.shape, order="F"), grid.affine)


def read_landmarks(path: Path, layout: Layout) -> np.ndarray:
    """Reads landmarks, `(300, 3)`, RAS+ mm.

    Raises:
        InputError: If there are more or fewer, or one isn't inside the image.
    """
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"{path}: can't be read as text ({error}); unpack or download it again"
        ) from error
    rows = [(n, line.split()) for n, line in enumerate(lines, 1) if line.strip()]
    points = np.array([_landmark(path, n, cells, layout) for n, cells in rows])
    if len(points) != NUM_LANDMARKS:
        raise InputError(
            f"{path}: must hold {NUM_LANDMARKS} landmarks, one a line, but holds "
            f"{len(points)}; unpack or download it again"
        )
    return grid_of(layout).to_world(points - 1)


def _landmark(path: Path, line: int, cells: list[str], layout: Layout) -> list[float]:
    try:
        point = [float(cell) for cell in cells]
    except ValueError:
        point = []
    if len(point) != 3 or not all(
        1 <= value <= size for value, size in zip(point, layout.shape, strict=True)
    ):
        shape = "×".join(map(str, layout.shape))
        raise InputError(
            f"{path}, line {line}: must be a voxel of {shape}, three numbers counted "
            f"from 1, but is {' '.join(cells)}; unpack or download it again"
        )
    return point
