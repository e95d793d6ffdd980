"""Pairs for pages, of which NumPy knows every voxel."""

from types import SimpleNamespace

import numpy as np
from scipy import ndimage

from dlir_tf.images import Image
from dlir_tf.page import Landmarks, PageContents
from dlir_tf.transforms import Affine, DenseField, Transform

HOSTILE = """</script><b>ü"'&<img src=x onerror="window.broken=1">"""
SHIFT = 3  # voxels along the first axis


def oblique_affine(spacing=(1.4, 1.1, 3.0)):
    """Turned about two axes, with two axes the other way and two swapped."""
    affine = np.eye(4)
    affine[:3, :3] = np.diag([-spacing[0], spacing[1], -spacing[2]])
    for first, second, angle in ((0, 1, 0.35), (1, 2, -0.2)):
        turn = np.eye(4)
        turn[[first, second], [first, second]] = np.cos(angle)
        turn[first, second], turn[second, first] = -np.sin(angle), np.sin(angle)
        affine = turn @ affine
    affine[:3, :3] = affine[:3, [1, 0, 2]]  # the first array axis is back to front
    affine[:3, 3] = (12.0, -40.0, 7.5)
    return affine


def blocks(rng, shape, sizes):
    """Even blocks of grey, so that a pixel beside another voxel would be seen."""
    coarse = rng.integers(
        100, 900, [-(-n // s) for n, s in zip(shape, sizes, strict=True)]
    )
    for axis, size in enumerate(sizes):
        coarse = coarse.repeat(size, axis)
    return coarse[tuple(slice(n) for n in shape)].astype(np.int16)


def oblique_page():
    """A moving image that is the fixed one, inverted and shifted by whole voxels."""
    rng = np.random.default_rng(4)
    shape, affine = (24, 30, 9), oblique_affine()
    fixed = blocks(rng, shape, (3, 3, 1))
    moving = blocks(rng, shape, (3, 3, 1))
    matrix = np.eye(4)
    matrix[:3, 3] = SHIFT * affine[:3, 0]
    labels = {
        "fixed": ndimage.zoom(rng.integers(0, 3, (4, 5, 3)), (6, 6, 3), order=0),
        "moving": ndimage.zoom(rng.integers(0, 3, (4, 5, 3)), (6, 6, 3), order=0) * 7,
    }
    labels["moved"] = _shifted(labels["moving"], 0)
    arrays = {"fixed": fixed, "moving": moving}
    arrays["moved"] = _shifted(moving, moving.min())
    images = {name: Image(array, affine) for name, array in arrays.items()}
    points = images["fixed"].grid.to_world(np.array([[4.0, 9, 3], [15, 20, 6]]))
    partners = points + matrix[:3, 3] + [[0.5, 0, 0], [0, 1.0, 0]]
    contents = PageContents(
        images["fixed"],
        images["moving"],
        title=f"Pair {HOSTILE}",
        transform=Transform((Affine(matrix),)),
        fixed_labels=Image(labels["fixed"], affine),
        moving_labels=Image(labels["moving"], affine),
        landmarks=Landmarks(points, partners, [HOSTILE, "second"]),
        notes=(HOSTILE,),
    )
    return SimpleNamespace(
        contents=contents,
        grid=contents.fixed.grid,
        arrays=arrays,
        labels=labels,
        voxels=_telling_voxels(arrays, labels),
        distance=float(np.linalg.norm(matrix[:3, 3])),
    )


def _shifted(array, outside):
    moved = np.full_like(array, outside)
    moved[:-SHIFT] = array[SHIFT:]
    return moved


def _telling_voxels(arrays, labels):
    """Voxels in the middle of blocks, where all three images differ much."""
    inner = np.zeros(arrays["fixed"].shape, bool)
    inner[1:-SHIFT:3, 1::3, 1:-1] = True
    apart = np.abs(np.subtract(arrays["fixed"], arrays["moved"], dtype=float))
    apart = np.minimum(
        apart, np.abs(np.subtract(arrays["moving"], arrays["moved"], dtype=float))
    )
    found = np.argwhere(inner & (apart > 250) & (labels["moved"] > 0))
    return [tuple(int(v) for v in found[n]) for n in (0, len(found) // 2, -1)]


def flat_page():
    """A 2-d pair whose field folds at one place."""
    rng = np.random.default_rng(6)
    shape = (30, 24)
    affine = np.array([[-0.8, 0, 10], [0, 1.5, -20], [0, 0, 1]])
    fixed = blocks(rng, shape, (3, 3))
    field = np.zeros((*shape, 2))
    field[14, :, 0], field[16, :, 0] = -2.4, 2.4  # neighbours that change places
    transform = Transform((DenseField(field, affine),))
    image, moving = Image(fixed, affine), Image(blocks(rng, shape, (3, 3)), affine)
    contents = PageContents(
        image,
        moving,
        title="A plane",
        transform=transform,
        displacement=field.astype(np.float32),
        fixed_labels=Image((fixed > 500).astype(np.uint8), affine),
    )
    arrays = {"fixed": fixed, "moving": moving.array}
    voxels = [(4, 7), (22, 16), (10, 1)]
    return SimpleNamespace(
        contents=contents,
        grid=image.grid,
        arrays=arrays,
        voxels=voxels,
        fold=(15, 10),
    )
