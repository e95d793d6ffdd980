"""What there is to evaluate a pair with: images, labels, landmarks, all checked.

Needs no TensorFlow, so that faulty files show before it is loaded.
"""

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from dlir_tf.config import Config
from dlir_tf.errors import InputError
from dlir_tf.images import (
    Image,
    read_image,
    read_labels_of,
    read_mask_of,
)
from dlir_tf.pairs.landmarks import read_landmarks
from dlir_tf.pairs.manifest import Pair
from dlir_tf.pairs.preprocessing import prepare_pair
from dlir_tf.pairs.slices import as_slices, in_plane, laid_out


@dataclass(frozen=True, eq=False)
class LoadedPair:
    """The contents of a pair's files.

    Attributes:
        fixed: Its own grid is the one on which everything is measured.
        moving: On any grid.
        labels: Labels of both images, each on its image's grid; or none.
        points: Landmarks of both images, `(num_points, ndim)`, world RAS+ mm,
            corresponding by their order; or none.
        fixed_mask: Which voxels of the fixed image count in the similarity, bool, on
            its grid; `None` for all.
        moving_mask: Likewise, of the moving image.
    """

    fixed: Image
    moving: Image
    labels: tuple[Image, Image] | None = None
    points: tuple[np.ndarray, np.ndarray] | None = None
    fixed_mask: Image | None = None
    moving_mask: Image | None = None


def load_pair(pair: Pair) -> LoadedPair:
    """Reads all files of a pair.

    Args:
        pair: The files; labels and landmarks are read where both images have them,
            masks where either has one.

    Returns:
        Their contents, labels and masks on the grids of their images.

    Raises:
        InputError: If one can't be used or doesn't fit the others.
    """
    fixed, moving = read_image(pair.fixed), read_image(pair.moving)
    labels = None
    if pair.fixed_labels is not None and pair.moving_labels is not None:
        labels = (
            read_labels_of(pair.fixed_labels, fixed),
            read_labels_of(pair.moving_labels, moving),
        )
    points = read_landmarks(pair, fixed, moving)
    masks = {
        name: read_mask_of(path, image)
        for name, path, image in (
            ("fixed_mask", pair.fixed_mask, fixed),
            ("moving_mask", pair.moving_mask, moving),
        )
        if path is not None
    }
    return LoadedPair(fixed, moving, labels, points, **masks)


def check_pairs(
    pairs: Sequence[Pair],
    config: Config,
    on_progress: Callable[[int], None] = lambda done: None,
) -> None:
    """Makes sure that all pairs can be read and suit the model, before any is used.

    Args:
        pairs: The files.
        config: The model's.
        on_progress: Called with the number of pairs checked.

    Raises:
        InputError: If pairs are faulty; every one is named with its line.
    """

    def problem(pair: Pair) -> str | None:
        try:
            with located(pair):
                loaded = load_pair(pair)
                images = in_plane(loaded.fixed, loaded.moving, config.ndim)
                slices = as_slices(loaded.fixed, loaded.moving, config.ndim)
                prepare_pair(
                    *images,
                    config,
                    fixed_mask=laid_out(loaded.fixed_mask, slices),
                    moving_mask=laid_out(loaded.moving_mask, slices),
                )
        except InputError as error:
            return str(error)
        return None

    problems = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for done, message in enumerate(pool.map(problem, pairs), start=1):
            problems += [message] if message else []
            on_progress(done)
    if problems:
        raise InputError("\n".join(problems))


@contextlib.contextmanager
def located(pair: Pair) -> Iterator[None]:
    """Puts the pair's place in its manifest before the message of an error."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{pair.place}: {error}") from error
