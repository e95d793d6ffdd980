"""Synthetic pairs: two views of one label map, and the motion between them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from keras import ops

from dlir_tf.compute.compilation import compiled_fixed_island
from dlir_tf.config.synthesis import Synthesis
from dlir_tf.layers.compose import Compose
from dlir_tf.layers.sampling import (
    identity_coordinates,
    sample_linear,
    sample_nearest,
)
from dlir_tf.synthesis.acquisition import acquire
from dlir_tf.synthesis.draws import Draws
from dlir_tf.synthesis.motion import random_motion
from dlir_tf.synthesis.noise import smooth_texture
from dlir_tf.synthesis.painting import paint, random_contrasts
from dlir_tf.synthesis.shapes import random_shapes

Tensor = Any
Batch = dict[str, Tensor]

# Shapes and textures reach beyond the image by this part of its longest axis.
_MARGIN = 1 / 8
_MOST_LABELS = 256
_FINEST_TEXTURE = 4  # voxels
# Voxels of either image without which a structure counts as not shown.
_LEAST_VOXELS = 10.0


def synthetic_pairs(
    seed: Any,
    size: tuple[int, ...],
    settings: Synthesis,
    *,
    batch_size: int = 1,
    num_labels: int = 16,
    num_points: int = 512,
    atlas: Tensor | None = None,
    shows_atlas: Tensor | bool = True,
) -> Batch:
    """Makes pairs of images with their labels and the motion between them.

    Both images show one map of structures: the moving one through a random motion, and
    the fixed one through a further one, which is what a registration should find.

    Args:
        seed: Two whole numbers, int32; equal seeds give equal pairs.
        size: Of the images, in voxels.
        settings: What they are drawn from.
        batch_size: How many pairs.
        num_labels: How many of the structures are drawn to be compared.
        num_points: How many pairs of points that belong together are drawn.
        atlas: A label map, `(*atlas_size)`, int32 below 256, to be shown instead of
            random shapes.
        shows_atlas: Whether it is; a tensor, if that's only known when a compiled
            function runs.

    Returns:
        `fixed`, `moving`, `(batch, *size, 1)`, float32 in [0, 1]; `fixed_labels` and
        `moving_labels`, likewise, float32 whole numbers; `label_values`,
        `(batch, num_labels)`, some that both images show, 0 for none; `mask`, where
        both have voxels; `ddf`, `(batch, *size, ndim)`, the motion from fixed to
        moving in voxels; `fixed_points`, `moving_points` and `point_weights`, as
        `dlir_tf.losses.landmark_error` takes them; `spacing`, `(batch, ndim)`, ones.
    """
    draws, shape = Draws(seed), (batch_size, *size)
    ddf = random_motion(draws.seed(), shape=shape, settings=settings)
    common = random_motion(draws.seed(), shape=shape, settings=settings, part=0.5)
    fields = {"fixed": Compose()(common, ddf), "moving": common}
    labels, texture = _structures(draws, shape, settings, fields)
    if atlas is not None:
        shown = _views_of_atlas(draws, shape, fields, atlas)
        labels = {
            side: ops.where(shows_atlas, shown[side], labels[side]) for side in labels
        }
    looks = random_contrasts(draws, batch_size, _MOST_LABELS, settings)
    batch: Batch = {"ddf": ddf, "spacing": ops.ones((batch_size, len(size)))}
    inside = {}
    for side, look in zip(fields, looks, strict=True):
        image = paint(labels[side], texture[side], look)
        acquired = acquire(draws.seed(), image, settings=settings)
        batch[side], inside[side] = acquired[..., :1], acquired[..., 1:]
        batch[f"{side}_labels"] = ops.cast(labels[side], "float32")
    batch["mask"] = inside["fixed"] * inside["moving"]
    batch["label_values"] = _shown_labels(draws, batch, inside, num_labels)
    return batch | _points(draws, batch, num_points)


def _structures(
    draws: Draws,
    shape: tuple[int, ...],
    settings: Synthesis,
    fields: dict[str, Tensor],
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Shapes and texture that each image shows, through its own field."""
    batch, *size = shape
    margin = round(_MARGIN * max(size))
    canvas = (batch, *(n + 2 * margin for n in size))
    step = max(_FINEST_TEXTURE, min(size) // 8)
    texture = smooth_texture(draws.seed(), shape=canvas, spacing=step)
    shapes = random_shapes(draws.seed(), shape=canvas, settings=settings)
    as_they_are, middle = ops.ones((1, len(size))), _middle(canvas[1:])
    labels, textures = {}, {}
    for side, field in fields.items():
        labels[side] = _seen(shapes, field, as_they_are, middle=middle, beyond=None)
        textures[side] = _seen_texture(texture, field, margin=margin)
    return labels, textures


def _views_of_atlas(
    draws: Draws, shape: tuple[int, ...], fields: dict[str, Tensor], atlas: Tensor
) -> dict[str, Tensor]:
    """The structures of an atlas, of random size, that each image shows."""
    batch, *size = shape
    zoom = _random_zoom(draws, batch, size, tuple(atlas.shape))
    whole = ops.broadcast_to(
        ops.cast(atlas, "int32")[None, ..., None], (batch, *atlas.shape, 1)
    )
    return {
        side: _seen(whole, field, zoom, middle=_middle(atlas.shape), beyond=0.0)
        for side, field in fields.items()
    }


@compiled_fixed_island
def _seen(
    structures: Tensor,
    field: Tensor,
    zoom: Tensor,
    *,
    middle: tuple[float, ...],
    beyond: float | None,
) -> Tensor:
    """The labels of a map around its middle, `(batch, *size, 1)`."""
    size = field.shape[1:-1]
    centred = identity_coordinates(size) + field - np.array(_middle(size), "float32")
    zoom = ops.reshape(zoom, (-1, *[1] * len(size), len(size)))
    return sample_nearest(
        structures, centred * zoom + np.array(middle, "float32"), beyond
    )


@compiled_fixed_island
def _seen_texture(texture: Tensor, field: Tensor, *, margin: int) -> Tensor:
    return sample_linear(
        texture, identity_coordinates(field.shape[1:-1]) + field + margin
    )


def _middle(size: Sequence[int]) -> tuple[float, ...]:
    return tuple((n - 1) / 2 for n in size)


def _random_zoom(
    draws: Draws, batch: int, size: list[int], atlas_size: tuple[int, ...]
) -> Tensor:
    """Voxels of an atlas per voxel of an image, `(batch, ndim)`; mirrored if negative.

    The longest axis of the atlas becomes a part of the image's, or more than it.
    """
    zoom = max(atlas_size) / max(size) / draws.uniform((batch, 1), 0.7, 1.25)
    return zoom * (1.0 - 2.0 * draws.happens((batch, len(size)), 0.3))


def _shown_labels(
    draws: Draws, batch: Batch, inside: dict[str, Tensor], num_labels: int
) -> Tensor:
    """Draws some of the labels that both images show, 0 for those that are too few."""
    shown: Tensor = 1.0
    for side, voxels in inside.items():
        shown = shown * _is_there(batch[f"{side}_labels"], voxels)
    chance = draws.uniform((shown.shape[0], _MOST_LABELS), 0.1, 1.0) * shown
    values, labels = ops.top_k(chance, num_labels)
    return ops.cast(labels, "float32") * ops.cast(values > 0, "float32")


def _is_there(labels: Tensor, inside: Tensor) -> Tensor:
    """Whether each label has some voxels, 0 or 1, `(batch, 256)`; never 0's."""
    num_samples = labels.shape[0]
    flat = ops.cast(ops.reshape(labels * inside, (num_samples, -1)), "int32")
    counts = ops.stack(
        [
            ops.segment_sum(ops.ones(flat.shape[1:]), flat[n], _MOST_LABELS)
            for n in range(num_samples)
        ]
    )
    there = ops.cast(counts >= _LEAST_VOXELS, "float32")
    return there * ops.cast(ops.arange(_MOST_LABELS) > 0, "float32")


def _points(draws: Draws, batch: Batch, num_points: int) -> Batch:
    """Points of structures that both images show, and where they have gone."""
    batch_size, *size, ndim = batch["ddf"].shape
    last = np.array(size, "float32") - 1.0
    fixed = draws.uniform((batch_size, num_points, ndim)) * last
    moving = fixed + sample_linear(batch["ddf"], fixed)
    seen = sample_nearest(batch["fixed_labels"] * batch["mask"], fixed, 0.0) > 0
    there = ops.all((moving >= 0) & (moving <= last), axis=-1)
    weights = ops.cast(seen[..., 0] & there, "float32")
    return {"fixed_points": fixed, "moving_points": moving, "point_weights": weights}
