"""From label maps to grey values."""

from typing import Any

from keras import ops

from dlir_tf.config.synthesis import Synthesis
from dlir_tf.synthesis.draws import Draws

Tensor = Any

_DARK_BACKGROUND = 0.8
# By how much the same tissue differs in two images of one contrast.
_JITTER = 0.05


def random_contrasts(
    draws: Draws, batch: int, num_labels: int, settings: Synthesis
) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Draws how structures look in a fixed and a moving image.

    Args:
        draws: Where the numbers come from.
        batch: How many pairs there are.
        num_labels: Labels are below it.
        settings: How often both have the same contrast, and how strong textures are.

    Returns:
        For both images: the mean of each label, and what its texture is multiplied by,
        `(batch, num_labels)`.
    """
    shape = (batch, num_labels)
    # The background, label 0, is mostly dark in both.
    is_background = ops.cast(ops.arange(num_labels) == 0, "float32")[None]
    dark = draws.happens((batch, 1), _DARK_BACKGROUND) * is_background
    same = draws.happens((batch, 1), settings.same_contrast)
    fixed = draws.uniform(shape), draws.uniform(shape, -1.0, 1.0)
    other = draws.uniform(shape), draws.uniform(shape, -1.0, 1.0)
    strength = draws.uniform((batch, 1)) * settings.texture
    moving = tuple(
        same * a + (1.0 - same) * b for a, b in zip(fixed, other, strict=True)
    )
    looks = []
    for mean, texture in (fixed, moving):
        jittered = mean + _JITTER * draws.normal(shape)
        looks.append(((1.0 - dark) * jittered, (1.0 - dark) * texture * strength))
    return looks[0], looks[1]


def paint(labels: Tensor, texture: Tensor, look: tuple[Tensor, Tensor]) -> Tensor:
    """Gives each structure its grey value, and its part of a texture.

    Args:
        labels: `(batch, *size, 1)`, int32.
        texture: `(batch, *size, 1)`, about -1 to 1.
        look: As `random_contrasts` drew it.

    Returns:
        `(batch, *size, 1)`, float32.
    """
    means, strengths = (_by_label(values, labels) for values in look)
    return means + strengths * texture


def _by_label(values: Tensor, labels: Tensor) -> Tensor:
    """Looks up each sample's own values."""
    batch, num_labels = values.shape
    first = ops.arange(batch, dtype="int32") * num_labels
    places = labels + ops.reshape(first, (batch, *[1] * (len(labels.shape) - 1)))
    return ops.take(ops.reshape(values, (-1,)), places)
