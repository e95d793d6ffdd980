"""What is moved: a body made of random organs, or an image from a file."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy import ndimage

from dlir_tf import Image, read_image
from dlir_tf.images.grid import apply_affine

_SHAPE, _SPACING = (66, 76, 60), 3.0
_ORGANS, _DARK = 24, 0.08


@dataclass(frozen=True, eq=False)
class Body:
    """What is seen by two scanners.

    Attributes:
        name: Of it.
        image: Values from 0, of air, to 1, float32.
        other: The same in another contrast, on the same grid.
        inside: Which voxels are of the body, bool.
    """

    name: str
    image: Image
    other: np.ndarray
    inside: np.ndarray

    def sampled(
        self, array: np.ndarray, points: np.ndarray, order: int = 1
    ) -> np.ndarray:
        """Values of an array on the body's grid, at points of the world.

        Args:
            array: On the grid of the image.
            points: `(..., ndim)`, mm.
            order: 0 for the nearest voxel's value, 1 for linear ones.
        """
        voxels = np.moveaxis(apply_affine(self.image.grid.inverse, points), -1, 0)
        return ndimage.map_coordinates(array, voxels, order=order, cval=0.0)


def generated(seed: int, flat: bool = False) -> Body:
    """A body of ellipsoids within each other, with a fine texture, in two contrasts.

    Args:
        seed: Another one, another body.
        flat: Whether it is a slice of it, 2-d.
    """
    rng = np.random.default_rng(seed)
    shape = _SHAPE[:2] if flat else _SHAPE
    axes = [np.linspace(-1, 1, size) for size in shape]
    places = np.stack(np.meshgrid(*axes, indexing="ij"))
    places = places + _smooth(rng, (len(shape), *shape), 8, 0.12)
    labels = np.zeros(shape, int)
    radii = rng.uniform(0.7, 0.85, len(shape))
    labels[_within(places, 0 * radii, radii)] = 1
    labels[_within(places, 0 * radii, 0.88 * radii)] = 2
    for number in range(3, 3 + _ORGANS):
        centre = rng.uniform(-0.55, 0.55, len(shape))
        organ = _within(places, centre, rng.uniform(0.08, 0.3, len(shape)))
        labels[organ & (labels > 1)] = number
    texture = _smooth(rng, shape, 1.2, 0.06)
    first, second = (
        np.where(labels > 0, rng.uniform(0.2, 1.0, 3 + _ORGANS)[labels] + texture, 0.0)
        for _ in range(2)
    )
    image = Image(np.clip(first, 0, 1).astype(np.float32), _centred(shape))
    other = np.clip(second, 0, 1).astype(np.float32)
    return Body(f"body {seed}", image, other, labels > 0)


def from_file(path: Path, other: Path | None = None) -> Body:
    """A body from files, 2-d or 3-d.

    Args:
        path: Any image with a dark background.
        other: Another contrast of the same, on the same grid; without one, values are
            turned over, less those of the background.
    """
    image = read_image(path)
    array = _scaled(image.array)
    inside = ndimage.binary_fill_holes(ndimage.gaussian_filter(array, 1) > _DARK)
    if other is None:
        turned = np.where(inside, np.clip(1.1 - array, 0, 1) ** 1.5, 0.0)
    else:
        turned = _scaled(read_image(other).array)
    kept = replace(image, array=array, header=None)
    return Body(path.name.split(".")[0], kept, turned.astype(np.float32), inside)


def _scaled(array: np.ndarray) -> np.ndarray:
    array = np.nan_to_num(np.asarray(array, np.float32))
    low, high = np.percentile(array, [0.5, 99.5])
    return np.clip((array - low) / max(high - low, 1e-9), 0, 1)


def _centred(shape: tuple[int, ...]) -> np.ndarray:
    affine = np.diag([*[_SPACING] * len(shape), 1.0])
    affine[:-1, -1] = -_SPACING * (np.array(shape) - 1) / 2
    return affine


def _within(places: np.ndarray, centre: np.ndarray, radii: np.ndarray) -> np.ndarray:
    scaled = (np.moveaxis(places, 0, -1) - centre) / radii
    return np.asarray((scaled**2).sum(-1) < 1)


def _smooth(
    rng: np.random.Generator, shape: tuple[int, ...], sigma: float, size: float
) -> np.ndarray:
    """Noise that is smooth along the last axes, of a standard deviation."""
    sigmas = [0.0 if n <= 3 else sigma for n in shape]
    noise = ndimage.gaussian_filter(rng.normal(size=shape), sigmas)
    return np.asarray(size * noise / noise.std())
