"""Label maps of random smooth shapes."""

from typing import Any

from keras import ops

from dlir_tf.compute.compilation import compiled_fixed_island
from dlir_tf.config.synthesis import Synthesis
from dlir_tf.synthesis.draws import Draws
from dlir_tf.synthesis.noise import smooth_noise

Tensor = Any

# Structures of bodies that have a background: skin, fat and bone lie around them.
NUM_SHELLS = 2
# Voxels, as parts of the shortest axis: about as large shapes are, and what is in them.
_COARSE, _FINE = 1 / 3, 1 / 8
_THICKEST_SHELL = 0.12


@compiled_fixed_island
def random_shapes(
    seed: Tensor, *, shape: tuple[int, ...], settings: Synthesis
) -> Tensor:
    """Draws maps in which each voxel belongs to the largest of several noise fields.

    Some show a body, with shells around it, before a background.

    Args:
        seed: As `Draws` takes it.
        shape: `(batch, *size)`.
        settings: How many structures there are, and how many maps have a background.

    Returns:
        `(batch, *size, 1)`, int32: 0 for the background, up to `num_labels` for
        structures and `num_labels + NUM_SHELLS` for shells.
    """
    draws = Draws(seed)
    coarse, fine = (max(2, round(part * min(shape[1:]))) for part in (_COARSE, _FINE))
    # Half as many fields, each cut in two by a finer one, are quicker made.
    num_fields = settings.num_labels // 2
    fields = smooth_noise(draws, shape, coarse, num_fields)
    detail = smooth_noise(draws, shape, fine, 2)
    roughness = draws.uniform(_each(shape), 0.0, 0.5)
    fields = fields + roughness * (detail[..., :1] * _signs(draws, shape, num_fields))
    largest = ops.cast(ops.argmax(fields, axis=-1), "int32")[..., None]
    threshold = draws.uniform(_each(shape), 0.0, 0.8)
    small = ops.cast(detail[..., 1:] > threshold, "int32")
    labels = 1 + largest + num_fields * small
    return _within_body(draws, labels, shape, settings)


def _within_body(
    draws: Draws, labels: Tensor, shape: tuple[int, ...], settings: Synthesis
) -> Tensor:
    """Empties what is outside of a body, where there is one, and lays shells around."""
    has_background = draws.happens(_each(shape), settings.background)
    depth = _depth(draws, shape)
    below = 0.0
    for shell in range(NUM_SHELLS):
        thickness = draws.uniform(_each(shape), 0.0, _THICKEST_SHELL)
        thickness = thickness * draws.happens(_each(shape), 0.5)
        inside = (depth >= below) & (depth < below + thickness) & (has_background > 0)
        label = settings.num_labels + 1 + shell
        labels = ops.where(inside, ops.full_like(labels, label), labels)
        below = below + thickness
    outside = (depth < 0) & (has_background > 0)
    return ops.where(outside, ops.zeros_like(labels), labels)


def _depth(draws: Draws, shape: tuple[int, ...]) -> Tensor:
    """How far below the surface of an uneven ellipsoid voxels lie; its radius is 1."""
    batch, *size = shape
    squares: Tensor = 0.0
    for axis, length in enumerate(size):
        places = (ops.cast(ops.arange(length), "float32") + 0.5) * (2.0 / length) - 1.0
        along = [1] * (len(size) + 2)
        along[axis + 1] = length
        middle = draws.uniform(_each(shape), -0.15, 0.15)
        radius = draws.uniform(_each(shape), 0.45, 0.9)
        squares = squares + ops.square((ops.reshape(places, along) - middle) / radius)
    bumps = draws.uniform(_each(shape), 0.05, 0.3)
    uneven = smooth_noise(draws, (batch, *size), max(2, min(size) // 3))
    return 1.0 - ops.sqrt(squares) + bumps * uneven


def _signs(draws: Draws, shape: tuple[int, ...], channels: int) -> Tensor:
    """-1 to 1 for each field: the finer noise divides those that lie side by side."""
    return draws.uniform((*_each(shape)[:-1], channels), -1.0, 1.0)


def _each(shape: tuple[int, ...]) -> tuple[int, ...]:
    """One number for each sample of a batch, to be broadcast to all its voxels."""
    return (shape[0], *[1] * len(shape))
