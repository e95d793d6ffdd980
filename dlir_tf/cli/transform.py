"""`dlir-tf transform`."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dlir_tf.cli.options import FILE, Command, fill_value_option, header_options

if TYPE_CHECKING:
    from dlir_tf.images import Frames, OrientationSource, SpacingSource
    from dlir_tf.images.background import FillValue
    from dlir_tf.images.points import Space
    from dlir_tf.transforms import Transform


@click.command("transform", cls=Command)
@click.argument("images", type=FILE, nargs=-1, metavar="[INPUT]...")
@click.option(
    "--points",
    type=FILE,
    multiple=True,
    metavar="FILE",
    help="Landmarks, in the place of images: a CSV file with the columns x,y,z (world "
    "mm) and any others, or a file of 3D Slicer (.mrk.json, .fcsv). Can be repeated.",
)
@click.option(
    "--transform",
    "transform_file",
    type=FILE,
    required=True,
    metavar="FILE",
    help="The transform: one that dlir-tf register wrote, an ITK transform (.h5, "
    ".tfm), an ANTs pair (its 0GenericAffine.mat) or a displacement field (.nii.gz).",
)
@click.option(
    "--output",
    type=FILE,
    required=True,
    metavar="FILE|DIR",
    help="Where the result goes; several go into a folder, under their own names.",
)
@click.option(
    "--reference",
    type=FILE,
    metavar="IMAGE",
    help="The image on whose grid the results lie: most often the fixed image, with "
    "--inverse the moving one. By default the grid of the displacement field, if the "
    "transform is one, or else each input's own.",
)
@click.option(
    "--inverse",
    is_flag=True,
    help="Go the other way: images of the fixed world to the moving one, landmarks "
    "of the moving image to the fixed one.",
)
@click.option(
    "--interpolation",
    type=click.Choice(["linear", "nearest", "cubic"]),
    help="For all inputs; by default linear, but nearest for labels, which are "
    "recognised by their values and names.",
)
@fill_value_option
@click.option(
    "--space",
    type=click.Choice(["RAS", "LPS"]),
    help="World of CSV files, read and written: RAS by default, as NIfTI has it; ITK "
    "and ANTs use LPS. Markups state theirs.",
)
@header_options
def command(
    images: tuple[Path, ...],
    points: tuple[Path, ...],
    transform_file: Path,
    output: Path,
    reference: Path | None,
    inverse: bool,
    interpolation: str | None,
    fill_value: "FillValue | None",
    space: "Space | None",
    spacing_source: "SpacingSource",
    orientation_source: "OrientationSource",
) -> None:
    """Carry images, labels or landmarks through a transform.

    Images travel from moving to fixed: labels and other channels of the moving image
    come to lie on the fixed one. Each is interpolated once, in its own data type;
    labels by nearest neighbour; time series (3-d+t) frame by frame.

    Landmarks travel against the images: those of the fixed image go to the moving
    one. For a transform pulls back: it tells every voxel of the fixed image, and so
    every point, where in the moving image it belongs. To carry landmarks of the
    moving image to the fixed one, use --inverse.

    Example:
    dlir-tf transform moving_labels.nii.gz --transform transform.h5
    --reference fixed.nii.gz --output moved_labels.nii.gz

    Example: dlir-tf transform --points fixed_points.csv --transform transform.h5
    --output moving_points.csv
    """
    from dlir_tf.apply import check_distinct, output_paths
    from dlir_tf.errors import InputError
    from dlir_tf.images import read_frames
    from dlir_tf.transforms.files.dispatch import read_transform

    _check_choice(images, points, (reference, interpolation, fill_value), space)
    inputs = images or points
    for path in (*inputs, *([reference] if reference else [])):
        if not path.exists():
            raise InputError(f"no such file: {path}; check the path")
    results = output_paths(inputs, output, of_points=bool(points))
    all_read = [transform_file, *inputs, *([reference] if reference else [])]
    check_distinct(all_read, list(results.values()))
    transform = read_transform(transform_file)
    if inverse:
        transform = transform.inverse()
    if points:
        _transform_points(results, transform, space)
    else:
        read = partial(
            read_frames,
            spacing_source=spacing_source,
            orientation_source=orientation_source,
        )
        _transform_images(
            results, transform, read, reference, interpolation, fill_value
        )
    for path in results.values():
        click.echo(path)


def _check_choice(
    images: tuple[Path, ...],
    points: tuple[Path, ...],
    of_images: tuple[object, ...],
    space: "Space | None",
) -> None:
    """Refuses images together with points, neither, and options of the other kind."""
    from dlir_tf.errors import InputError

    if images and points:
        raise InputError(
            f"{images[0]} and --points {points[0]}: images and points go in commands "
            "of their own; put --points before every file of points"
        )
    if not images and not points:
        raise click.UsageError("Give images, or landmarks with --points.")
    if points and any(option is not None for option in of_images):
        raise InputError(
            "--reference, --interpolation and --fill-value are for images; leave them "
            "out with --points"
        )
    if images and space is not None:
        raise InputError("--space is for --points; images state their own world")


def _transform_points(
    results: dict[Path, Path], transform: "Transform", space: "Space | None"
) -> None:
    from functools import partial

    from dlir_tf.apply import carry_points, write_results
    from dlir_tf.images.points import read_point_file

    files = {path: read_point_file(path, space=space) for path in results}
    writers = {}
    for path, file in files.items():
        mapped = carry_points(path, file, transform, _tell)
        writers[results[path]] = partial(file.write, points=mapped)
    write_results(writers)


def _transform_images(
    results: dict[Path, Path],
    transform: "Transform",
    read: Callable[[Path], "Frames"],
    reference: Path | None,
    interpolation: str | None,
    fill_value: "FillValue | None",
) -> None:
    from dlir_tf.apply import ImageCarrier, write_results
    from dlir_tf.cli.progress import counting
    from dlir_tf.images import write_frames

    grid = None if reference is None else read(reference)[0]
    carrier = ImageCarrier(
        transform,
        grid,
        interpolation=interpolation,
        fill_value="auto" if fill_value is None else fill_value,
        num_images=len(results),
        tell=_tell,
    )
    if reference is not None:
        carrier.check_reference(reference)

    def write(draft: Path, path: Path) -> None:
        # One image at a time is in memory.
        frames = read(path)
        if len(frames) == 1:
            moved = carrier.carry(path, frames)
        else:
            with counting(len(frames), "frames", f"{path}: ", every=10) as show:
                moved = carrier.carry(path, frames, show)
        write_frames(draft, moved, time_step=moved.time_step, time_unit=moved.time_unit)

    write_results(
        {result: partial(write, path=path) for path, result in results.items()}
    )


def _tell(line: str) -> None:
    click.echo(line, err=True)
