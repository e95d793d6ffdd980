"""`dlir-tf register`."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from dlir_tf.images import SpacingSource

_FILE = click.Path(path_type=Path)


@click.command("register")
@click.argument("fixed", type=_FILE)
@click.argument("moving", type=_FILE)
@click.option(
    "--output",
    "moved",
    type=_FILE,
    required=True,
    metavar="MOVED",
    help="The moving image on the fixed image's grid (.nii, .nii.gz).",
)
@click.option(
    "--model",
    type=_FILE,
    default=Path("model"),
    show_default=True,
    help="Model folder, from dlir-tf train.",
)
@click.option(
    "--displacement",
    type=_FILE,
    help="Write the displacement field as an ITK vector image (LPS mm).",
)
@click.option("--labels", type=_FILE, help="Labels of the moving image, to be moved.")
@click.option(
    "--moved-labels", type=_FILE, help="Where the moved labels go (with --labels)."
)
@click.option("--figure", type=_FILE, help="Write a picture of the result (.png).")
@click.option(
    "--spacing-source",
    type=click.Choice(["auto", "affine", "pixdim"]),
    default="auto",
    show_default=True,
    help="Where voxel sizes are read if a file states two; auto decides and warns.",
)
def command(
    fixed: Path,
    moving: Path,
    moved: Path,
    model: Path,
    displacement: Path | None,
    labels: Path | None,
    moved_labels: Path | None,
    figure: Path | None,
    spacing_source: "SpacingSource",
) -> None:
    """Register a moving image to a fixed one.

    The moved image comes back on the fixed image's grid, interpolated once, in the
    moving image's data type. Labels are moved by nearest neighbour.

    Example:
    dlir-tf register fixed.nii.gz moving.nii.gz --output moved.nii.gz
    """
    from dlir_tf.cli.main import check_output_file
    from dlir_tf.errors import InputError
    from dlir_tf.files import write_together
    from dlir_tf.images import (
        read_image,
        read_labels_of,
        write_displacement,
        write_image,
    )
    from dlir_tf.model_files import check_model_folder

    if (labels is None) != (moved_labels is None):
        raise InputError(
            "--labels and --moved-labels belong together: the first is read, the "
            "second is written"
        )
    for path in (moved, displacement, moved_labels):
        if path is not None:
            check_output_file(path, (".nii", ".nii.gz"))
    if figure is not None:
        check_output_file(figure, (".png",))
    _check_distinct(
        (fixed, moving, labels), (moved, displacement, moved_labels, figure)
    )
    check_model_folder(model)
    fixed_image = read_image(fixed, spacing_source=spacing_source)
    moving_image = read_image(moving, spacing_source=spacing_source)
    label_image = None
    if labels is not None:
        label_image = read_labels_of(
            labels, moving_image, spacing_source=spacing_source
        )

    from dlir_tf.cli.quiet import load_keras

    load_keras()
    from dlir_tf.model_folder import load_model
    from dlir_tf.registration import register

    loaded_model = load_model(model)
    try:
        result = register(fixed_image, moving_image, model=loaded_model)
    except InputError as error:  # it knows images, not their files
        raise InputError(f"{fixed} and {moving}: {error}") from error
    field = result.displacement
    writers = {moved: partial(write_image, image=result.moved)}
    if label_image is not None and moved_labels is not None:
        resampled = result.transform.resample(
            label_image, fixed_image, displacement=field, interpolation="nearest"
        )
        writers[moved_labels] = partial(write_image, image=resampled)
    if displacement is not None:
        writers[displacement] = partial(
            write_displacement, ddf_mm=field, affine=fixed_image.affine
        )
    if figure is not None:
        from dlir_tf.figures import registration_figure

        writers[figure] = partial(
            registration_figure,
            fixed=fixed_image,
            moving=moving_image,
            moved=result.moved,
            displacement=field,
        )
    write_together(writers)
    click.echo(moved)


def _check_distinct(
    inputs: tuple[Path | None, ...], outputs: tuple[Path | None, ...]
) -> None:
    """Refuses to write one file twice, or over one that is read."""
    from dlir_tf.errors import InputError

    taken = {path.resolve() for path in inputs if path is not None}
    for path in outputs:
        if path is None:
            continue
        if path.resolve() in taken:
            raise InputError(
                f"{path}: is an input or another output already; choose another name"
            )
        taken.add(path.resolve())
