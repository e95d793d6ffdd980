"""What a scanner does to an image: blur, thick slices, uneven sensitivity, noise."""

from typing import Any

from keras import ops

from dlir_tf.compute.compilation import compiled_fixed_island
from dlir_tf.config.synthesis import Synthesis
from dlir_tf.synthesis.draws import Draws
from dlir_tf.synthesis.noise import along_axes, smooth_noise

Tensor = Any

# How often images have thick slices, and fields of view that end within the grid.
_THICK_SLICES = 0.25
_CUT = 0.4
# Percentiles of intensities that become 0 and 1.
_LOWEST, _HIGHEST = 0.005, 0.995
_MOST_SAMPLES = 4096


@compiled_fixed_island
def acquire(seed: Tensor, image: Tensor, *, settings: Synthesis) -> Tensor:
    """Makes of clean grey values what a scanner might show of them.

    Args:
        seed: As `Draws` takes it.
        image: `(batch, *size, 1)`.
        settings: The ranges.

    Returns:
        `(batch, *size, 2)`, float32: intensities in [0, 1], 0 outside of the field of
        view; and where that is, 1 or 0.
    """
    draws = Draws(seed)
    batch, *size, _ = image.shape
    each, shape = (batch, *[1] * (len(size) + 1)), (batch, *size)
    image = along_axes(_blurs(draws, shape, settings), image)
    if settings.bias:
        bias = smooth_noise(draws, shape, max(2, min(size) // 2))
        extent = draws.uniform(each, 0.0, settings.bias)
        image = image * ops.exp(extent * bias)
    inside = field_of_view(draws, shape, settings)
    image = scaled(image * inside)
    if settings.gamma:
        exponent = draws.uniform(each, 1.0 - settings.gamma, 1.0 + settings.gamma)
        image = ops.power(ops.maximum(image, 1e-6), exponent)
    if settings.noise:
        extent = draws.uniform(each, 0.0, settings.noise)
        image = image + extent * draws.normal((*shape, 1))
    image = inside * ops.clip(image, 0.0, 1.0)
    return ops.concatenate([image, inside], axis=-1)


def field_of_view(draws: Draws, shape: tuple[int, ...], settings: Synthesis) -> Tensor:
    """Draws boxes outside of which an image has no voxels.

    Returns:
        `(batch, *size, 1)`, 1 inside and 0 outside.
    """
    batch, *size = shape
    inside: Tensor = ops.ones((batch, *size, 1))
    each = (batch, *[1] * (len(size) + 1))
    cut = draws.happens(each, _CUT)
    for axis, length in enumerate(size):
        along = [1] * (len(size) + 2)
        along[axis + 1] = length
        places = ops.reshape(
            (ops.arange(length, dtype="float32") + 0.5) / length, along
        )
        # Few axes are cut, and some of them by much.
        lost = cut * settings.field_of_view * draws.uniform(each) * draws.uniform(each)
        first = lost * draws.uniform(each)
        there = (places >= first) & (places <= 1.0 - (lost - first))
        inside = inside * ops.cast(there, "float32")
    return inside


def scaled(image: Tensor) -> Tensor:
    """Clips at percentiles and scales to [0, 1], as images are prepared."""
    batch, *size, _ = image.shape
    step = 1
    while _num_samples(size, step) > _MOST_SAMPLES:
        step += 1
    some = image[(slice(None), *[slice(None, None, step)] * len(size))]
    ordered = ops.sort(ops.reshape(some, (batch, -1)), axis=-1)
    last = ordered.shape[-1] - 1
    each = (batch, *[1] * (len(size) + 1))
    low, high = (
        ops.reshape(ordered[:, round(part * last)], each)
        for part in (_LOWEST, _HIGHEST)
    )
    return ops.clip((image - low) / ops.maximum(high - low, 1e-3), 0.0, 1.0)


def _num_samples(size: list[int], step: int) -> int:
    number = 1
    for length in size:
        number *= -(-length // step)
    return number


def _blurs(draws: Draws, shape: tuple[int, ...], settings: Synthesis) -> list[Tensor]:
    """One matrix per axis, `(batch, size, size)`: blur, then perhaps slices."""
    batch, *size = shape
    sigma = draws.uniform((batch, 1, 1), 0.0, settings.blur)
    thick = draws.happens((batch, 1, 1), _THICK_SLICES)
    thickness = draws.uniform((batch, 1, 1), 1.0, settings.slice_thickness)
    thickness = 1.0 + thick * (thickness - 1.0)
    axis_of_slices = draws.uniform((batch, 1, 1), 0.0, float(len(size)))
    matrices = []
    for axis, length in enumerate(size):
        across = (axis_of_slices >= axis) & (axis_of_slices < axis + 1)
        slices = _slices(length, ops.where(across, thickness, 1.0))
        matrices.append(ops.matmul(slices, _gaussian(length, sigma)))
    return matrices


def _gaussian(length: int, sigma: Tensor) -> Tensor:
    places = ops.arange(length, dtype="float32")
    distance = places[:, None] - places[None]
    weights = ops.exp(-0.5 * ops.square(distance / ops.maximum(sigma, 0.1)))
    return weights / ops.sum(weights, axis=-1, keepdims=True)


def _slices(length: int, thickness: Tensor) -> Tensor:
    """Averages over slices, and interpolates between their middles."""
    places = ops.arange(length, dtype="float32")
    # A row for each slice; those beyond the image are empty.
    middles = (places[:, None] + 0.5) * thickness - 0.5
    near = thickness / 2.0 + 0.5 - ops.abs(middles - places)
    averages = ops.clip(near, 0.0, 1.0)
    total = ops.sum(averages, axis=-1, keepdims=True)
    averages = averages / ops.maximum(total, 1e-6)
    apart = ops.abs(places[:, None] - ops.swapaxes(middles, -1, -2))
    there = ops.swapaxes(ops.cast(total > 1e-3, "float32"), -1, -2)
    weights = ops.maximum(1.0 - apart / thickness, 0.0) * there
    # Beyond the last middle there is but one slice.
    sums = ops.sum(weights, axis=-1, keepdims=True)
    return ops.matmul(weights / ops.maximum(sums, 1e-6), averages)
