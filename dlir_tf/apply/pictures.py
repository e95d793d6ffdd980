"""What there is to look at of a registration: its page, its figure, a thumbnail."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from dlir_tf.images import Image
from dlir_tf.page import Landmarks, PageContents
from dlir_tf.pairs.large import at_lower_resolution
from dlir_tf.pairs.loading import LoadedPair
from dlir_tf.pairs.slices import is_slice, slice_axis
from dlir_tf.registration import Registration


def page_contents(result: Registration, pair: LoadedPair, title: str) -> PageContents:
    """What a page of a registration shows.

    Args:
        result: Of the registration.
        pair: That was registered.
        title: The headline.
    """
    return PageContents(
        fixed=pair.fixed,
        moving=pair.moving,
        title=title,
        transform=result.transform,
        moved=result.moved,
        displacement=result.computed,
        fixed_labels=pair.fixed_labels,
        moving_labels=pair.moving_labels,
        landmarks=pair.points and Landmarks(*pair.points, pair.point_names),
        report=result.report.to_dict(),
    )


def thumbnail_writer(result: Registration, fixed: Image) -> Callable[[Path], object]:
    """What writes a small picture of a registration, for a table of many pairs.

    Args:
        result: Of the registration.
        fixed: The fixed image.
    """
    from dlir_tf.page.thumbnail import write_thumbnail  # matplotlib takes long

    return partial(write_thumbnail, fixed=fixed, moved=result.moved)


def figure_writer(
    result: Registration, fixed: Image, moving: Image
) -> Callable[[Path], object]:
    """What draws a registration: before, after, and the deformed grid.

    Args:
        result: Of the registration.
        fixed: The fixed image.
        moving: The moving image.
    """
    from dlir_tf.figures.panels import registration_figure  # matplotlib takes long

    if result.computed is None:  # a picture of more pixels than are drawn
        fixed, moving = at_lower_resolution(fixed), at_lower_resolution(moving)
        moved = result.transform.resample(moving, fixed)
        field = result.transform.displacement(fixed)
        result = replace(result, moved=moved, computed=field)
    return partial(
        registration_figure,
        fixed=fixed,
        moving=moving,
        moved=result.moved,
        displacement=result.displacement,
        slice_axis=slice_axis(fixed.grid) if is_slice(fixed.grid) else -1,
    )
