"""An array of voxels with its place in the world."""

from dataclasses import dataclass

import nibabel as nib
import numpy as np

from dlir_tf.images.frame import column_norms


@dataclass(frozen=True, eq=False)
class Image:
    """An array of voxels and where they lie.

    Attributes:
        array: Voxels, `(i, j)` or `(i, j, k)`, axes in the order of the file.
        affine: Voxel-to-world matrix `(ndim + 1, ndim + 1)`, RAS+ mm.
        header: The file's NIfTI header as it was read, for what else it holds; its
            affine, pixdim and dtype aren't used, `affine` and `array` are.
    """

    array: np.ndarray
    affine: np.ndarray
    header: nib.Nifti1Header | None = None

    def __post_init__(self) -> None:
        """Checks that array and affine belong together."""
        size = self.array.ndim + 1
        affine = np.array(self.affine, dtype=np.float64)
        if size not in (3, 4) or affine.shape != (size, size):
            raise ValueError(
                "Image: expected a 2-d array with a 3x3 affine or a 3-d one with a "
                f"4x4 affine. Received: {self.array.shape} and {affine.shape}"
            )
        object.__setattr__(self, "affine", affine)

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
        return tuple(float(norm) for norm in column_norms(self.affine))

    def with_array(self, array: np.ndarray) -> "Image":
        """Other voxels on the same grid."""
        if array.shape != self.shape:
            raise ValueError(
                f"with_array: expected the grid's shape {self.shape}. "
                f"Received: {array.shape}"
            )
        return Image(array, self.affine, self.header)
