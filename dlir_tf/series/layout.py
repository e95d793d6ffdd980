"""How frames are laid out for registration: slices in their own plane, volumes as is.

A 2-d cine is stored as 3-d frames of one slice, at any angle. Its frames are registered
in 2-d; labels, landmarks and files have them in the world.
"""

from dataclasses import dataclass

from dlir_tf.images import Grid, Image
from dlir_tf.pairs.slices import SlicePlane, common_plane, is_slice, slice_axis
from dlir_tf.transforms import Transform


@dataclass(frozen=True, eq=False)
class Layout:
    """The way from frames to what is registered, and back.

    Attributes:
        grid: Of the frames.
        plane: Theirs, if they are slices.
    """

    grid: Grid
    plane: SlicePlane | None

    @classmethod
    def of(cls, grid: Grid) -> "Layout":
        """The layout of frames on a grid."""
        return cls(grid, common_plane(grid, grid) if is_slice(grid) else None)

    def flatten(self, image: Image) -> Image:
        """The image as it's registered."""
        return image if self.plane is None else self.plane.flatten(image)

    def restore(self, image: Image, like: Image) -> Image:
        """A registered image as the frames are stored, with a frame's header.

        Args:
            image: On the grid of what `flatten` returned.
            like: A frame.
        """
        array = image.array
        if self.plane is not None:
            array = array.reshape(self.grid.shape)
        return Image(array, like.affine, like.header)

    def to_world(self, transform: Transform) -> Transform:
        """A transform between flattened frames as one between the frames."""
        return transform if self.plane is None else self.plane.to_world(transform)

    @property
    def axis(self) -> int:
        """The axis across the slices of a stack: the last, or that of length 1."""
        return slice_axis(self.grid) if self.plane is not None else self.grid.ndim - 1
