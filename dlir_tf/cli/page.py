"""`dlir-tf page`."""

from typing import Any

import click

from dlir_tf.cli.options import FILE, Command, header_options


@click.command("page", cls=Command)
@click.argument("folder", type=FILE, required=False)
@click.option("--fixed", type=FILE, help="The fixed image.")
@click.option("--moving", type=FILE, help="The moving image.")
@click.option(
    "--transform",
    "transforms",
    multiple=True,
    metavar="FILE|[FILE,1]",
    help="The transform, ours or of another program, as dlir-tf transform takes it; "
    "can be repeated.",
)
@click.option(
    "--moved",
    type=FILE,
    help="The moving image on the fixed image's grid, as it was written; by default "
    "the transform makes it.",
)
@click.option("--fixed-labels", type=FILE, help="Labels of the fixed image.")
@click.option("--moving-labels", type=FILE, help="Labels of the moving image.")
@click.option("--fixed-points", type=FILE, help="Landmarks of the fixed image.")
@click.option("--moving-points", type=FILE, help="The landmarks that belong to them.")
@click.option("--report", type=FILE, help="What dlir-tf register --report wrote.")
@click.option("--title", help="The headline.  [default: the names of the images]")
@click.option(
    "--output",
    type=FILE,
    help="The page, .html.  [default: page.html in FOLDER]",
)
@header_options
def command(**options: Any) -> None:
    """Make a page to look at a registration: one file, for any browser.

    It holds the images, side by side with linked cross-hairs, blended, swiped, as a
    checkerboard and as a difference; the deformation, labels and landmarks; and what
    the report says. It needs no network and no other file.

    FOLDER holds what belongs to one pair, by these names: fixed, moving, moved,
    transform (or displacement), fixed_labels, moving_labels, fixed_points,
    moving_points and report, each with the ending of its format. Options say where
    else a file is.

    FOLDER may also be one that dlir-tf track wrote: its page has a slider over the
    frames, and curves of volumes. The series itself is read from where it was;
    --moving says where it is now.

    Example: dlir-tf page --fixed fixed.nii.gz --moving moving.nii.gz
    --transform transform.h5 --output result.html
    """
    from dlir_tf.cli.work.page import run

    run(**options)
