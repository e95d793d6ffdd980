"""What a pair's files hold, read and checked: images, masks, labels, landmarks."""

import contextlib
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dlir_tf.config import Config
from dlir_tf.errors import InputError, WriteError, counted, first_few
from dlir_tf.images import (
    Image,
    OrientationSource,
    SpacingSource,
    flip_ras_lps,
    read_image,
    read_labels_of,
    read_mask_of,
    read_point_names,
    read_points,
)
from dlir_tf.pairs.large import at_lower_resolution, mask_at_lower_resolution
from dlir_tf.pairs.manifest import Pair
from dlir_tf.pairs.preprocessing import prepare_pair
from dlir_tf.pairs.working_pair import WorkingPair


@dataclass(frozen=True, eq=False)
class LoadedPair:
    """The contents of a pair's files.

    Attributes:
        fixed: Its own grid is the one on which everything is measured.
        moving: On any grid.
        fixed_labels: Labels of the fixed image, on its grid; or none.
        moving_labels: Likewise, of the moving image.
        points: Landmarks of both images, `(num_points, ndim)`, world RAS+ mm,
            corresponding by their order; or none.
        point_names: What the landmarks of the fixed image are called; none if their
            file doesn't say.
        has_channels: Whether the file of either image has several numbers a voxel.
        fixed_mask: Which voxels of the fixed image count in the similarity, bool, on
            its grid; `None` for all.
        moving_mask: Likewise, of the moving image.
    """

    fixed: Image
    moving: Image
    fixed_labels: Image | None = None
    moving_labels: Image | None = None
    points: tuple[np.ndarray, np.ndarray] | None = None
    fixed_mask: Image | None = None
    moving_mask: Image | None = None
    point_names: tuple[str, ...] = ()
    has_channels: bool = False

    @property
    def labels(self) -> tuple[Image, Image] | None:
        """Labels of both images, if both have them."""
        if self.fixed_labels is None or self.moving_labels is None:
            return None
        return self.fixed_labels, self.moving_labels

    def on_working_grid(self, config: Config) -> WorkingPair:
        """Brings images and masks to their working grid; see `prepare_pair`."""
        return prepare_pair(
            at_lower_resolution(self.fixed),
            at_lower_resolution(self.moving),
            config,
            fixed_mask=mask_at_lower_resolution(self.fixed_mask),
            moving_mask=mask_at_lower_resolution(self.moving_mask),
        )


def load_pair(
    pair: Pair,
    *,
    with_labels: bool = True,
    with_points: bool = True,
    spacing_source: SpacingSource = "auto",
    orientation_source: OrientationSource = "auto",
    channel: int | None = None,
    usual_channel: int | None = None,
) -> LoadedPair:
    """Reads the files of a pair.

    Args:
        pair: The files; landmarks are read where both images have them.
        with_labels: Whether to read labels at all.
        with_points: Whether to read landmarks at all.
        spacing_source: Of images, labels and masks, as in `dlir_tf.read_image`.
        orientation_source: Likewise.
        channel: Of images with several numbers a voxel, as in `dlir_tf.read_image`;
            one of the two must have some.
        usual_channel: Of such images, if there are any, where none is asked for.

    Returns:
        Their contents, labels and masks on the grids of their images.

    Raises:
        InputError: If a file can't be used or doesn't fit the others.
    """
    believed: dict[str, Any] = {
        "spacing_source": spacing_source,
        "orientation_source": orientation_source,
    }
    found: dict[str, Any] = {}
    have_channels, looked_at = False, channel or usual_channel
    for side in ("fixed", "moving"):
        image = found[side] = read_image(
            getattr(pair, side), channel=looked_at, **believed
        )
        have_channels |= image.channels is not None
        labels, mask = getattr(pair, f"{side}_labels"), getattr(pair, f"{side}_mask")
        if with_labels and labels is not None:
            found[f"{side}_labels"] = read_labels_of(labels, image, **believed)
        if side == "fixed" and image.channels is not None:
            found[side] = image.with_array(image.array)  # nothing is done with them
        if mask is not None:
            found[f"{side}_mask"] = read_mask_of(mask, image, **believed)
    if channel is not None and not have_channels:
        raise InputError(
            f"--channel {channel} (channel in Python): neither {pair.fixed} nor "
            f"{pair.moving} has several channels; leave it out"
        )
    if with_points and pair.fixed_points is not None and pair.moving_points is not None:
        files = pair.fixed_points, pair.moving_points
        found["points"] = _read_landmarks(*files, found["fixed"], found["moving"])
        found["point_names"] = _read_names(*files)
    return LoadedPair(**found, has_channels=have_channels)


def for_each_pair(
    pairs: Sequence[Pair],
    action: Callable[[int], object],
    on_progress: Callable[[int], None] = lambda done: None,
) -> None:
    """Does something with all pairs, several at a time, before complaining of any.

    Args:
        pairs: The files.
        action: Takes the index of a pair; raises an `InputError` if that is faulty.
        on_progress: Called with the number of pairs done, in their order; what it
            raises ends all.

    Raises:
        InputError: If pairs are faulty; the first ones are named with their lines.
    """
    faults = faults_of_pairs(pairs, action, on_progress)
    if faults:
        raise InputError(first_few(list(faults.values())))


def faults_of_pairs(
    pairs: Sequence[Pair],
    action: Callable[[int], object],
    on_progress: Callable[[int], None] = lambda done: None,
) -> dict[int, str]:
    """Does something with all pairs, several at a time.

    Args:
        pairs: As for `for_each_pair`, like the others.
        action: Likewise.
        on_progress: Likewise.

    Returns:
        For the index of every faulty pair, what is wrong with it and where.
    """

    def problem(index: int) -> str | None:
        try:
            with located(pairs[index]):
                action(index)
        except WriteError:
            raise  # no fault of this pair
        except InputError as error:
            return str(error)
        return None

    faults = {}
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for index, message in enumerate(pool.map(problem, range(len(pairs)))):
            if message is not None:
                faults[index] = message
            on_progress(index + 1)
    return faults


@contextlib.contextmanager
def located(pair: Pair) -> Iterator[None]:
    """Puts the pair's place in its manifest before the message of an error."""
    try:
        yield
    except WriteError:
        raise  # no fault of the pair
    except InputError as error:
        raise error.within(pair.place) from error


def _read_landmarks(
    fixed_points: Path, moving_points: Path, fixed: Image, moving: Image
) -> tuple[np.ndarray, np.ndarray]:
    """Reads points that correspond by their order."""
    points = _read_points(fixed_points, fixed), _read_points(moving_points, moving)
    if len(points[0]) != len(points[1]):
        raise InputError(
            f"{fixed_points} and {moving_points}: landmarks correspond line by line, "
            "so both files must have as many. Received: "
            f"{len(points[0])} and {len(points[1])}"
        )
    return points


def _read_names(fixed_points: Path, moving_points: Path) -> tuple[str, ...]:
    """What the fixed landmarks are called; refuses the same names in another order."""
    names, others = map(read_point_names, (fixed_points, moving_points))
    if names != others and len(set(names)) == len(names) and set(names) == set(others):
        first = next(
            n for n, (a, b) in enumerate(zip(names, others, strict=True), 1) if a != b
        )
        raise InputError(
            f"{fixed_points} and {moving_points}: landmarks correspond line by line, "
            f"but the same names are in another order: number {first} is "
            f"{names[first - 1]} in one and {others[first - 1]} in the other; sort one "
            "of the files"
        )
    return names


def _read_points(path: Path, image: Image) -> np.ndarray:
    points = read_points(path)
    if points.shape[-1] != image.ndim:
        raise InputError(
            f"{path}: landmarks of a {image.ndim}-d image must have {image.ndim} "
            f"coordinates. Received: {points.shape[-1]}"
        )
    inside, flipped = (
        np.count_nonzero(image.grid.contains(each))
        for each in (points, flip_ras_lps(points))
    )
    if 2 * inside < len(points) and flipped > inside:
        of = f"of {len(points)} landmarks"
        told = counted(len(points) - inside, f"{of} lies", f"{of} lie")
        warnings.warn(
            f"{path}: {told} outside of their image, but with LPS+ taken for RAS+ only "
            f"{len(points) - flipped} would; if they come from ITK or ANTs, change the "
            "signs of x and y",
            stacklevel=4,
        )
    return points
