"""What is written of a registration: all of it, or nothing."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from dlir_tf.apply.pictures import figure_writer, page_contents, thumbnail_writer
from dlir_tf.apply.registration_files import Outputs
from dlir_tf.apply.trust import points_with_values, report_inverse
from dlir_tf.files import write_together
from dlir_tf.images import Image, write_image
from dlir_tf.page import write_page
from dlir_tf.pairs.loading import LoadedPair
from dlir_tf.quality import write_report
from dlir_tf.registration import Registration
from dlir_tf.transforms import DenseField, Transform
from dlir_tf.transforms.files.dispatch import write_transform
from dlir_tf.transforms.files.field import write_field
from dlir_tf.transforms.files.forms import form_of

Writer = Callable[[Path], object]


@dataclass(frozen=True)
class Manner:
    """How files are written.

    Attributes:
        interpolation: Of moved labels, `"nearest"` or `"label"`.
        without_initial: Whether the transform and its inverse leave out what the
            registration went on from.
        title: The headline of the page.
    """

    interpolation: str = "nearest"
    without_initial: bool = False
    title: str = "Registration"


def write_registration(
    outputs: Outputs, result: Registration, pair: LoadedPair, manner: Manner
) -> list[str]:
    """Writes all files together.

    Args:
        outputs: The files.
        result: Of the registration.
        pair: That was registered; labels of its moving image are moved.
        manner: How they are written.

    Returns:
        What is to be said about them: how exact they are, a line each.

    Raises:
        InputError: If one can't be written; then none is.
    """
    writers, notes = registration_writers(outputs, result, pair, manner)
    write_together(writers)
    return notes


def registration_writers(
    outputs: Outputs, result: Registration, pair: LoadedPair, manner: Manner
) -> tuple[dict[Path, Writer], list[str]]:
    """What writes the files, for `write_together`; see `write_registration`.

    Returns:
        For every file what writes it, and what is to be said about them, which is
        complete when they are written.
    """
    fixed, notes = pair.fixed, list[str]()
    writers = _image_writers(outputs, result, pair, manner.interpolation)
    transform, moving = result.transform, pair.moving
    if manner.without_initial:  # its inverse comes from where the fixed image lies
        transform, moving = result.beyond_initial, fixed
    writers |= _transform_writers(outputs, transform, fixed, moving, notes)
    if outputs.figure is not None:
        writers[outputs.figure] = figure_writer(result, fixed, pair.moving)
    if outputs.report is not None:
        writers[outputs.report] = partial(write_report, report=result.report)
    if outputs.page is not None:
        contents = page_contents(result, pair, manner.title)
        writers[outputs.page] = partial(write_page, contents=contents)
    if outputs.thumbnail is not None:
        writers[outputs.thumbnail] = thumbnail_writer(result, fixed)
    return writers, notes


def _image_writers(
    outputs: Outputs, result: Registration, pair: LoadedPair, interpolation: str
) -> dict[Path, Writer]:
    """Of what lies on the fixed image's grid."""
    fixed, labels = pair.fixed, pair.moving_labels
    writers: dict[Path, Writer] = {
        outputs.moved: partial(write_image, image=result.moved)
    }
    if outputs.moved_labels is not None and labels is not None:
        moved_labels = result.transform.resample(
            labels,
            fixed,
            displacement=result.computed,
            interpolation=interpolation,
        )
        writers[outputs.moved_labels] = partial(write_image, image=moved_labels)
    if outputs.displacement is not None:
        field = Transform((DenseField(result.displacement, fixed.affine),))
        writers[outputs.displacement] = partial(
            write_field, transform=field, reference=fixed.grid
        )
    if outputs.jacobian is not None:
        determinant = fixed.with_array(result.transform.jacobian_determinant(fixed))
        writers[outputs.jacobian] = partial(write_image, image=determinant)
    return writers


def _transform_writers(
    outputs: Outputs,
    transform: Transform,
    fixed: Image,
    moving: Image,
    notes: list[str],
) -> dict[Path, Writer]:
    """Of the transform and its inverse, which note down how exact they are."""
    writers: dict[Path, Writer] = {}
    if outputs.transform is not None:
        writers[outputs.transform] = partial(
            _write_transform,
            path=outputs.transform,
            transform=transform,
            grid=fixed,
            other=moving,
            form=outputs.form,
            notes=notes,
        )
    if outputs.inverse is not None:
        inverse = transform.inverse()
        points = points_with_values(inverse, fixed.grid, moving.grid)
        notes += filter(None, [report_inverse(inverse, points, str(outputs.inverse))])
        writers[outputs.inverse] = partial(
            _write_transform,
            path=outputs.inverse,
            transform=inverse,
            grid=moving,
            other=fixed,
            form=outputs.form,
            notes=notes,
        )
    return writers


def _write_transform(
    draft: Path,
    path: Path,
    transform: Transform,
    grid: Image,
    other: Image,
    form: str | None,
    notes: list[str],
) -> None:
    """Writes a transform and notes down what the file can't hold.

    It maps points of the image that has the grid to points of the other one, of which
    only files between two images tell.
    """
    foreign = form_of(path, form)
    to = other if foreign is not None and foreign.between else None
    error = write_transform(draft, transform, reference=grid, moving=to, form=form)
    if error > 0:
        notes.append(
            f"{path}: such a file can't hold the transform exactly; it is up to "
            f"{error:.2g} mm off"
        )
