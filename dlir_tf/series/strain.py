"""Radial and circumferential strain of a ring of muscle, from the displacement.

With `F` the derivatives of where a piece of tissue is by where it was in the labelled
frame, the Green-Lagrange strain is `E = (F^T F - I) / 2`, and along a unit vector `e`
of that frame `e^T E e = (|F e|^2 - 1) / 2`: 0 where lengths stay, 0.5 (k^2 - 1) where
they become `k` times as long. It doesn't see rotations. `F` is the exact derivative of
the splines. Directions are those of short-axis images: in the plane of each slice,
radial from the middle of the ring outwards, circumferential across that.

References:

- Holzapfel (2000), "Nonlinear Solid Mechanics", Wiley, section 2.5, for the tensor.
- Voigt et al. (2015), "Definitions for a common standard for 2D speckle tracking
  echocardiography", EHJ Cardiovascular Imaging 16(1), for what is asked of the heart.
  https://doi.org/10.1093/ehjci/jeu184
"""

from dataclasses import dataclass

import numpy as np

from dlir_tf.errors import InputError
from dlir_tf.images import Image
from dlir_tf.series.layout import Layout
from dlir_tf.series.order import existing_frame
from dlir_tf.series.tracking import Tracking
from dlir_tf.transforms import Transform


@dataclass(frozen=True, eq=False)
class Directions:
    """Where strain is measured, and along what.

    Attributes:
        points: `(num_points, ndim)`, world mm, RAS+.
        radial: Unit vectors there, the same shape.
        circumferential: Likewise, across the radial ones and in the slice.
    """

    points: np.ndarray
    radial: np.ndarray
    circumferential: np.ndarray


@dataclass(frozen=True)
class Strain:
    """The mean strain of a ring in a frame, Green-Lagrange, no unit.

    Attributes:
        frame: Its number, from 0.
        radial: Positive where the wall thickens.
        circumferential: Negative where the ring shortens.
    """

    frame: int
    radial: float
    circumferential: float


def strain_in_frames(
    tracking: Tracking, labels: Image, label: int, frame: int
) -> list[Strain]:
    """Measures the strain of a label in all frames, relative to the labelled one.

    Args:
        tracking: Of the series.
        labels: Of one frame, on its grid.
        label: The myocardium's.
        frame: The labelled frame, from 0: where strain is 0.

    Returns:
        The means over the label's voxels, for every frame.

    Raises:
        InputError: If there is no such frame, or the label is no ring in any slice.
    """
    existing_frame("frame", frame, len(tracking.frames))
    ring = ring_directions(labels, label)
    found = []
    for number in range(len(tracking.frames)):
        radial = circumferential = np.zeros(1)
        if number != frame:
            transform = tracking.between(frame, number)
            radial, circumferential = strain_along(transform, ring)
        means = float(radial.mean()), float(circumferential.mean())
        found.append(Strain(number, *means))
    return found


def strain_along(
    transform: Transform, ring: Directions
) -> tuple[np.ndarray, np.ndarray]:
    """The radial and the circumferential strain at every point, `(num_points,)`.

    Args:
        transform: From where tissue was to where it is.
        ring: Points and directions of where it was.
    """
    gradient = transform.jacobian(ring.points)
    radial, circumferential = (
        0.5 * (np.sum((gradient @ along[..., None]) ** 2, axis=(1, 2)) - 1)
        for along in (ring.radial, ring.circumferential)
    )
    return radial, circumferential


def ring_directions(labels: Image, label: int) -> Directions:
    """The radial and circumferential directions of a ring.

    Slices where the label fills its own middle, as at an apex, don't count.

    Args:
        labels: 2-d, or a stack of slices along the last axis (or the one of length 1).
        label: The ring's.

    Raises:
        InputError: If there is no such label, or it's no ring in any slice.
    """
    inside = labels.array == label
    if not inside.any():
        present = ", ".join(str(n) for n in np.unique(labels.array) if n)
        raise InputError(
            f"strain: there must be a label {label}, the myocardium's. Received: "
            f"labels {present}"
        )
    stack = inside[..., None] if labels.ndim == 2 else inside
    axis = 2 if labels.ndim == 2 else Layout.of(labels.grid).axis
    voxels, outwards = [], []
    for number in range(stack.shape[axis]):
        places = np.argwhere(stack.take(number, axis))
        if not len(places):
            continue
        middle = places.mean(axis=0)
        if stack.take(number, axis)[tuple(np.rint(middle).astype(int))]:
            continue
        away = places - middle
        voxels.append(np.insert(places, axis, number, axis=1))
        outwards.append(np.insert(away, axis, 0.0, axis=1))
    if not voxels:
        raise InputError(
            f"strain: label {label} must be a ring around a cavity, but fills its own "
            "middle in every slice; give the number of the myocardium's label"
        )
    ndim = labels.ndim
    where = np.concatenate(voxels)[:, :ndim]
    linear = labels.affine[:-1, :-1]
    radial = _unit(np.concatenate(outwards)[:, :ndim] @ linear.T)
    # Across, in the plane that the slice's two axes span.
    first, second = (linear[:, one] for one in range(3) if one != axis)
    first = _unit(first)
    second = _unit(second - (second @ first) * first)
    x, y = radial @ first, radial @ second
    circumferential = x[:, None] * second - y[:, None] * first
    return Directions(labels.grid.to_world(where), radial, circumferential)


def _unit(vectors: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, 1e-12))
