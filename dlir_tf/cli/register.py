"""`dlir-tf register`."""

from typing import Any

import click

from dlir_tf.cli.cohort import check_many_pairs, check_one_pair, cohort_options
from dlir_tf.cli.judgement import report_options
from dlir_tf.cli.options import (
    FILE,
    Command,
    channel_option,
    fill_value_option,
    form_option,
    header_options,
    initial_alignment_option,
    initial_transform_options,
    modality_option,
    optional_model_option,
)
from dlir_tf.cli.refinement import knowledge_options, refinement_options
from dlir_tf.cli.server import server_options

# What the work takes together.
_GROUPS = {
    "masks": ("fixed_mask", "moving_mask"),
    "headers": ("spacing_source", "orientation_source", "channel"),
    "known": (
        *("fixed_points", "moving_points", "points_weight"),
        *("fixed_labels", "labels_weight", "stiffness"),
    ),
    "start": ("initial_transform", "initial_alignment", "without_initial"),
}

_FILES_OF_A_PAIR = ("fixed_points", "moving_points", "fixed_labels")


@click.command("register", cls=Command)
@click.argument("fixed", type=FILE, required=False)
@click.argument("moving", type=FILE, required=False)
@click.option(
    "--output",
    type=FILE,
    required=True,
    metavar="MOVED|FOLDER",
    help="The moving image on the fixed image's grid (.nii.gz, .nii, .mha, .mhd, "
    ".nrrd, .nhdr; 2-d also .png, .tif, .jpg); with --pairs, the folder of all "
    "results.",
)
@cohort_options
@optional_model_option
@refinement_options
@knowledge_options
@modality_option
@server_options
@initial_alignment_option
@initial_transform_options
@click.option(
    "--transform",
    type=FILE,
    help="Write the transform, from fixed to moving points: .h5 or .tfm for ITK and "
    "Slicer, PREFIX0GenericAffine.mat for ANTs (with PREFIX1Warp.nii.gz), .nii.gz as "
    "a displacement field, .npz, exact and small, or TransformParameters.*.txt for "
    "elastix; where nothing deforms, also .lta for FreeSurfer and .aff12.1D for AFNI.",
)
@click.option(
    "--inverse",
    type=FILE,
    help="Write the inverse transform, from moving to fixed points, as such a file.",
)
@form_option(
    "Whose files --transform and --inverse are, where their names don't say so: "
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
@click.option(
    "--labels",
    type=FILE,
    help="Labels of the moving image: to be moved (--moved-labels), or to go by "
    "(--fixed-labels).",
)
@click.option(
    "--moved-labels", type=FILE, help="Where the moved labels go (with --labels)."
)
@click.option(
    "--interpolation",
    type=click.Choice(["nearest", "label"]),
    default="nearest",
    show_default=True,
    help="Of moved labels: label makes smooth borders, as in dlir-tf transform.",
)
@click.option(
    "--fixed-mask",
    type=FILE,
    help="Mask of FIXED: only voxels that aren't 0 count when it's refined (or "
    "searched for a shift) and when stages are judged. On another grid, it's resampled "
    "(nearest neighbour), which is said.",
)
@click.option("--moving-mask", type=FILE, help="Likewise, of MOVING.")
@fill_value_option
@channel_option
@click.option("--figure", type=FILE, help="Write a picture of the result (.png).")
@click.option(
    "--page",
    type=FILE,
    help="Write a page to look at the result in any browser (.html): images, "
    "deformation, labels, landmarks and report in one file.",
)
@report_options
@header_options
def command(**options: Any) -> None:
    """Register a moving image to a fixed one.

    FIXED and MOVING are NIfTI, MetaImage, NRRD or Analyze files, pictures (PNG, TIFF,
    JPEG) or folders of a DICOM series each, FOLDER#N of several; their grids may
    differ. Colours are registered by their luminance (Rec. 601), and all of them move.
    The moved image comes back on the fixed image's grid, interpolated once, in the
    moving image's data type. Labels are moved by nearest neighbour or, with smooth
    borders, by --interpolation label. How exact transform files are is said on stderr,
    in mm.

    Without --model, --preset and --server, settings are chosen by the two images
    themselves; what was chosen, and why, is said on stderr and in the report.

    A stage of the model that makes the images less alike, or the transform fold, is
    left out. The verdict on the result is PASS, WARN (have a look) or FAIL (don't use
    it); unless it's PASS, its reasons are said on stderr.

    With --refine, the model's answer is improved for this pair; with --preset instead
    of --model, the pair is registered like that from nothing, without any training.

    Landmarks and labels of both images, if you have them, are gone by in a refinement:
    so a wrong valley of the similarity is left.

    Masks say what counts: the lung, say, which slides along ribs that would pull.

    With --pairs, all pairs of a manifest are registered, and summary.csv in FOLDER has
    a row for each. A pair that can't be registered doesn't stop the others; the exit
    code is 1 then. The same command goes on after an interruption, and does again only
    pairs whose files, settings or model have changed.

    With --server, both images are sent to a server that has the exported model; what
    is written is the same.

    Example:
    dlir-tf register fixed.nii.gz moving.nii.gz --output moved.nii.gz
    --transform transform.h5 --inverse inverse.npz

    Of many pairs:
    dlir-tf register --pairs pairs.csv --output registered
    """
    cohort, images = options.pop("cohort"), (options["fixed"], options["moving"])
    grouped = {
        group: {name: options.pop(name) for name in names}
        for group, names in _GROUPS.items()
    }
    if cohort["pairs"] is None:
        check_one_pair(*images, cohort)
    from dlir_tf.cli.work.register import run, run_all

    if cohort["pairs"] is None:
        run(moved=options.pop("output"), **(options | grouped))
        return
    known, masks = grouped.pop("known"), grouped.pop("masks")
    files = {name: known.pop(name) for name in _FILES_OF_A_PAIR if name in known}
    check_many_pairs(images[0], files | masks | {"labels": options["labels"]})
    for name in ("fixed", "moving", "labels"):
        del options[name]
    run_all(**cohort, **known, **(options | grouped))
