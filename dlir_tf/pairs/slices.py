"""Slices: 3-d images of one voxel across, registered in 2-d, in their own plane.

A 2-d scan is often stored as a 3-d image, which says where in the patient the slice
lies, at any angle. For a 2-d model, the slices are laid out in the plane of the fixed
one; what the model finds there is a transform of the world all the same.
"""

from dataclasses import dataclass

import numpy as np

from dlir_tf.errors import InputError
from dlir_tf.images import Grid, Image
from dlir_tf.images.grid import apply_affine
from dlir_tf.transforms import Affine, BSpline, Component, Transform

MAX_TILT_DEGREES = 5.0


@dataclass(frozen=True, eq=False)
class SlicePlane:
    """The plane in which two slices are registered: that of the fixed one.

    Attributes:
        frame: From plane coordinates in mm (two in the fixed plane, the third across
            it) to the world, `(4, 4)`, RAS+ mm; lengths and angles are kept.
        rise: World-to-world matrix `(4, 4)` that takes each point of the fixed plane
            straight up, or down, to the moving plane.
        thickness: Of the thicker slice, in mm.
    """

    frame: np.ndarray
    rise: np.ndarray
    thickness: float

    def flatten(self, image: Image) -> Image:
        """A slice as a 2-d image, as it is seen from straight above the plane.

        Args:
            image: One of the two, or labels or a mask of one.
        """
        array = image.array.take(0, slice_axis(image.grid))
        return Image(array, _flat(image.grid, self.frame).affine)

    def flatten_points(self, points: np.ndarray) -> np.ndarray:
        """World points, `(num_points, 3)`, in plane coordinates, `(num_points, 2)`."""
        return apply_affine(np.linalg.inv(self.frame), points)[:, :2]

    def to_world(self, in_plane: Transform) -> Transform:
        """Takes a 2-d transform of the pair to the world.

        Splines don't change across the plane, up to one thickness off it; at last,
        each point goes straight to the moving plane.

        Args:
            in_plane: In plane coordinates.

        Returns:
            The 3-d transform; points of the fixed slice come to lie in the moving one.

        Raises:
            ValueError: If the transform isn't made of affine and spline components.
        """
        components = [self._embed(component) for component in in_plane.components]
        if not np.allclose(self.rise, np.eye(4), rtol=0, atol=1e-9):
            components.append(Affine(self.rise))
        return Transform(tuple(components))

    def _embed(self, component: Component) -> Component:
        if isinstance(component, Affine):
            return Affine(_in_frame(self.frame, _beside_normal(component.matrix)))
        if not isinstance(component, BSpline):
            raise ValueError(
                "to_world: expected Affine and BSpline components. "
                f"Received: {type(component).__name__}"
            )
        # The fewest control points that a lattice can have, centred on the plane.
        points = component.control_points @ self.frame[:3, :2].T
        repeated = np.repeat(points[:, :, None], 4, axis=2)
        lattice = _beside_normal(component.lattice)
        step = 2 * self.thickness
        lattice[2, 2:] = step, -1.5 * step
        return type(component)(repeated, self.frame @ lattice)


def is_slice(grid: Grid) -> bool:
    """Whether an image is a slice: 3-d, but one voxel across."""
    return grid.ndim == 3 and 1 in grid.shape


def rank_of_pair(fixed: Grid, moving: Grid) -> int:
    """The rank in which two images are registered: 2 if one of them is a slice."""
    if is_slice(fixed) or is_slice(moving):
        return 2
    return fixed.ndim


def slice_axis(grid: Grid) -> int:
    """The axis across a slice; the last one, if there are several of length 1."""
    return max(axis for axis, size in enumerate(grid.shape) if size == 1)


def slice_plane(fixed: Grid, moving: Grid, ndim: int) -> SlicePlane | None:
    """Finds the plane of two slices, if a 2-d model is to see them.

    Only where the voxels lie decides.

    Args:
        fixed: Of any image.
        moving: Likewise.
        ndim: Rank of the images that the model takes.

    Returns:
        Where to lay the pair out; `None` if the images are to be taken as they are.

    Raises:
        InputError: If one image is a slice and the other isn't, or their planes
            aren't parallel.
    """
    if ndim != 2 or not (is_slice(fixed) or is_slice(moving)):
        return None
    for name, grid in (("fixed", fixed), ("moving", moving)):
        if not is_slice(grid):
            raise InputError(
                f"the {name} image has the shape {grid.shape}, but the other one is a "
                "3-d image of one slice, and the model is 2-d; give two slices, or two "
                "2-d images"
            )
    return common_plane(fixed, moving)


def in_plane(fixed: Image, moving: Image, ndim: int) -> tuple[Image, Image]:
    """Returns a pair in the rank that a model takes: slices laid out in 2-d.

    Args:
        fixed: Any image.
        moving: Likewise.
        ndim: Rank of the images that the model takes.

    Raises:
        InputError: As `slice_plane`.
    """
    plane = slice_plane(fixed.grid, moving.grid, ndim)
    if plane is None:
        return fixed, moving
    return plane.flatten(fixed), plane.flatten(moving)


def common_plane(fixed: Grid, moving: Grid) -> SlicePlane:
    """Finds the plane of two slices.

    Their planes must be parallel, apart from a small tilt; they may be any distance
    from each other.

    Args:
        fixed: See `is_slice`.
        moving: Likewise; its axes may be stored in another order.

    Raises:
        InputError: If the planes aren't parallel.
    """
    frame = plane_frame(fixed)
    tilt = _tilt_degrees(frame[:3, 2], plane_frame(moving)[:3, 2])
    if tilt > MAX_TILT_DEGREES:
        raise InputError(
            "the planes of the two slices must be parallel, but are "
            f"{tilt:.0f} degrees apart; choose slices of one direction, or check the "
            "headers"
        )
    # The moving plane's height above the fixed one, linear in the plane coordinates.
    placed = np.delete(np.linalg.inv(frame) @ moving.affine, slice_axis(moving), axis=1)
    lift = np.eye(4)
    lift[2, [0, 1, 3]] = placed[2] @ _flat(moving, frame).inverse
    return SlicePlane(
        frame=frame,
        rise=_in_frame(frame, lift),
        thickness=max(_thickness(fixed), _thickness(moving)),
    )


def plane_frame(grid: Grid) -> np.ndarray:
    """The coordinates in which a slice is 2-d.

    They follow the two world axes that lie closest to the plane, in their order, so
    they don't depend on how the file stores the slice; in an axial plane they are the
    world's own x and y.

    Args:
        grid: Of a slice.

    Returns:
        From plane coordinates to the world, `(4, 4)`, RAS+ mm: columns of length 1 at
        right angles, the third across the plane, and the plane's point that is closest
        to the world's origin.
    """
    normal = _normal(grid)
    # Rounding must not decide which axis is nearest, where two are as near.
    likeness = np.round(np.abs(normal), 6)
    across = int(np.argmax(likeness))
    first, second = (axis for axis in range(3) if axis != across)
    normal = normal * np.sign(normal[across])
    right = np.eye(3)[first] - normal[first] * normal
    right /= np.linalg.norm(right)
    up = np.cross(normal, right)
    frame = np.eye(4)
    frame[:3, :3] = np.stack([right, up * np.sign(up[second]), normal], axis=1)
    frame[:3, 3] = normal * (normal @ grid.affine[:3, 3])
    return frame


def _flat(grid: Grid, frame: np.ndarray) -> Grid:
    """The 2-d grid of a slice in the first two coordinates of a frame."""
    return grid.mapped(np.linalg.inv(frame)).plane(slice_axis(grid))


def _normal(grid: Grid) -> np.ndarray:
    columns = np.delete(grid.affine[:3, :3], slice_axis(grid), axis=1)
    normal = np.cross(columns[:, 0], columns[:, 1])
    return np.asarray(normal / np.linalg.norm(normal))


def _thickness(grid: Grid) -> float:
    return float(abs(grid.affine[:3, slice_axis(grid)] @ _normal(grid)))


def _tilt_degrees(first: np.ndarray, second: np.ndarray) -> float:
    sine, cosine = np.linalg.norm(np.cross(first, second)), abs(first @ second)
    return float(np.degrees(np.arctan2(sine, cosine)))


def _beside_normal(matrix: np.ndarray) -> np.ndarray:
    """A `(3, 3)` matrix of the plane as a `(4, 4)` one that leaves the third alone."""
    wide = np.eye(4)
    wide[np.ix_([0, 1, 3], [0, 1, 3])] = matrix
    return wide


def _in_frame(frame: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """A matrix of frame coordinates as one of the world."""
    if np.array_equal(matrix, np.eye(4)):
        return matrix  # exact, which it wouldn't be after the way there and back
    result = frame @ matrix @ np.linalg.inv(frame)
    result[-1] = np.eye(4)[-1]
    return np.asarray(result)
