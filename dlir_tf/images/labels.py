"""Labels belong to an image: they must lie where it lies."""

import os

from dlir_tf.images.frame import SpacingSource
from dlir_tf.images.image import Image
from dlir_tf.images.reading import read_labels
from dlir_tf.images.same_grid import check_same_grid


def read_labels_of(
    path: str | os.PathLike[str],
    image: Image,
    *,
    spacing_source: SpacingSource = "auto",
) -> Image:
    """Reads the labels of an image.

    They must have its shape and, at the corners of the grid, lie within half a voxel
    of it. Where one of the two headers states no orientation, the shape decides.

    Args:
        path: The file of the labels.
        image: What they label.
        spacing_source: As in `read_image`; best the one that `image` was read with.

    Returns:
        The labels, exactly on the image's grid.

    Raises:
        InputError: As `read_labels`, or if they lie on another grid.
    """
    labels = read_labels(path, spacing_source=spacing_source)
    check_same_grid(path, labels, image, "labels")
    return image.with_array(labels.array)
