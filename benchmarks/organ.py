"""A made organ, seen twice: at rest, and turned and moved on other voxels, with noise.

It has a front and a back, and smooth bumps instead of detail.
"""

import numpy as np
from scipy.spatial.transform import Rotation

from dlir_tf.images import Image

SHAPES = {2: (61, 70), 3: (41, 50, 23)}
SPACINGS = {2: (1.7, 1.3), 3: (2.1, 1.8, 4.0)}
# Of the moving image: other voxels, another field of view, other axes.
_OTHER = {2: (1.5, 1.9), 3: (2.3, 2.0, 3.0)}
_ROOM = {2: (75, 58), 3: (46, 48, 36)}


def organ(places: np.ndarray, *, inverted: bool = False) -> np.ndarray:
    """Its brightness, from 0 to 1, at places in mm about its middle."""
    rng = np.random.default_rng(3)
    radii = np.array([38.0, 31.0, 33.0])[: places.shape[-1]]
    nose = np.array([45.0, 8.0, -5.0])[: places.shape[-1]]
    near = np.linalg.norm((places - nose) / 14, axis=-1)
    radius = np.minimum(np.linalg.norm(places / radii, axis=-1), near)
    inside = 1 / (1 + np.exp(25 * (radius - 1)))
    value = np.full(places.shape[:-1], 0.65)
    for _ in range(30):
        middle = rng.uniform(-0.8, 0.8, places.shape[-1]) * radii
        width = rng.uniform(4, 9) * (places.shape[-1] - 1)
        bump = np.exp(-np.sum((places - middle) ** 2, axis=-1) / width**2)
        value += rng.choice([-0.35, 0.35]) * bump
    value = np.clip(value, 0.3, 1)
    return inside * (1.3 - value if inverted else value)


def motion_of_organ(ndim: int, degrees: float) -> np.ndarray:
    """From fixed to moving: a turn, and a shift by about half an image."""
    turn = Rotation.from_rotvec(np.array([0.36, -0.48, 0.8]) * degrees, degrees=True)
    if ndim == 2:
        turn = Rotation.from_euler("z", degrees, degrees=True)
    matrix = np.eye(ndim + 1)
    matrix[:-1, :-1] = turn.as_matrix()[:ndim, :ndim]
    matrix[:-1, -1] = (
        np.multiply(SHAPES[ndim], SPACINGS[ndim]) * [0.5, -0.4, 0.45][:ndim]
    )
    return matrix


def pair_of_organ(
    matrix: np.ndarray, *, inverted: bool = False, noise: float = 0.02
) -> list[Image]:
    """Fixed places `x` belong to `matrix @ x`; the organ is in the world's middle."""
    rng, ndim = np.random.default_rng(1), len(matrix) - 1
    images: list[Image] = []
    for shape, spacing, middle, back in (
        (SHAPES[ndim], SPACINGS[ndim], np.zeros(ndim), np.eye(ndim + 1)),
        (_ROOM[ndim], _OTHER[ndim], matrix[:-1, -1] - 6.0, np.linalg.inv(matrix)),
    ):
        affine = np.diag([*spacing, 1.0])
        affine[:-1, -1] = middle - (np.asarray(shape) - 1) / 2 * spacing
        image = Image(np.zeros(shape, np.float32), affine)
        points = image.grid.points() @ back[:-1, :-1].T + back[:-1, -1]
        seen = organ(points, inverted=inverted and bool(images))
        seen = seen + rng.normal(0, noise, shape)
        images.append(image.with_array(seen.astype(np.float32)))
    return images
