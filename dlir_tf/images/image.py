"""An array of voxels with its place in the world."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import nibabel as nib
import numpy as np

from dlir_tf.images.grid import Grid


@dataclass(frozen=True, eq=False)
class Image:
    """An array of voxels and where they lie.

    Attributes:
        array: Voxels, `(i, j)` or `(i, j, k)`, axes in the order of the file.
        affine: Voxel-to-world matrix `(ndim + 1, ndim + 1)`, RAS+ mm.
        header: The file's NIfTI header as it was read, for what else it holds; its
            affine, pixdim and dtype aren't used, `affine` and `array` are.
        channels: All numbers of every voxel, `(*shape, num_channels)`, where the file
            has several: colours, say. `array` is what is looked at, their luminance
            or one of them; what moves the image moves the channels with it.
        segments: Of labels, what a segmentation of 3D Slicer says of them: names and
            colours. They go with the labels when these are moved as labels.
        meaning: The NIfTI header that says what these very voxels mean: the header of
            the file that they come from. So it goes with labels as segments do, but
            not with other voxels on the same grid.

    Raises:
        InputError: If the affine isn't finite, or can't be inverted.
        ValueError: If array, channels and affine don't fit together.
    """

    array: np.ndarray
    affine: np.ndarray
    header: nib.Nifti1Header | None = None
    channels: np.ndarray | None = None
    segments: Mapping[str, str] = field(default_factory=dict)
    meaning: nib.Nifti1Header | None = None

    def __post_init__(self) -> None:
        """Checks that array, channels and affine belong together."""
        object.__setattr__(self, "affine", self.grid.affine)
        if self.channels is not None and self.channels.shape[:-1] != self.shape:
            raise ValueError(
                f"Image: expected channels of shape {(*self.shape, 'n')}. "
                f"Received: {self.channels.shape}"
            )

    @cached_property
    def grid(self) -> Grid:
        """Where the voxels lie."""
        return Grid(self.array.shape, self.affine)

    @property
    def ndim(self) -> int:
        """Number of spatial axes, 2 or 3."""
        return self.array.ndim

    @property
    def shape(self) -> tuple[int, ...]:
        """Voxels along each axis."""
        return self.array.shape

    @property
    def spacing(self) -> tuple[float, ...]:
        """Distance between neighbouring voxels along each axis, in mm."""
        return self.grid.spacing

    def with_array(self, array: np.ndarray) -> "Image":
        """Other voxels on the same grid, without channels, segments and meaning."""
        if array.shape != self.shape:
            raise ValueError(
                f"with_array: expected the grid's shape {self.shape}. "
                f"Received: {array.shape}"
            )
        return Image(array, self.affine, self.header)


def grid_of(grid: Grid | Image) -> Grid:
    """The grid of an image, or a grid as it is; what users may give for one."""
    return grid.grid if isinstance(grid, Image) else grid
