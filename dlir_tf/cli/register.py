"""`dlir-tf register`."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dlir_tf.cli.judgement import report_options, tell
from dlir_tf.cli.options import (
    FILE,
    Command,
    fill_value_option,
    header_options,
    initial_alignment_option,
    model_option,
)
from dlir_tf.cli.refinement import chosen_preset, refinement_options
from dlir_tf.cli.server import chosen_server, server_options

if TYPE_CHECKING:
    from dlir_tf.config import Config, InitialAlignment
    from dlir_tf.images import OrientationSource, SpacingSource
    from dlir_tf.images.background import FillValue
    from dlir_tf.registration import Registration
    from dlir_tf.serving import Server


@click.command("register", cls=Command)
@click.argument("fixed", type=FILE)
@click.argument("moving", type=FILE)
@click.option(
    "--output",
    "moved",
    type=FILE,
    required=True,
    metavar="MOVED",
    help="The moving image on the fixed image's grid (.nii.gz, .nii, .mha, .mhd, "
    ".nrrd, .nhdr).",
)
@model_option
@refinement_options
@server_options
@initial_alignment_option
@click.option(
    "--transform",
    type=FILE,
    help="Write the transform, from fixed to moving points: .h5 or .tfm for ITK and "
    "Slicer, PREFIX0GenericAffine.mat for ANTs (with PREFIX1Warp.nii.gz), .nii.gz as "
    "a displacement field, or .npz, exact and small.",
)
@click.option(
    "--inverse",
    type=FILE,
    help="Write the inverse transform, from moving to fixed points, as such a file.",
)
@click.option(
    "--displacement",
    type=FILE,
    help="Write the displacement field as an ITK vector image (LPS mm).",
)
@click.option(
    "--jacobian",
    type=FILE,
    help="Write the Jacobian determinant on the fixed grid: the local change of "
    "volume, at most 0 where the transform folds.",
)
@click.option("--labels", type=FILE, help="Labels of the moving image, to be moved.")
@click.option(
    "--moved-labels", type=FILE, help="Where the moved labels go (with --labels)."
)
@fill_value_option
@click.option("--figure", type=FILE, help="Write a picture of the result (.png).")
@report_options
@header_options
def command(
    fixed: Path,
    moving: Path,
    model: Path,
    refine: int | None,
    preset: str | None,
    server: str | None,
    model_name: str | None,
    timeout: float | None,
    ca_file: Path | None,
    token_file: Path | None,
    insecure: bool,
    initial_alignment: "InitialAlignment | None",
    labels: Path | None,
    fill_value: "FillValue | None",
    spacing_source: "SpacingSource",
    orientation_source: "OrientationSource",
    all_stages: bool,
    strict: bool,
    **written: Path,
) -> None:
    """Register a moving image to a fixed one.

    FIXED and MOVING are NIfTI, MetaImage, NRRD or Analyze files or folders of one
    DICOM series each; their grids may differ. The moved image comes back on the fixed
    image's grid, interpolated once, in the moving image's data type. Labels are moved
    by nearest neighbour. How exact transform files are is said on stderr, in mm.

    A stage of the model that makes the images less alike, or the transform fold, is
    left out. The verdict on the result is PASS, WARN (have a look) or FAIL (don't use
    it); unless it's PASS, its reasons are said on stderr.

    With --refine, the model's answer is improved for this pair; with --preset instead
    of --model, the pair is registered like that from nothing, without any training.

    With --server, both images are sent to a server that has the exported model; what
    is written is the same.

    Example:
    dlir-tf register fixed.nii.gz moving.nii.gz --output moved.nii.gz
    --transform transform.h5 --inverse inverse.npz
    """
    from dlir_tf.cli.outputs import Outputs
    from dlir_tf.cli.progress import StepProgress
    from dlir_tf.errors import InputError
    from dlir_tf.models.loading import check_model
    from dlir_tf.pairs.loading import load_pair
    from dlir_tf.pairs.manifest import Pair
    from dlir_tf.serving.failures import ServerError

    local = ("model", "preset", "initial_alignment")
    remote = chosen_server(
        server,
        local=local,
        model_name=model_name,
        timeout=timeout,
        ca_file=ca_file,
        token_file=token_file,
        insecure=insecure,
    )
    outputs = Outputs(**written)
    if (labels is None) != (outputs.moved_labels is None):
        raise InputError(
            "--labels and --moved-labels belong together: the first is read, the "
            "second is written"
        )
    outputs.check(inputs=(fixed, moving, labels))
    config = chosen_preset(preset)
    if remote is None and config is None:
        check_model(model)
    files = Pair(fixed, moving, place=f"{fixed} and {moving}", moving_labels=labels)
    pair = load_pair(
        files, spacing_source=spacing_source, orientation_source=orientation_source
    )

    if remote is None:
        register = _by_model(model, config, initial_alignment)
    else:
        register = _by_server(remote)
    try:
        with StepProgress() as progress:
            result = register(
                pair.fixed,
                pair.moving,
                refine=refine,
                fill_value="auto" if fill_value is None else fill_value,
                do_no_harm=not all_stages,
                on_progress=progress.stepped,
            )
    except ServerError:
        raise
    except InputError as error:  # it knows images, not their files
        raise error.within(files.place) from error
    for note in outputs.write(result, pair):
        click.echo(note, err=True)
    if fill_value in (None, "auto") and result.fill_value:
        click.echo(
            f"{moving}: what comes from outside it is {result.fill_value:g}, by its "
            "own background (--fill-value chooses another value)",
            err=True,
        )
    click.echo(outputs.moved)
    tell(result.report, strict=strict)


def _by_model(
    path: Path,
    config: "Config | None",
    initial_alignment: "InitialAlignment | None",
) -> "Callable[..., Registration]":
    """By a model, or by a config instead of it."""
    from dlir_tf.cli.quiet import load_keras, load_quietly
    from dlir_tf.registration import register

    if config is None:
        model = load_quietly(path)
    else:
        load_keras()
        model = None
    return partial(
        register, model=model, config=config, initial_alignment=initial_alignment
    )


def _by_server(server: "Server") -> "Callable[..., Registration]":
    from dlir_tf.serving import register_remotely

    return partial(register_remotely, server=server)
