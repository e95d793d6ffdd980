"""Random changes of a batch, on the device that trains."""

from math import pi, radians
from typing import Any

import tensorflow as tf

from dlir_tf.config import Augmentation
from dlir_tf.layers.affine import AffineMatrix, num_affine_parameters
from dlir_tf.layers.bspline import BSplineTransformer
from dlir_tf.layers.compose import Compose, matrix_field
from dlir_tf.layers.linear import MAX_SCALE_CHANGE
from dlir_tf.layers.warp import Warp
from dlir_tf.losses.masks import warp_mask
from dlir_tf.splines.lattice import INJECTIVITY_LIMIT, lattice_shape
from dlir_tf.training.landmarks import pull_back, undo_displacement
from dlir_tf.training.replica import ALONE, Replica

Batch = dict[str, Any]


def augment(
    batch: Batch,
    config: Augmentation,
    seed: Any,
    lattice_spacing: tuple[int, ...] | None = None,
    replica: Replica = ALONE,
) -> Batch:
    """Changes shapes, poses and intensities of the pairs of a batch at random.

    Both images of a pair get the same random affine pose, which shows the network
    more anatomies; `config.relative` of its range comes on top for the moving
    image alone, which shows it more misalignments. Each image gets a smooth
    deformation of its own, which shows it more differences between people.

    Args:
        batch: `fixed`, `moving` and `mask`, `(batch, *size, 1)`, and perhaps
            `fixed_mask` and `moving_mask`, `fixed_labels` and `moving_labels`, and
            `POINTS`; `spacing`, `(batch, ndim)`.
        config: The ranges.
        seed: Two ints; equal seeds give equal changes.
        lattice_spacing: Voxels between the control points of the deformations, per
            axis; only needed if there are any.
        replica: The device that this part of a batch is on.

    Returns:
        A batch of the same shapes; intensities stay in [0, 1].
    """
    seeds = tf.unstack(tf.random.split(seed, 8))
    result = dict(batch)
    if (
        config.rotation_degrees
        or config.scale
        or config.translation
        or (config.deformation)
    ):
        result |= _change_places(batch, config, lattice_spacing, seeds[:4], replica)
    for name, gamma_seed, noise_seed in (
        ("fixed", seeds[4], seeds[5]),
        ("moving", seeds[6], seeds[7]),
    ):
        result[name] = _change_intensities(
            result[name], config, gamma_seed, noise_seed, replica
        )
    return result


def _change_places(
    batch: Batch,
    config: Augmentation,
    lattice_spacing: tuple[int, ...] | None,
    seeds: list[Any],
    replica: Replica,
) -> Batch:
    """Returns all that lies elsewhere after random poses and deformations."""
    pose = moving_pose = _random_matrix(batch, config, 1.0, seeds[0], replica)
    if config.relative:
        alone = _random_matrix(batch, config, config.relative, seeds[1], replica)
        moving_pose = Compose()(pose, alone)
    changed: Batch = {}
    mask: Any = 1.0
    sides = (("fixed", pose, seeds[2]), ("moving", moving_pose, seeds[3]))
    for side, matrix, seed in sides:
        field, points = matrix_field(matrix, batch[side]), batch.get(f"{side}_points")
        if points is not None:
            points = pull_back(points, matrix)
        if config.deformation and lattice_spacing is not None:
            own = _random_deformation(
                batch[side], config, lattice_spacing, seed, replica
            )
            field = Compose()(matrix, own)
            points = None if points is None else undo_displacement(points, own)
        changed |= warp_side(side, batch, field)
        if points is not None:
            changed[f"{side}_points"] = points
        if side == "fixed" or config.relative or config.deformation:
            mask *= Warp(fill_value=0.0)(batch["mask"], field)
    return {**changed, "mask": mask}


def warp_side(side: str, batch: Batch, ddf: Any) -> Batch:
    """Warps an image of each pair, and its mask and labels if it has them.

    Args:
        side: `fixed` or `moving`.
        batch: With the images.
        ddf: The displacements, in voxels.

    Returns:
        What was warped.
    """
    warped = {side: Warp()(batch[side], ddf)}
    if f"{side}_mask" in batch:
        warped[f"{side}_mask"] = warp_mask(batch[f"{side}_mask"], ddf)
    if f"{side}_labels" in batch:
        warp_labels = Warp("nearest", fill_value=0.0)
        warped[f"{side}_labels"] = warp_labels(batch[f"{side}_labels"], ddf)
    return warped


def _random_matrix(
    batch: Batch, config: Augmentation, part: float, seed: Any, replica: Replica
) -> Any:
    ndim = batch["spacing"].shape[-1]
    num_angles = 1 if ndim == 2 else 3
    # What the layer's tanh makes of these is never more than was asked for.
    limits = (
        [config.translation] * ndim
        + [radians(config.rotation_degrees) / pi] * num_angles
        + [config.scale / MAX_SCALE_CHANGE] * ndim
        + [0.0] * num_angles
    )
    shape = (tf.shape(batch["spacing"])[0], num_affine_parameters(ndim))
    parameters = replica.uniform(shape, seed, -part, part)
    return AffineMatrix(max_rotation=pi)(
        parameters * tf.constant(limits), batch["spacing"], batch["fixed"]
    )


def _random_deformation(
    image: Any,
    config: Augmentation,
    lattice_spacing: tuple[int, ...],
    seed: Any,
    replica: Replica,
) -> Any:
    """A smooth field that doesn't fold: a spline of random control points."""
    size, ndim = image.shape[1:-1], len(lattice_spacing)
    # The lattice may reach beyond the image.
    whole = [-(-n // s) * s for n, s in zip(size, lattice_spacing, strict=True)]
    shape = (tf.shape(image)[0], *lattice_shape(whole, lattice_spacing), ndim)
    most = config.deformation * INJECTIVITY_LIMIT[ndim]
    points = replica.uniform(shape, seed, -most, most)
    points *= tf.constant(lattice_spacing, tf.float32)
    inside = (slice(None), *(slice(n) for n in size))
    return BSplineTransformer(lattice_spacing)(points)[inside]


def _change_intensities(
    image: Any,
    config: Augmentation,
    gamma_seed: Any,
    noise_seed: Any,
    replica: Replica,
) -> Any:
    if config.gamma:
        shape = (tf.shape(image)[0], *[1] * (len(image.shape) - 1))
        low, high = 1.0 - config.gamma, 1.0 + config.gamma
        gamma = replica.uniform(shape, gamma_seed, low, high)
        # A power has no finite slope at zero; nothing is differentiated here, but
        # a zero must not become a NaN either.
        image = tf.pow(tf.maximum(image, 1e-6), gamma)
    if config.noise:
        noise = replica.normal(tf.shape(image), noise_seed)
        image = tf.clip_by_value(image + config.noise * noise, 0.0, 1.0)
    return image
