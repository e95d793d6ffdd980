"""Pairs whose images, labels and points lie a known shift apart."""

import dataclasses

import numpy as np
from scipy.spatial.transform import Rotation

from dlir_tf.images import Image
from dlir_tf.pairs.loading import LoadedPair
from dlir_tf.transforms import Affine, Transform

SHAPE = (17, 22, 9)

SPACING = np.array([1.3, 0.8, 4.0])

SHIFT = np.array([2, -3, 1])  # in voxels, from fixed to moving


def oblique_affine():
    """Rotated, anisotropic, and flipped along the second axis."""
    affine = np.eye(4)
    directions = Rotation.from_euler("xyz", [25, -40, 65], degrees=True).as_matrix()
    affine[:3, :3] = directions * SPACING * [1, -1, 1]
    affine[:3, 3] = [31.0, -52.0, 17.0]
    return affine


def world_transform(world):
    return Transform((Affine(world),))


def identity(image):
    return world_transform(np.eye(4))


def true_shift(image):
    world = np.eye(4)
    world[:3, 3] = image.affine[:3, :3] @ SHIFT
    return world_transform(world)


def shifted_pair():
    """The moving image is the fixed one, `SHIFT` voxels on; so are labels and points.

    Label 1 is one voxel, label 2 a box of 4 × 5 × 2; label 3 is only in the fixed
    image, label 4 only in the moving one, label 900 in a corner of both.
    """
    affine = oblique_affine()
    rng = np.random.default_rng(7)
    fixed, labels = np.zeros(SHAPE, np.int16), np.zeros(SHAPE, np.int32)
    fixed[4:13, 6:18, 2:6] = rng.integers(100, 1000, (9, 12, 4))
    labels[8, 10, 4] = 1
    labels[4:8, 12:17, 2:4] = 2
    labels[10:13, 14:16, 5] = 900
    moving, moving_labels = (np.roll(a, SHIFT, (0, 1, 2)) for a in (fixed, labels))
    labels[5, 7, 5] = 3
    moving_labels[12, 14, 2] = 4
    points = affine[:3, 3] + rng.uniform(4, 8, (6, 3)) @ affine[:3, :3].T
    return LoadedPair(
        Image(fixed, affine),
        Image(moving, affine),
        Image(labels, affine),
        Image(moving_labels, affine),
        (points, points + affine[:3, :3] @ SHIFT),
    )


def masked_pair():
    """As `shifted_pair`, with masks that differ, and garbage outside of them."""
    pair, rng = shifted_pair(), np.random.default_rng(8)
    fixed_mask, moving_mask = np.zeros((2, *SHAPE), bool)
    fixed_mask[3:11, 5:19, 1:7] = True
    moving_mask[7:16, 2:17, 2:9] = True
    images = [
        image.with_array(np.where(mask, image.array, rng.integers(0, 9000, SHAPE)))
        for image, mask in ((pair.fixed, fixed_mask), (pair.moving, moving_mask))
    ]
    return dataclasses.replace(
        pair,
        fixed=images[0],
        moving=images[1],
        fixed_mask=pair.fixed.with_array(fixed_mask),
        moving_mask=pair.moving.with_array(moving_mask),
    )
