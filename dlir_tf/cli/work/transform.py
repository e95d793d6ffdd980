"""What `dlir-tf transform` does."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import click

from dlir_tf.apply import (
    ImageCarrier,
    carry_points,
    check_distinct,
    output_paths,
    turn_normals,
    write_results,
)
from dlir_tf.cli.work.progress import counting
from dlir_tf.errors import InputError
from dlir_tf.images import (
    Frames,
    OrientationSource,
    SpacingSource,
    check_choice,
    names_a_series,
    read_frames,
    write_frames,
)
from dlir_tf.images.background import FillValue
from dlir_tf.images.points import Space, read_point_file
from dlir_tf.transforms import Transform
from dlir_tf.transforms.files.chain import files_of_chain, read_chain


def run(
    images: tuple[Path, ...],
    points: tuple[Path, ...],
    transforms: tuple[str, ...],
    output: Path,
    reference: Path | None,
    inverse: bool,
    interpolation: str | None,
    fill_value: FillValue | None,
    space: Space | None,
    spacing_source: SpacingSource,
    orientation_source: OrientationSource,
) -> None:
    """Carries images, or points, and prints where they went."""
    _check_choice(images, points, (reference, interpolation, fill_value), space)
    inputs = images or points
    for path in (*inputs, *([reference] if reference else [])):
        if not (path.exists() or names_a_series(path)):
            raise InputError(f"no such file: {path}; check the path")
    check_choice((*images, reference))
    results = output_paths(inputs, output, of_points=bool(points))
    read_too = [*files_of_chain(transforms), *([reference] if reference else [])]
    check_distinct([*read_too, *inputs], list(results.values()))
    transform = read_chain(transforms, _tell)
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
    space: Space | None,
) -> None:
    """Refuses images together with points, neither, and options of the other kind."""
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
    results: dict[Path, Path], transform: Transform, space: Space | None
) -> None:
    files = {path: read_point_file(path, space=space) for path in results}
    writers = {}
    for path, file in files.items():
        mapped = carry_points(path, file, transform, _tell)
        turned = turn_normals(file, transform)
        writers[results[path]] = partial(turned.write, points=mapped)
    write_results(writers)


def _transform_images(
    results: dict[Path, Path],
    transform: Transform,
    read: Callable[[Path], Frames],
    reference: Path | None,
    interpolation: str | None,
    fill_value: FillValue | None,
) -> None:
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
        write_frames(
            draft,
            moved,
            time_step=moved.time_step,
            time_unit=moved.time_unit,
            segments=moved.segments,
        )

    write_results(
        {result: partial(write, path=path) for path, result in results.items()}
    )


def _tell(line: str) -> None:
    click.echo(line, err=True)
