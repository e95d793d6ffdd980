"""What a scanner makes of values from 0, of air, to 1."""

from collections.abc import Callable

import numpy as np
from scipy import ndimage

Look = Callable[[np.ndarray, np.random.Generator], np.ndarray]


def plain(array: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A little noise."""
    return array + rng.normal(0, 0.02, array.shape)


def on_white(array: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Air at 4095, which is the brightest there is."""
    return np.where(array > 0.02, 3000 * plain(array, rng), 4095.0)


def hot(array: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A few voxels of a million."""
    found = 1000 * plain(array, rng)
    found.flat[rng.integers(0, found.size, 20)] = 1e6
    return found


def signed(array: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Of mean 0 and a standard deviation of 1."""
    noisy = plain(array, rng)
    return (noisy - noisy.mean()) / noisy.std()


def lowered(array: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """From -1024 on, as a CT, though it's none."""
    return np.round(1500 * plain(array, rng) - 1024).astype(np.int16)


def saturated(array: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """8 bits, of which a third is at the upper end."""
    top = np.percentile(array[array > 0.05], 66) if (array > 0.05).any() else 1.0
    return np.clip(255 * plain(array, rng) / top, 0, 255).astype(np.uint8)


def uneven(array: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Three times as bright on one side, and noise as magnitudes have it."""
    slope = np.linspace(0.5, 1.5, array.shape[0])
    slope = slope.reshape(-1, *[1] * (array.ndim - 1))
    noise = rng.normal(0, 0.05, (2, *array.shape))
    return 800 * np.hypot(array * slope + noise[0], noise[1])


def blurred(array: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """As PET: a few voxels wide, and noisy."""
    return plain(ndimage.gaussian_filter(array, 2.0), rng)


def speckled(array: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """As ultrasound: each voxel times a random number, and edges brighter."""
    speckle = rng.rayleigh(0.8, array.shape)
    edges = ndimage.gaussian_gradient_magnitude(array, 1.0)
    return np.sqrt((0.3 * array + 2 * edges) * speckle)


def as_ct(array: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A bright shell around what hardly differs, in Hounsfield units."""
    body = ndimage.binary_fill_holes(array > 0.1)
    steps = ndimage.distance_transform_edt(body)
    values = np.where(body, 20 + 40 * array, -1000.0)
    values = np.where((steps > 0) & (steps <= 3), 900.0, values)
    return np.round(values + rng.normal(0, 15, array.shape)).astype(np.int16)


def mask(array: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Which voxels are bright."""
    return (array > 0.5).astype(np.uint8)


def labels(array: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Numbers that say nothing but which part it is."""
    steps = np.digitize(ndimage.gaussian_filter(array, 1.0), np.arange(0.1, 1.0, 0.1))
    numbers = np.array([0, 17, 4, 53, 8, 251, 10, 12, 1035, 2])
    return numbers[np.minimum(steps, 9)].astype(np.int16)


def noise(array: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Nothing else."""
    return rng.normal(100, 20, array.shape)


def empty(array: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Nothing at all."""
    return np.zeros_like(array)


def mirrored(array: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Left is right, whatever the header says."""
    return plain(array[::-1], rng)
