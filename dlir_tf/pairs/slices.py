"""Slices: 3-d images of one voxel across, registered in 2-d, in their own plane.

A 2-d scan is often stored as a 3-d image, which says where in the patient the slice
lies, at any angle. For a 2-d model, the slices are laid out in the plane of the fixed
one; what the model finds there is a transform of the world all the same.
"""

from dataclasses import dataclass

import numpy as np

from dlir_tf.errors import InputError
from dlir_tf.images import Image
from dlir_tf.transforms import Affine, BSpline, Component, Transform

MAX_TILT_DEGREES = 5.0


@dataclass(frozen=True, eq=False)
class SlicePair:
    """Two slices as 2-d images with common coordinates.

    Attributes:
        fixed: The fixed slice, 2-d.
        moving: The moving slice, 2-d, as it is seen from straight above the fixed one.
        frame: From plane coordinates in mm (two in the fixed plane, the third across
            it) to the world, `(4, 4)`, RAS+ mm; lengths and angles are kept.
        rise: World-to-world matrix `(4, 4)` that takes each point of the fixed plane
            straight up, or down, to the moving plane.
        thickness: Of the thicker slice, in mm.
    """

    fixed: Image
    moving: Image
    frame: np.ndarray
    rise: np.ndarray
    thickness: float

    def to_world(self, in_plane: Transform) -> Transform:
        """Takes a 2-d transform of the pair to the world.

        Splines don't change across the plane, up to one thickness off it; at last,
        each point goes straight to the moving plane.

        Args:
            in_plane: In the coordinates of `fixed` and `moving`.

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


def is_slice(image: Image) -> bool:
    """Whether an image is a slice: 3-d, but one voxel across."""
    return image.ndim == 3 and 1 in image.shape


def slice_axis(image: Image) -> int:
    """The axis across a slice; the last one, if there are several of length 1."""
    return max(axis for axis, size in enumerate(image.shape) if size == 1)


def as_slices(fixed: Image, moving: Image, ndim: int) -> SlicePair | None:
    """Lays a pair out in 2-d, if it's two slices and a 2-d model is to see them.

    Args:
        fixed: Any image.
        moving: Likewise.
        ndim: Rank of the images that the model takes.

    Returns:
        The pair; `None` if the images are to be taken as they are.

    Raises:
        InputError: If one image is a slice and the other isn't, or their planes
            aren't parallel.
    """
    if ndim != 2 or not (is_slice(fixed) or is_slice(moving)):
        return None
    for name, image in (("fixed", fixed), ("moving", moving)):
        if not is_slice(image):
            raise InputError(
                f"the {name} image has the shape {image.shape}, but the other one is a "
                "3-d image of one slice, and the model is 2-d; give two slices, or two "
                "2-d images"
            )
    return slice_pair(fixed, moving)


def in_plane(fixed: Image, moving: Image, ndim: int) -> tuple[Image, Image]:
    """Returns a pair in the rank that a model takes: slices laid out in 2-d.

    Only where the voxels lie decides how, so images, labels and masks of the same
    grids come to lie on each other.

    Args:
        fixed: Any image.
        moving: Likewise.
        ndim: Rank of the images that the model takes.

    Raises:
        InputError: As `as_slices`.
    """
    slices = as_slices(fixed, moving, ndim)
    return (fixed, moving) if slices is None else (slices.fixed, slices.moving)


def slice_pair(fixed: Image, moving: Image) -> SlicePair:
    """Lays two slices out in the plane of the fixed one.

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
    in_plane = flatten(moving, frame)
    # The moving plane's height above the fixed one, linear in the plane coordinates.
    _, placed = _placed(moving, frame)
    lift = np.eye(4)
    lift[2, [0, 1, 3]] = placed[2] @ np.linalg.inv(in_plane.affine)
    return SlicePair(
        fixed=flatten(fixed, frame),
        moving=in_plane,
        frame=frame,
        rise=_in_frame(frame, lift),
        thickness=max(_thickness(fixed), _thickness(moving)),
    )


def laid_out(image: Image | None, slices: SlicePair | None) -> Image | None:
    """Returns a mask or labels of a pair's image, in 2-d if the pair is laid out.

    Args:
        image: On the grid of one image of the pair, or none.
        slices: The pair, if it's laid out; see `as_slices`.
    """
    if image is None or slices is None:
        return image
    return flatten(image, slices.frame)


def flatten(image: Image, frame: np.ndarray) -> Image:
    """Returns a slice as a 2-d image in the first two coordinates of a frame.

    Args:
        image: A slice, or labels or a mask of one.
        frame: From `plane_frame`, of this or a parallel slice.
    """
    axis, placed = _placed(image, frame)
    return Image(image.array.take(0, axis), placed[[0, 1, 3]])


def plane_frame(image: Image) -> np.ndarray:
    """The coordinates in which a slice is 2-d.

    They follow the two world axes that lie closest to the plane, in their order, so
    they don't depend on how the file stores the slice; in an axial plane they are the
    world's own x and y.

    Returns:
        From plane coordinates to the world, `(4, 4)`, RAS+ mm: columns of length 1 at
        right angles, the third across the plane, and the plane's point that is closest
        to the world's origin.
    """
    normal = _normal(image)
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
    frame[:3, 3] = normal * (normal @ image.affine[:3, 3])
    return frame


def _placed(image: Image, frame: np.ndarray) -> tuple[int, np.ndarray]:
    """The axis across, and from the indices of the other two to frame coordinates."""
    axis = slice_axis(image)
    return axis, np.delete(np.linalg.inv(frame) @ image.affine, axis, axis=1)


def _normal(image: Image) -> np.ndarray:
    columns = np.delete(image.affine[:3, :3], slice_axis(image), axis=1)
    normal = np.cross(columns[:, 0], columns[:, 1])
    return np.asarray(normal / np.linalg.norm(normal))


def _thickness(image: Image) -> float:
    return float(abs(image.affine[:3, slice_axis(image)] @ _normal(image)))


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
