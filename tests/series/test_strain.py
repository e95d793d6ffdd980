"""Strain, of motions whose strain is known."""

import numpy as np
import pytest

from dlir_tf.errors import InputError
from dlir_tf.images import Image
from dlir_tf.series.strain import ring_directions, strain_along, strain_in_frames
from dlir_tf.transforms import Affine, DenseField, Transform


def ring(ndim=2, shape=(81, 77, 3), spacing=(0.5, 0.6, 8.0)):
    """A ring of radii 8 and 14 mm, at a slant in space; the middle and the image."""
    shape, spacing = shape[:ndim], spacing[:ndim]
    affine = np.diag([*spacing, 1.0])
    affine[:-1, -1] = -np.array(spacing) * (np.array(shape) - 1) / 2
    if ndim == 3:
        turn = np.eye(4)
        turn[:3, :3] = np.linalg.qr([[1.0, 2, 0.5], [-1, 1, 1], [0.3, -1, 2]])[0]
        affine = turn @ affine
    image = Image(np.zeros(shape, np.uint8), affine)
    voxels = np.moveaxis(np.indices(shape[:2]), 0, -1) - (np.array(shape[:2]) - 1) / 2
    radius = np.hypot(*(voxels * spacing[:2]).reshape(-1, 2).T).reshape(shape[:2])
    inside = (radius > 8) & (radius < 14)
    if ndim == 3:
        inside = np.repeat(inside[..., None], shape[2], axis=2)
    return image.with_array(np.where(inside, 2, 0).astype(np.uint8))


@pytest.mark.parametrize("ndim", [2, 3])
def test_a_ring_that_grows_is_longer_in_both_directions(ndim):
    labels = ring(ndim)
    directions = ring_directions(labels, 2)
    turn = np.linalg.qr(np.random.default_rng(2).normal(size=(ndim, ndim)))[0]
    matrix = np.eye(ndim + 1)
    matrix[:-1, :-1] = 1.2 * turn  # rotations are no strain
    found = strain_along(Transform((Affine(matrix),)), directions)
    for strain in found:
        assert np.allclose(strain, 0.5 * (1.2**2 - 1))


def test_a_wall_that_keeps_its_area_thickens_as_it_shortens():
    """Radii `r` become `sqrt(r^2 - a)`: lengths along them r / sqrt(r^2 - a)."""
    labels = ring()
    area = 30.0
    points = labels.grid.points()
    squared = np.sum(points**2, axis=-1, keepdims=True)
    smaller = np.sqrt(np.maximum(1 - area / np.maximum(squared, 40.0), 0))
    field = DenseField(points * (smaller - 1), labels.affine)
    directions = ring_directions(labels, 2)
    radial, circumferential = strain_along(Transform((field,)), directions)
    r2 = np.sum(directions.points**2, axis=-1)
    assert np.allclose(radial, 0.5 * (r2 / (r2 - area) - 1), atol=0.03)
    assert np.allclose(circumferential, -0.5 * area / r2, atol=0.01)
    assert radial.mean() > 0.1
    assert circumferential.mean() < -0.1


def test_the_strain_of_a_beating_heart_is_found(tracked, beat):
    """Against the derivatives of its own motion, which is known everywhere."""
    labels = beat.labels[0]
    directions = ring_directions(labels, 2)
    found = strain_in_frames(tracked, labels, 2, 0)
    assert (found[0].radial, found[0].circumferential) == (0, 0)
    step, points = 1e-3, directions.points
    gradient = np.stack(
        [
            (
                beat.displacement(points + step * axis, 3)
                - beat.displacement(points - step * axis, 3)
            )
            / (2 * step)
            + axis
            for axis in np.eye(2)
        ],
        axis=-1,
    )
    radial, circumferential = (
        0.5 * (np.sum((gradient @ e[..., None]) ** 2, axis=(1, 2)) - 1).mean()
        for e in (directions.radial, directions.circumferential)
    )
    assert radial > 0.2
    assert circumferential < -0.1
    assert found[3].circumferential == pytest.approx(circumferential, abs=0.05)
    assert found[3].radial == pytest.approx(radial, abs=0.5 * radial)


def test_a_disc_is_no_ring_and_is_refused():
    labels = ring()
    with pytest.raises(InputError, match=r"must be a label 5.*Received: labels 2"):
        ring_directions(labels, 5)
    full = labels.with_array(np.ones_like(labels.array))
    with pytest.raises(InputError, match="ring around a cavity"):
        ring_directions(full, 1)
