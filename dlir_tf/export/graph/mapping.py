"""From a model's parameters to the map of the fixed image's voxels, as `Transform`."""

from typing import Any, NamedTuple

import tensorflow as tf

from dlir_tf.config import Config
from dlir_tf.export.graph.blocks import Block
from dlir_tf.export.graph.grid import homogeneous
from dlir_tf.export.graph.rigidity import nearest_rigid
from dlir_tf.export.graph.splines import (
    Spline,
    at_points,
    jacobians_at,
    on_block,
    stage_spline,
)
from dlir_tf.export.graph.working_pair import WorkingPair
from dlir_tf.models.parameters import Parameters

Tensor = Any


class Mapping(NamedTuple):
    """A pull-back transform, from voxels of the fixed image to those of the moving.

    Attributes:
        splines: In the order that a point meets them: the last stage first.
        change: The affine matrix minus the identity, in fixed voxels,
            `(ndim, ndim + 1)`, float64.
        to_moving: From fixed voxels, after all else, to moving voxels,
            `(ndim + 1, ndim + 1)`, float64; the initial alignment is part of it.
        to_world: From displacements in fixed voxels to mm, `(ndim, ndim)`, float64.
        offset: The initial alignment's displacement, `(ndim,)`, mm, float64.
        world_affine: World-to-world matrix of affine stages and initial alignment.
    """

    splines: tuple[Spline, ...]
    change: Tensor
    to_moving: Tensor
    to_world: Tensor
    offset: Tensor
    world_affine: Tensor


def build_mapping(
    pair: WorkingPair,
    parameters: Parameters,
    affines: tuple[Tensor, Tensor],
    config: Config,
) -> Mapping:
    """Takes a model's outputs for one pair to the fixed image's voxels.

    Args:
        pair: What the model saw.
        parameters: Tensors, of one pair.
        affines: Voxel-to-world matrices of fixed and moving, float64.
        config: The model's.
    """
    fixed_affine, moving_affine = affines
    to_working = tf.linalg.inv(pair.grid.affine) @ fixed_affine
    splines = tuple(
        stage_spline(points, spline.stage.cell_spacing, pair.grid, to_working)
        for spline, points in reversed(parameters.splines(config))
    )
    matrix = tf.cast(parameters.matrix, tf.float64)
    matrix = homogeneous(matrix[:, :-1], matrix[:, -1])
    in_world = pair.grid.affine @ matrix @ tf.linalg.inv(pair.grid.affine)
    if config.keeps is not None:
        middle = tf.cast(pair.grid.shape - 1, tf.float64) / 2
        centre = tf.linalg.matvec(pair.grid.affine[:-1, :-1], middle)
        centre += pair.grid.affine[:-1, -1]
        in_world = nearest_rigid(in_world, centre, scaled=config.keeps == "angles")
    in_voxels = tf.linalg.inv(fixed_affine) @ in_world @ fixed_affine
    world_affine = pair.initial @ in_world
    return Mapping(
        splines=splines,
        change=(in_voxels - tf.eye(config.ndim + 1, dtype=tf.float64))[:-1],
        to_moving=tf.linalg.inv(moving_affine) @ pair.initial @ fixed_affine,
        to_world=fixed_affine[:-1, :-1],
        offset=pair.initial[:-1, -1],
        world_affine=homogeneous(world_affine[:-1, :-1], world_affine[:-1, -1]),
    )


def displacement_on_block(mapping: Mapping, block: Block) -> Tensor:
    """What moves voxels besides the initial alignment: `(ndim, num_voxels)`, voxels."""
    points = voxels = tf.cast(block.voxels(), tf.float32)
    if mapping.splines:
        # The first spline that a point meets is evaluated along the axes.
        points = points + on_block(mapping.splines[0], block)
    for spline in mapping.splines[1:]:
        points = points + tf.transpose(at_points(spline, points))
    return (points - voxels) + _affine_change(mapping, points)


def to_mm(mapping: Mapping, displacement: Tensor) -> Tensor:
    """Turns a displacement in voxels into mm of the world: `(num_voxels, ndim)`."""
    to_world = to_float32(mapping.to_world)
    return tf.matmul(displacement, to_world, transpose_a=True, transpose_b=True)


def to_float32(tensor: Tensor) -> Tensor:
    """Matrices are double until they meet voxels, and in what is given back."""
    return tf.cast(tensor, tf.float32)


def moving_positions(mapping: Mapping, block: Block, displacement: Tensor) -> Tensor:
    """Where in the moving image a block's voxels come from, `(ndim, num)`, float64."""
    points = block.voxels() + tf.cast(displacement, tf.float64)
    positions = mapping.to_moving[:-1, :-1] @ points + mapping.to_moving[:-1, -1:]
    # So that the identity gives an image back to the last bit.
    return tf.round(positions * 1e9) / 1e9


def jacobian_on_block(mapping: Mapping, block: Block) -> Tensor:
    """Computes Jacobian determinants by the chain rule, `(num_voxels,)`."""
    points = tf.cast(block.voxels(), tf.float32)
    linear = mapping.change[:, :-1]
    total = tf.linalg.det(linear + tf.eye(linear.shape[0], dtype=tf.float64))
    determinant = tf.cast(total, tf.float32) * tf.ones_like(points[0])
    for spline in mapping.splines:
        determinant *= _determinant(jacobians_at(spline, points))
        points = points + tf.transpose(at_points(spline, points))
    return determinant


def _affine_change(mapping: Mapping, points: Tensor) -> Tensor:
    change = tf.cast(mapping.change, tf.float32)
    return tf.matmul(change[:, :-1], points) + change[:, -1:]


def _determinant(matrices: Tensor) -> Tensor:
    """Computes determinants by their formula, which is faster than LAPACK's way."""
    rows = [tf.unstack(row, axis=-1) for row in tf.unstack(matrices, axis=-2)]
    if len(rows) == 2:
        return rows[0][0] * rows[1][1] - rows[0][1] * rows[1][0]
    (a, b, c), (d, e, f), (g, h, i) = rows
    return a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)
