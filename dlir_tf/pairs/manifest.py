"""A manifest: the CSV file that lists pairs of images."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path

from dlir_tf.errors import InputError, counted, first_few
from dlir_tf.files.csv_rows import hint_of_commas, rows_of
from dlir_tf.files.plain import what_is_wrong
from dlir_tf.pairs.on_disk import is_there
from dlir_tf.pairs.repeats import warn_of_repeats

_PAIR_COLUMNS = ("fixed", "moving")
MASK_COLUMNS = ("fixed_mask", "moving_mask")
_OPTIONAL_COLUMNS = (
    "fixed_labels",
    "moving_labels",
    "fixed_points",
    "moving_points",
    *MASK_COLUMNS,
)
_IMAGE_COLUMNS = ("image", "labels", "points", "mask")
# What a line is called, in either kind of manifest; no file.
_ID = "id"

# All pairs of 500 images. Every pair is read and checked before the work begins, which
# takes hours for so many; listing them takes 2 s and 60 MB.
MAX_PAIRS = 250_000


@dataclass(frozen=True)
class Pair:
    """The files of one pair.

    Attributes:
        fixed: Image file, or folder of a DICOM series.
        moving: Likewise.
        place: Manifest and line, for messages.
        fixed_labels: Label file, or none.
        moving_labels: Label file, or none.
        fixed_points: Landmark file, or none.
        moving_points: Landmark file, or none.
        fixed_mask: Mask file, or none: all voxels of the image count.
        moving_mask: Likewise.
        id: What the pair is called, if the manifest says so; no other has the same.
    """

    fixed: Path
    moving: Path
    place: str
    fixed_labels: Path | None = None
    moving_labels: Path | None = None
    fixed_points: Path | None = None
    moving_points: Path | None = None
    fixed_mask: Path | None = None
    moving_mask: Path | None = None
    id: str | None = None

    @property
    def files(self) -> tuple[Path, ...]:
        """All files of the pair."""
        optional = (getattr(self, name) for name in _OPTIONAL_COLUMNS)
        return (self.fixed, self.moving, *(path for path in optional if path))


def read_manifest(path: Path) -> list[Pair]:
    """Reads a manifest and checks that all its files exist; warns of repeated ones.

    Args:
        path: A CSV file with a header line. Either one pair a line, in the columns
            `fixed` and `moving` and optionally `fixed_labels` and `moving_labels`,
            `fixed_points` and `moving_points`, `fixed_mask`, `moving_mask`; or one
            image a line, in `image` and optionally `labels`, `points` and `mask`,
            which stands for all ordered pairs of these images. Labels and points
            come for both images or neither, masks as they like. A column `id` says
            what a line is called; of two images, `FIXED-MOVING` is the pair's. Paths
            are relative to the manifest's folder. At most `MAX_PAIRS` pairs.

    Raises:
        InputError: If something is wrong with it; the first faulty lines are named.
    """
    path = Path(path)
    columns, rows = _read_rows(path)
    by_image = "image" in columns
    _check_number(path, len(rows), by_image)
    required = ("image",) if by_image else _PAIR_COLUMNS
    problems = [*_missing_files(rows, required), *_ids_at_fault(rows)]
    problems += _lonely_images(rows) if by_image else _one_sided_pairs(rows)
    if problems:
        raise InputError(first_few(problems, path))
    if by_image:
        pairs = list(_all_ordered_pairs(path, rows))
    else:
        pairs = [
            Pair(place=row.place, id=row.id, **row.files)  # type: ignore[arg-type]
            for row in rows
        ]
    warn_of_repeats(path, pairs)
    return pairs


@dataclass(frozen=True)
class _Row:
    """A line of a manifest, with a path or none for each of its columns of files."""

    line: int
    place: str
    files: dict[str, Path | None]
    id: str | None


def _read_rows(path: Path) -> tuple[list[str], list[_Row]]:
    wrong = what_is_wrong(path)
    if wrong and path.exists():
        raise InputError(
            f"{path}: can't be read as a manifest of pairs: it {wrong}; give a CSV file"
        )
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            lines = [(n, [v.strip() for v in row]) for n, row in rows_of(stream)]
    except OSError as error:
        raise InputError(
            f"{path}: can't be read as a manifest of pairs: {error.strerror}"
        ) from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(
            f"{path}: isn't a CSV file: {error}; save it as text with commas, in "
            "UTF-8, each quote closed on its line"
        ) from error
    columns = lines[0][1] if lines else []
    _check_columns(path, columns)
    if len(lines) < 2:
        raise InputError(f"{path}: has no pairs, only the line with the columns")
    return columns, [_row(path, number, columns, row) for number, row in lines[1:]]


def _check_columns(path: Path, columns: list[str]) -> None:
    by_image = "image" in columns
    for name in ("image",) if by_image else _PAIR_COLUMNS:
        if name not in columns:
            raise InputError(
                f"{path}: the column {name!r} is missing; the first line must name "
                f"fixed,moving (or image){hint_of_commas(columns)}. Received: "
                f"{','.join(columns) or 'nothing'}"
            )
    known = _IMAGE_COLUMNS if by_image else (*_PAIR_COLUMNS, *_OPTIONAL_COLUMNS)
    known = (*known, _ID)
    for name in columns:
        if name not in known:
            raise InputError(
                f"{path}: unknown column {name!r}; beside {known[0]!r} these are "
                f"known: {', '.join(known[1:])}"
            )
        if columns.count(name) > 1:
            raise InputError(f"{path}: the column {name!r} is there twice")


def _row(path: Path, line: int, columns: list[str], values: list[str]) -> _Row:
    if len(values) > len(columns):
        raise InputError(
            f"{path}, line {line}: has {len(values)} values for "
            f"{counted(len(columns), 'column', 'columns')}; "
            "a path with a comma in it needs quotes around it"
        )
    values = values + [""] * (len(columns) - len(values))
    cells = dict(zip(columns, values, strict=True))
    name = cells.pop(_ID, None)
    files = {key: path.parent / cell if cell else None for key, cell in cells.items()}
    return _Row(line, f"{path}, line {line}", files, name)


def _check_number(path: Path, num_rows: int, by_image: bool) -> None:
    """Refuses more pairs than anybody waits for."""
    num_pairs = num_rows * (num_rows - 1) if by_image else num_rows
    if num_pairs <= MAX_PAIRS:
        return
    found, cure = f"{num_pairs} pairs", "split it"
    if by_image:
        found = f"{num_rows} images, which make {num_pairs} ordered pairs"
        cure = "list the pairs that you want, one a line, in the columns fixed,moving"
    raise InputError(
        f"{path}: a manifest may have {MAX_PAIRS} pairs, but this one has {found}; "
        f"{cure}"
    )


def _missing_files(rows: list[_Row], required: tuple[str, ...]) -> Iterator[str]:
    for row in rows:
        for name, file in row.files.items():
            if file is None and name in required:
                yield f"{row.place}: the column {name!r} is empty"
            elif file is not None and not is_there(file):
                yield (
                    f"{row.place}: no such file: {file} (paths are relative to the "
                    "folder of the manifest)"
                )


def _ids_at_fault(rows: list[_Row]) -> Iterator[str]:
    first: dict[str, _Row] = {}
    for row in rows:
        if row.id is None:
            continue
        if not row.id:
            yield f"{row.place}: the column 'id' is empty; give every line a name"
        elif (other := first.setdefault(row.id, row)) is not row:
            yield (
                f"{row.place}: has the id {row.id!r}, as line {other.line} has; give "
                "every line a name of its own"
            )


def _one_sided_pairs(rows: list[_Row]) -> Iterator[str]:
    for row in rows:
        for kind in ("labels", "points"):
            given = [row.files.get(f"{side}_{kind}") for side in _PAIR_COLUMNS]
            if (given[0] is None) != (given[1] is None):
                yield (
                    f"{row.place}: {kind} are given for only one of the two images; "
                    "give both or neither"
                )


def _lonely_images(rows: list[_Row]) -> Iterator[str]:
    if len(rows) < 2:
        yield f"{rows[0].place}: one image makes no pair; list at least two"
    for kind in ("labels", "points"):
        without = [row for row in rows if row.files.get(kind) is None]
        if len(without) < len(rows):
            for row in without:
                yield (
                    f"{row.place}: {kind} are missing, which other images have; give "
                    "them for all images or for none"
                )


def _all_ordered_pairs(path: Path, rows: list[_Row]) -> Iterator[Pair]:
    for fixed, moving in permutations(rows, 2):
        sides = {"fixed": fixed.files, "moving": moving.files}
        optional = {
            f"{side}_{kind}": files.get(kind)
            for side, files in sides.items()
            for kind in ("labels", "points", "mask")
        }
        yield Pair(
            fixed=fixed.files["image"],  # type: ignore[arg-type]
            moving=moving.files["image"],  # type: ignore[arg-type]
            place=f"{path}, lines {fixed.line} and {moving.line}",
            id=None if fixed.id is None else f"{fixed.id}-{moving.id}",
            **optional,
        )
