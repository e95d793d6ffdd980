"""A chest in Hounsfield units at points of the world, so that any grid shows it."""

import numpy as np
from scipy import ndimage

from dlir_tf.images import Grid, Image

# Semi-axes of the body and of each lung, and the lungs' centres, in mm.
_BODY = np.array([150.0, 105.0])
_LUNG = np.array([48.0, 75.0, 100.0])
_LUNGS = np.array([[-68.0, 0.0, 0.0], [68.0, 5.0, 8.0]])
_CELL = 6.0  # of the vessels' pattern, in mm


def _vessels():
    noise = np.random.default_rng(11).normal(size=(72, 72, 72))
    smooth = ndimage.gaussian_filter(noise, 1.2)
    return np.where(smooth > 1.1 * smooth.std(), 1.0, 0.0)


_VESSELS = ndimage.gaussian_filter(_vessels(), 0.7)


def hounsfield(points):
    """What a CT shows at points `(..., 3)` of the world, in mm."""
    x, y, z = np.moveaxis(points, -1, 0)
    body = (x / _BODY[0]) ** 2 + (y / _BODY[1]) ** 2 < 1
    values = np.where(body, 40.0 + 10 * np.sin(x / 17), -1000.0)
    pattern = ndimage.map_coordinates(
        _VESSELS, np.moveaxis(points / _CELL + 36, -1, 0), order=1, mode="grid-wrap"
    )
    for centre in _LUNGS:
        inside = (((points - centre) / _LUNG) ** 2).sum(axis=-1) < 1
        values = np.where(inside, -850.0 + 800 * pattern, values)
    spine = (x / 16) ** 2 + ((y + 75) / 16) ** 2 < 1
    return np.where(spine & body, 250.0 + 60 * np.sin(z / 9), values)


def in_a_lung(points):
    """Which points are in a lung."""
    return np.any(
        [(((points - c) / _LUNG) ** 2).sum(axis=-1) < 1 for c in _LUNGS], axis=0
    )


def couch(points):
    """Which points are in the shell of the couch, two plates below the body."""
    x, y = points[..., 0], points[..., 1]
    bent = y - (x / 40) ** 2
    plates = ((bent > -136) & (bent < -130)) | ((y > -185) & (y < -179))
    return plates & (np.abs(x) < 190)


def scan(grid, shift=(0, 0, 0), *, with_couch=True, noise=15.0, seed=0):
    """A CT of the chest, shifted by mm of the world; its couch stays where it is."""
    points = grid.to_world(np.moveaxis(np.indices(grid.shape), 0, -1))
    values = hounsfield(points - np.asarray(shift))
    if with_couch:
        values = np.where(couch(points), -100.0, values)
    values += np.random.default_rng(seed).normal(0, noise, grid.shape)
    return Image(np.rint(values).astype(np.int16), grid.affine)


def lungs(grid, shift=(0, 0, 0)):
    """The mask of the lungs, shifted likewise."""
    points = grid.to_world(np.moveaxis(np.indices(grid.shape), 0, -1))
    return Image(in_a_lung(points - np.asarray(shift)), grid.affine)


def grid_about(centre, shape, spacing, directions=None):
    """A grid whose middle is at a point of the world.

    Args:
        centre: In mm.
        shape: Voxels per axis.
        spacing: In mm per axis.
        directions: Unit vectors as columns; the world's axes without them.
    """
    directions = np.eye(3) if directions is None else np.asarray(directions)
    affine = np.eye(4)
    affine[:3, :3] = directions * spacing
    affine[:3, 3] = centre - affine[:3, :3] @ ((np.asarray(shape) - 1) / 2)
    return Grid(tuple(shape), affine)
