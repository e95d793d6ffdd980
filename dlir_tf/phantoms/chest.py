"""A CT of a chest that nobody has: lungs with vessels, in all that is around them.

The frame is in mm, RAS, with its origin between the lungs.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from scipy.special import expit

from dlir_tf.images import Grid, Image
from dlir_tf.phantoms.vessels import paint_tube, random_tree

# Single precision for what is painted.
Array = NDArray[np.float32]
Levels = NDArray[np.floating]

_EDGE_MM = 0.8  # half-width of a soft edge: less than a voxel
_SHAPE, _SPACING = (176, 128, 128), (2.0, 2.0, 2.5)


@dataclass(frozen=True)
class Chest:
    """Sizes of one subject, mm.

    Args:
        half_width: From the middle of the body to its side.
        half_depth: From the middle of the body to its front.
        top: Height of the lungs' upper ends.
        base: Height of the diaphragm at its rim.
        domes: How far it rises above that, on the right and on the left.
        heart: Centre and half-axes of the heart.
        turn: Phase of what differs along the ribs.
    """

    half_width: float
    half_depth: float
    top: float
    base: float
    domes: tuple[float, float]
    heart: tuple[tuple[float, ...], tuple[float, ...]]
    turn: float

    @classmethod
    def random(cls, rng: np.random.Generator) -> "Chest":
        """Draws an adult."""
        return cls(
            half_width=rng.uniform(145.0, 168.0),
            half_depth=rng.uniform(100.0, 120.0),
            top=rng.uniform(112.0, 135.0),
            base=rng.uniform(-135.0, -110.0),
            domes=(rng.uniform(35.0, 60.0), rng.uniform(25.0, 50.0)),
            heart=(
                (rng.uniform(-32.0, -20.0), rng.uniform(18.0, 34.0), -62.0),
                tuple(rng.uniform((52.0, 40.0, 46.0), (66.0, 52.0, 60.0)).tolist()),
            ),
            turn=rng.uniform(0.0, 2 * np.pi),
        )

    def body(self, x: Array, y: Array) -> Array:
        """Depth below the skin, positive inside, mm."""
        return self._rounded(x, y, self.half_width, self.half_depth)

    def cavity(self, x: Array, y: Array, z: Array) -> Array:
        """Depth within the chest's wall, mm; it narrows towards the top."""
        rise = np.clip((z + 20.0) / (self.top + 20.0), 0.0, 1.0)
        narrow = np.sqrt(1.02 - rise**3)
        wide, deep = self.half_width - 30.0, self.half_depth - 26.0
        wall = self._rounded(x / narrow, y / narrow, wide, deep) * narrow
        return np.minimum(wall, self.top - z)

    def diaphragm(self, x: Array, y: Array, z: Array) -> Array:
        """Height above the diaphragm, mm."""
        height = np.full_like(z, self.base)
        for side, dome in zip((70.0, -70.0), self.domes, strict=True):
            squared = (x - side) ** 2 + (y - 8.0) ** 2
            height += dome * np.exp(-squared / (2 * 55.0**2))
        return np.asarray(z - height)

    def middle(self, x: Array, y: Array, z: Array) -> Array:
        """How deep in the heart or between the lungs, positive there, mm."""
        between = 20.0 + 8.0 * np.sin(y / 40.0) + 0.06 * np.abs(z) - np.abs(x)
        centre, axes = self.heart
        places = zip((x, y, z), centre, axes, strict=True)
        radius = np.sqrt(sum(((p - c) / a) ** 2 for p, c, a in places))
        return np.maximum(between, 50.0 * (1.0 - radius))

    def _rounded(self, x: Array, y: Array, wide: float, deep: float) -> Array:
        radius = (np.abs(x / wide) ** 2.4 + np.abs(y / deep) ** 2.4) ** (1 / 2.4)
        return np.asarray(deep * (1.0 - radius))


def chest_ct(
    seed: int,
    *,
    shape: tuple[int, int, int] = _SHAPE,
    spacing: tuple[float, float, float] = _SPACING,
) -> tuple[Image, Image]:
    """Makes a CT of a chest at rest, without noise, and the mask of its lungs.

    Args:
        seed: Chooses the subject.
        shape: Voxels to the left, to the front and upwards.
        spacing: Their size, mm. By default, all of the chest is on the grid.

    Returns:
        The image, int16, HU, and its lungs, uint8.
    """
    rng = np.random.default_rng(seed)
    chest = Chest.random(rng)
    affine = np.diag([-spacing[0], spacing[1], spacing[2], 1.0])
    middle = -0.5 * (np.asarray(shape) - 1) * np.diag(affine)[:3]
    affine[:3, 3] = middle
    grid = Grid(shape, affine)
    x, y, z = np.moveaxis(grid.points().astype(np.float32), -1, 0)
    image = np.full(shape, -1000.0, np.float32)
    lungs = _paint_chest(image, chest, rng, (x, y, z), spacing)
    mask = lungs > 0
    for side in (1.0, -1.0):
        _paint_vessels(image, rng, grid, mask & (side * x > 0), side)
    stored = np.rint(image).astype(np.int16)
    return Image(stored, affine), Image(mask.astype(np.uint8), affine)


def _paint_chest(
    image: Array,
    chest: Chest,
    rng: np.random.Generator,
    place: tuple[Array, Array, Array],
    spacing: tuple[float, ...],
) -> Array:
    """Paints all but vessels; returns how deep in the lungs voxels lie, mm."""
    x, y, z = place
    skin = chest.body(x, y)
    cavity, above = chest.cavity(x, y, z), chest.diaphragm(x, y, z)
    middle = chest.middle(x, y, z)
    coarse, fine = (_texture(rng, image.shape, mm, spacing) for mm in (9.0, 3.0))
    couch = 7.0 - np.abs(y + chest.half_depth + 16.0 - 0.0008 * x**2)
    _paint(image, couch, -300.0)
    _paint(image, couch - 4.0, -880.0)
    _paint(image, skin, -95.0 + 10.0 * fine)
    _paint(image, skin - 12.0 + 2.0 * coarse, 50.0 + 8.0 * fine)
    # Ribs run down to the front, in the middle of the wall.
    along = np.cos(2 * np.pi * (z + 0.45 * y) / 27.0 + chest.turn)
    rib = np.minimum(4.5 - np.abs(cavity + 6.5), 9.0 * (along - 0.2))
    _paint(image, np.minimum(rib, z - chest.base), 380.0 + 60.0 * fine)
    spine = 17.0 - np.hypot(x, y + chest.half_depth - 38.0)
    _paint(image, spine, 210.0 + 70.0 * np.cos(z / 4.5) + 40.0 * fine)
    _paint(image, np.minimum(cavity + 2.0, -above), 62.0 + 12.0 * coarse)
    _paint(image, np.minimum(cavity, above), 40.0 + 25.0 * coarse)
    lungs = np.minimum(np.minimum(cavity, above), -middle + 2.5 * coarse)
    air = rng.uniform(-885.0, -835.0) - 0.25 * y + 25.0 * coarse + 18.0 * fine
    _paint(image, lungs, air)
    gas = 18.0 - np.sqrt((x + 60.0) ** 2 + (y - 30.0) ** 2 + (z - chest.base + 22) ** 2)
    _paint(image, np.minimum(gas, -above - 6.0), -900.0)
    windpipe = np.minimum(8.0 - np.hypot(x, y + 8.0), z - 15.0)
    _paint(image, windpipe, -1000.0)
    return lungs


def _paint_vessels(
    image: Array,
    rng: np.random.Generator,
    grid: Grid,
    lung: NDArray[np.bool_],
    side: float,
) -> None:
    """Arteries and veins: two trees from where they enter the lung."""
    inside = np.argwhere(lung)
    for height in (8.0, -14.0):
        ends = grid.to_world(inside[rng.integers(0, len(inside), 260)])
        root = np.array([side * 26.0, -4.0, height]) + rng.uniform(-6.0, 6.0, 3)
        radius = rng.uniform(5.0, 6.5)
        for start, end, width in random_tree(rng, root, ends, radius):
            paint_tube(image, grid, start, end, width, 45.0)


def _paint(image: Array, level: Levels, value: Levels | float) -> None:
    """Lays a tissue over the image where its level (mm) is positive."""
    image += expit(level / _EDGE_MM) * (value - image)


def _texture(
    rng: np.random.Generator,
    shape: tuple[int, ...],
    mm: float,
    spacing: tuple[float, ...],
) -> Array:
    """Smooth random values of unit variance."""
    noise = rng.standard_normal(shape, np.float32)
    smooth = gaussian_filter(noise, [mm / step / 2 for step in spacing], mode="wrap")
    return np.asarray(smooth / smooth.std())
