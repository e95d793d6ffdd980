"""What `dlir-tf convert` does."""

from pathlib import Path

import click
import numpy as np

from dlir_tf.apply import check_distinct
from dlir_tf.apply.trust import report_inverse
from dlir_tf.errors import InputError
from dlir_tf.files import check_output
from dlir_tf.images import (
    Grid,
    OrientationSource,
    SpacingSource,
    check_choice,
    read_frames,
)
from dlir_tf.transforms import Affine, BSpline, DenseField, Transform
from dlir_tf.transforms.files.ants import check_no_inverse, files_beside, is_ants_name
from dlir_tf.transforms.files.chain import files_of_chain, read_chain
from dlir_tf.transforms.files.dense_form import simplified
from dlir_tf.transforms.files.dispatch import (
    ITK_SUFFIXES,
    OWN_SUFFIX,
    TRANSFORM_SUFFIXES,
    write_transform,
)
from dlir_tf.transforms.files.forms import FORMS, form_of

_ROUNDED_MM = 1e-6  # less than a file's numbers hold
_ELSE = "; or in .lta or .aff12.1D, or as --form needs it"
_NUM_TRIED = 8000  # points at which an inverse is measured


def run(
    transforms: tuple[str, ...],
    output: Path,
    form: str | None,
    reference: Path | None,
    moving: Path | None,
    inverse: bool,
    spacing_source: SpacingSource,
    orientation_source: OrientationSource,
) -> None:
    """Composes, writes, and says how exactly."""
    images = [path for path in (reference, moving) if path is not None]
    given = [*files_of_chain(transforms), *images]
    _check_output(output, form, given, about_moving=moving is not None)
    check_choice(images)
    if not images and (spacing_source, orientation_source) != ("auto", "auto"):
        _tell(
            "--spacing-source and --orientation-source have no effect, as no image is "
            "given"
        )
    transform = read_chain(transforms, _tell)
    if inverse:
        transform = transform.inverse()

    def grid_of(path: Path, role: str) -> Grid:
        frames = read_frames(
            path, spacing_source=spacing_source, orientation_source=orientation_source
        )
        return _fitting(path, role, frames[0].grid, transform.ndim)

    grid = _own_grid(transform)
    if reference is not None:
        grid = grid_of(reference, "reference")
    source = None if moving is None else grid_of(moving, "moving image")
    line = None if grid is None else _about_inverse(output, transform, grid)
    error = write_transform(output, transform, reference=grid, moving=source, form=form)
    if line is not None:
        _tell(line)
    if reference is not None and line is None:
        why = _why_no_grid(output, form, transform)
        if why is not None:
            _tell(f"{output}: --reference has no effect, as {why}")
    if error > _ROUNDED_MM:
        _tell(
            f"{output}: such a file can't hold the transform exactly; it is up to "
            f"{error:.2g} mm off"
        )
    click.echo(output)


def _check_output(
    output: Path, form: str | None, given: list[Path], *, about_moving: bool
) -> None:
    """Refuses what can't be written, before anything is read."""
    foreign, written = form_of(output, form), [output]
    if about_moving and not (foreign and foreign.between):
        raise InputError(
            "--moving: is for files between two images, of FSL's FLIRT, FreeSurfer and "
            "AFNI; leave it out"
        )
    suffixes = TRANSFORM_SUFFIXES if foreign is None else foreign.suffixes
    check_output(output, suffixes, note="" if foreign else _ELSE)
    if foreign is None and is_ants_name(output):
        check_no_inverse(output)
        written += files_beside(output)
    check_distinct(given, written)


def _own_grid(transform: Transform) -> Grid | None:
    """The grid that the input brings along, if it begins with a field."""
    first = transform.components[0]
    return first.grid if isinstance(first, DenseField) else None


def _why_no_grid(output: Path, form: str | None, transform: Transform) -> str | None:
    """Why an image's grid makes no difference to what is written, if it doesn't."""
    foreign, parts = form_of(output, form), list(transform.components)
    if foreign is not None and (foreign.between or foreign is FORMS["elastix"]):
        return None
    a_matrix = foreign is not None and foreign.holds_matrix(output)
    stored = Affine | BSpline | DenseField
    as_it_is = foreign is None and output.name.endswith(ITK_SUFFIXES)
    as_it_is &= all(isinstance(simplified(part), stored) for part in parts)
    if a_matrix or as_it_is or output.name.endswith(OWN_SUFFIX):
        return "such a file holds this transform without a grid"
    if foreign is None and is_ants_name(output):
        while parts and isinstance(simplified(parts[-1]), Affine):
            parts.pop()
    field = simplified(parts[0]) if len(parts) == 1 else None
    if isinstance(field, DenseField) and not field.grid.is_sheared:
        return "a displacement field keeps its own grid"
    return None


def _fitting(path: Path, role: str, grid: Grid, ndim: int) -> Grid:
    """An image's grid, in the rank of the transform."""
    if ndim == 2 and grid.is_flat:
        return grid.plane()
    if grid.ndim != ndim:
        raise InputError(
            f"{path}: the {role} must be {ndim}-d like the transform, but is "
            f"{grid.ndim}-d; give an image of the same rank"
        )
    return grid


def _about_inverse(output: Path, transform: Transform, grid: Grid) -> str | None:
    """How exact an inverse is that has to be solved for, on the grid."""
    generator = np.random.default_rng(0)
    last = np.asarray(grid.shape) - 1.0
    points = grid.to_world(last * generator.uniform(size=(_NUM_TRIED, grid.ndim)))
    return report_inverse(transform, points, str(output))


def _tell(line: str) -> None:
    click.echo(line, err=True)
