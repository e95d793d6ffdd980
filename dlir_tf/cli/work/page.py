"""What `dlir-tf page` does."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from dlir_tf.cli.work.series_page import write_page_of_series
from dlir_tf.errors import InputError
from dlir_tf.files import check_output
from dlir_tf.images import check_choice, read_image
from dlir_tf.images.image import Image
from dlir_tf.page import Landmarks, PageContents, write_page
from dlir_tf.page.facts import can_be_told
from dlir_tf.page.folder import files_in
from dlir_tf.page.series.folder import is_series_folder
from dlir_tf.page.writing import SUFFIXES
from dlir_tf.pairs.loading import LoadedPair, load_pair
from dlir_tf.pairs.manifest import Pair
from dlir_tf.transforms import Transform
from dlir_tf.transforms.files.chain import files_of_chain, read_chain

_OF_PAIR = ("fixed_labels", "moving_labels", "fixed_points", "moving_points")
_LARGEST_REPORT = 10_000_000


def run(
    folder: Path | None,
    transforms: tuple[str, ...],
    title: str | None,
    output: Path | None,
    spacing_source: Any,
    orientation_source: Any,
    **given: Path | None,
) -> None:
    """Reads what belongs to a pair, and writes its page."""
    headers = {
        "spacing_source": spacing_source,
        "orientation_source": orientation_source,
    }
    if folder is not None and is_series_folder(folder):
        output = output or folder / "page.html"
        options = {"transforms": transforms, **given}
        write_page_of_series(folder, output, title, options, headers)
        click.echo(output)
        return
    found = {} if folder is None else files_in(folder)
    if not transforms:
        files = found.get("transform") or found.get("displacement")
        transforms = (str(files),) if files else ()
    found |= {name: path for name, path in given.items() if path is not None}
    for name in ("fixed", "moving"):
        if name not in found:
            where = (
                f"{folder}: has no {name} image" if folder else f"--{name} is missing"
            )
            raise InputError(f"{where}; a page needs both images")
    check_choice(found.values())
    if output is None:
        if folder is None:
            raise InputError("--output is missing; say where the page goes (.html)")
        output = folder / "page.html"
    check_output(output, SUFFIXES)
    _check_not_read(output, [*found.values(), *files_of_chain(transforms)])
    contents = _contents(found, transforms, title, headers)
    write_page(output, contents)
    click.echo(output)


def _check_not_read(output: Path, inputs: list[Path]) -> None:
    if output.resolve() in {path.resolve() for path in inputs}:
        raise InputError(f"{output}: is an input already; choose another name")


def _contents(
    found: Mapping[str, Path],
    transforms: tuple[str, ...],
    title: str | None,
    believed: Mapping[str, Any],
) -> PageContents:
    fixed, moving = found["fixed"], found["moving"]
    names = {name: found[name] for name in _OF_PAIR if name in found}
    place = f"{fixed} and {moving}"
    files = Pair(fixed, moving, place, **names)  # type: ignore[arg-type]
    pair = load_pair(files, **believed)
    transform = read_chain(transforms, _tell) if transforms else None
    _check_ranks(pair, transform, transforms)
    moved = None
    if "moved" in found:
        moved = _fitting(read_image(found["moved"], **believed), pair, found["moved"])
    notes = []
    if transform is None:
        notes.append(
            "There is no transform, so there is no deformation to see, nor "
            + ("moved labels." if moved is not None else "a moved image.")
        )
    return PageContents(
        fixed=pair.fixed,
        moving=pair.moving,
        title=title or f"{moving.name} on {fixed.name}",
        transform=transform,
        moved=moved,
        fixed_labels=pair.fixed_labels,
        moving_labels=pair.moving_labels,
        landmarks=pair.points and Landmarks(*pair.points, pair.point_names),
        report=_report(found["report"]) if "report" in found else None,
        notes=tuple(notes),
    )


def _check_ranks(
    pair: LoadedPair, transform: Transform | None, transforms: tuple[str, ...]
) -> None:
    ranks = {"the fixed image": pair.fixed.ndim, "the moving image": pair.moving.ndim}
    if transform is not None:
        ranks[" ".join(transforms)] = transform.ndim
    if len(set(ranks.values())) > 1:
        told = ", ".join(f"{name} is {rank}-d" for name, rank in ranks.items())
        raise InputError(f"a page needs images and a transform of one rank, but {told}")


def _fitting(moved: Image, pair: LoadedPair, path: Path) -> Image:
    if moved.ndim != pair.fixed.ndim or not moved.grid.same_as(pair.fixed.grid):
        raise InputError(
            f"{path}: must lie on the fixed image's grid, {pair.fixed.shape}, but its "
            f"shape is {moved.shape}, or it lies elsewhere; leave it out, and the "
            "transform makes it"
        )
    return pair.fixed.with_array(moved.array)


def _report(path: Path) -> dict[str, Any]:
    """A report's file, as far as it's one."""
    try:
        too_large = path.stat().st_size > _LARGEST_REPORT
        report = {} if too_large else json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        report = {}
    known = isinstance(report, dict) and "verdict" in report
    if not (known and can_be_told(report)):
        raise InputError(
            f"{path}: is no report of dlir-tf register --report; give one, or leave it "
            "out"
        )
    return report


def _tell(line: str) -> None:
    click.echo(line, err=True)
