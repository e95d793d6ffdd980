"""The options of `dlir-tf register` that are for many pairs."""

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click

from dlir_tf.cli.options import FILE
from dlir_tf.errors import InputError

_OPTIONS = (
    click.option(
        "--pairs",
        type=FILE,
        metavar="CSV",
        help="Register all pairs of a manifest, instead of FIXED and MOVING: columns "
        "as for dlir-tf evaluate, and id if pairs have names. --output is a folder "
        "then, with one for each pair; options that name a file to be written name it "
        "within that folder, and none leaves a usual one out.",
    ),
    click.option(
        "--jobs",
        type=click.IntRange(min=1),
        metavar="N",
        help="With --pairs: how many processes share the work.  [default: 1]",
    ),
    click.option(
        "--scheduler",
        metavar="ADDRESS|FILE",
        help="With --pairs: have the workers of a Dask cluster do the work; its "
        "scheduler's address, tcp://HOST:PORT, or the file that it wrote it to.",
    ),
    click.option(
        "--workers-timeout",
        type=click.FloatRange(min=0),
        metavar="SECONDS",
        help="How long workers of that cluster are waited for.  [default: 300]",
    ),
    click.option(
        "--bids",
        is_flag=True,
        default=None,
        help="With --pairs: make FOLDER a BIDS derivative, whose files are named after "
        "those of the manifest, which need names of BIDS: sub-01_ses-1_T1w.nii.gz. Of "
        "a name that another option gives a file, its ending counts.",
    ),
    click.option(
        "--go-by",
        type=click.Choice(["labels", "points"]),
        multiple=True,
        help="With --pairs: let refinements go by the manifest's labels or landmarks, "
        "as with --fixed-labels and --fixed-points. What they go by judges them no "
        "more. Can be given twice.",
    ),
    click.option(
        "--moved",
        type=FILE,
        metavar="NAME",
        help="With --pairs: of every moved image.  [default: moved.nii.gz]",
    ),
    click.option(
        "--moved-mask",
        type=FILE,
        metavar="NAME",
        help="With --pairs: of every moved mask.  [default: moved_mask.nii.gz]",
    ),
    click.option(
        "--mapped-points",
        type=FILE,
        metavar="NAME",
        help="With --pairs: of every fixed image's landmarks, carried into the moving "
        "image's world.  [default: mapped_points.csv, or as their file ends]",
    ),
    click.option(
        "--thumbnail",
        type=FILE,
        metavar="NAME",
        help="With --pairs: of every pair's small picture, which index.html shows.  "
        "[default: thumbnail.png]",
    ),
)

_NAMES = (
    *("pairs", "jobs", "scheduler", "workers_timeout", "bids", "go_by"),
    *("moved", "moved_mask", "mapped_points", "thumbnail"),
)


def cohort_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds `--pairs` and what belongs to it, as one argument `cohort`."""

    @wraps(command)
    def grouped(**options: Any) -> Any:
        cohort = {name: options.pop(name) for name in _NAMES}
        return command(cohort=cohort, **options)

    for option in reversed(_OPTIONS):
        grouped = option(grouped)
    return grouped


def check_one_pair(
    fixed: Path | None, moving: Path | None, cohort: dict[str, Any]
) -> None:
    """Refuses what isn't about one pair of images.

    Raises:
        click.UsageError: If there are no two images.
        InputError: If an option is for many pairs.
    """
    for name, image in (("FIXED", fixed), ("MOVING", moving)):
        if image is None:
            raise click.UsageError(
                f"Missing argument '{name}'; give two images, or --pairs CSV."
            )
    for name, value in cohort.items():
        if value not in (None, ()):
            raise InputError(
                f"--{name.replace('_', '-')}: is for --pairs, which isn't given"
            )


def check_many_pairs(fixed: Path | None, inputs: dict[str, Path | None]) -> None:
    """Refuses what is about one pair of images alone.

    Args:
        fixed: The first argument.
        inputs: Options that name a file of one pair, by their names.

    Raises:
        InputError: If one is given.
    """
    if fixed is not None:
        raise InputError(
            f"{fixed}: FIXED and MOVING can't be given with --pairs, whose manifest "
            "lists them; leave them out, or --pairs"
        )
    for name, path in inputs.items():
        if path is not None:
            raise InputError(
                f"--{name.replace('_', '-')}: can't be given with --pairs, whose "
                "manifest has a column for such files; leave it out"
            )
