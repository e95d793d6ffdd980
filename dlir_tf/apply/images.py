"""Carries images, labels and time series through a transform."""

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from nibabel.nifti1 import Nifti1Header

from dlir_tf.apply.trust import is_solved_for, points_with_values, report_inverse
from dlir_tf.errors import InputError
from dlir_tf.images import Frames, Grid, Image, is_label_image
from dlir_tf.images.background import (
    FillValue,
    channel_fill_values,
    chosen_fill_value,
    told,
)
from dlir_tf.images.label_images import holds_whole_numbers
from dlir_tf.images.missing import missing_voxels
from dlir_tf.transforms import DenseField, Transform

# A field kept for the next image or frame; 3-d, this is about 180 million voxels.
_LARGEST_FIELD_BYTES = 2 << 30
# About half a minute of work.
_MANY_VOXELS, _MANY_VOXELS_TO_SOLVE = 20_000_000, 2_000_000


@dataclass(eq=False)
class ImageCarrier:
    """Carries one image after the other, onto one grid.

    The displacement on that grid is computed once for all of them, unless it would
    take more than 2 GB; a single image is gone through slab by slab without it.

    Attributes:
        transform: From the grid's world to that of the images: a registration's for
            images of the moving world, its inverse for those of the fixed one.
        reference: Has the grid of the results. `None` takes the one that a displacement
            field lies on, if the transform is one, or else each image's own.
        interpolation: `"linear"`, `"nearest"` or `"cubic"`, `"label"` for labels with
            smooth borders; `None` is linear, but nearest for labels.
        fill_value: Given to voxels that come from outside an image; `"auto"` chooses by
            the image (see `dlir_tf.images.background`), and 0 for labels.
        num_images: How many will come.
        tell: Is called with what the user should know, a line at a time.
    """

    transform: Transform
    reference: Image | None = None
    interpolation: str | None = None
    fill_value: FillValue = "auto"
    num_images: int = 1
    tell: Callable[[str], None] = lambda line: None
    _grid: Grid | None = field(default=None, init=False)
    _displacement: np.ndarray | None = field(default=None, init=False)

    def carry(
        self,
        path: Path,
        frames: Frames,
        on_progress: Callable[[int], None] = lambda done: None,
    ) -> Frames:
        """Carries an image, or all frames of a series.

        Args:
            path: The file that was read, for messages and for its name.
            frames: What it holds.
            on_progress: Called with the number of frames that are done.

        Returns:
            As many frames, on the grid, with the header of the reference and the
            dtype of the input.

        Raises:
            InputError: If the image is of another rank than the transform, the fill
                value doesn't suit its dtype, or no voxel of the result would come
                from inside it.
        """
        first = self._fitting(path, frames[0])
        outside = self._outside(path, frames)
        chosen = self._grid is None
        grid = self._grid or self._choose_grid(path, frames[0].grid)
        plain = grid.plane() if self._is_stored_as_slice(grid) else grid
        points = points_with_values(self.transform, first.grid, plain)
        if not points.size:
            raise InputError(
                f"{path}: doesn't overlap with the grid of the result through the "
                "transform, so no voxel would have a value; check the reference, and "
                "whether it's the inverse that is meant"
            )
        if chosen:
            self._forewarn(path, points, plain)
        displacement = self._compute_displacement(plain, len(frames))
        interpolation = self._interpolation(path, frames)
        self._tell_background(path, frames[0], outside)
        like = self.reference or (frames[0] if self._grid is None else None)
        header = like.header if like is not None else None
        results = []
        for number, frame in enumerate(frames, start=1):
            moved = self.transform.resample(
                self._fitting(path, frame),
                plain,
                displacement=displacement,
                interpolation=interpolation,
                fill_value=outside,
                channel_fill=channel_fill_values(self.fill_value, frame),
            )
            results.append(_on_grid(moved, grid, header))
            on_progress(number)
        return dataclasses.replace(frames, images=tuple(results))

    def check_reference(self, path: Path) -> None:
        """Refuses a reference of another rank than the transform.

        Raises:
            InputError: If it is one; the message names its file.
        """
        if self.reference is not None:
            self._fitting(path, self.reference)

    def _choose_grid(self, path: Path, own: Grid) -> Grid:
        """The grid of the result; kept, unless each image has its own."""
        if self.reference is not None:
            self._grid = self.reference.grid
            return self._grid
        # Files of displacement fields have them on the grid of the fixed image.
        first = self.transform.components[0]
        if not isinstance(first, DenseField):
            self.tell(f"{path}: no reference is given, so the result has its own grid")
            return own
        self.tell("no reference is given: results lie on the displacement's grid")
        self._grid = first.grid
        return self._grid

    def _forewarn(self, path: Path, points: np.ndarray, grid: Grid) -> None:
        """Says how exact an inverse is, and that much work needs its time."""
        line = report_inverse(self.transform, points, str(path))
        if line is not None:
            self.tell(line)
        size, solved = math.prod(grid.shape), is_solved_for(self.transform)
        if size > (_MANY_VOXELS_TO_SOLVE if solved else _MANY_VOXELS):
            work = "solving the inverse for" if solved else "resampling"
            self.tell(f"{path}: {work} {size:,} voxels takes a while")

    def _compute_displacement(self, grid: Grid, num_frames: int) -> np.ndarray | None:
        """The displacement on the grid, if it will be used more than once."""
        if self._displacement is not None:
            return self._displacement
        num_uses = num_frames
        if self._grid is not None:
            num_uses += self.num_images - 1
        size = math.prod(grid.shape) * grid.ndim * np.dtype(np.float32).itemsize
        if num_uses == 1 or size > _LARGEST_FIELD_BYTES:
            return None
        displacement = self.transform.displacement(grid)
        if self._grid is not None:
            self._displacement = displacement
        return displacement

    def _interpolation(self, path: Path, frames: Frames) -> str:
        if self.interpolation == "label":
            for frame in frames:
                _check_labels(path, frame)
        if self.interpolation is not None:
            return self.interpolation
        if not all(is_label_image(frame, path) for frame in frames):
            return "linear"
        self.tell(
            f"{path}: holds labels, so it's carried by nearest neighbour "
            "(--interpolation label makes smooth borders, linear treats it as grey "
            "values)"
        )
        return "nearest"

    def _fitting(self, path: Path, image: Image) -> Image:
        """The image in the rank of the transform."""
        if self._is_stored_as_slice(image.grid):
            channels = image.channels
            if channels is not None:
                channels = channels[:, :, 0]
            plane = image.grid.plane().affine
            image = Image(
                image.array[..., 0], plane, channels=channels, meaning=image.meaning
            )
        if image.ndim != self.transform.ndim:
            raise InputError(
                f"{path}: the image is {image.ndim}-d, of shape {image.shape}, but the "
                f"transform is {self.transform.ndim}-d; give a transform between "
                f"{image.ndim}-d images"
            )
        return image

    def _is_stored_as_slice(self, grid: Grid) -> bool:
        """Whether it's of a 2-d image, for the transform, that is stored as 3-d."""
        return self.transform.ndim == 2 and grid.is_flat

    def _outside(self, path: Path, frames: Frames) -> float:
        """The value of voxels from outside an image."""
        automatic = self.fill_value == "auto"
        if (
            automatic
            and missing_voxels(frames[0].array) is None
            and (
                self.interpolation == "label"
                or all(is_label_image(frame, path) for frame in frames)
            )
        ):
            return 0.0
        try:
            return chosen_fill_value(self.fill_value, frames[0])
        except InputError as error:
            raise error.within(path) from error

    def _tell_background(self, path: Path, image: Image, value: float) -> None:
        line = told(value, channel_fill_values(self.fill_value, image))
        if self.fill_value == "auto" and line is not None:
            self.tell(
                f"{path}: what comes from outside it is {line}, by its own "
                "background (--fill-value chooses another value)"
            )


def _on_grid(moved: Image, grid: Grid, header: Nifti1Header | None) -> Image:
    """The same voxels, and channels, on a grid that may have a third axis more."""
    channels = moved.channels
    if channels is not None:
        channels = channels.reshape((*grid.shape, channels.shape[-1]))
    array = moved.array.reshape(grid.shape)
    return Image(array, grid.affine, header, channels, meaning=moved.meaning)


def _check_labels(path: Path, image: Image) -> None:
    """Refuses values that no labels have."""
    if image.channels is not None:
        raise InputError(
            f"{path}: --interpolation label is for labels, one number a voxel, but it "
            "has several channels (colours); leave it out"
        )
    if not holds_whole_numbers(image.array):
        raise InputError(
            f"{path}: --interpolation label is for labels, whole numbers from 0 on, "
            "but some values aren't; leave it out, or carry the labels by themselves"
        )
