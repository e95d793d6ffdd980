"""`dlir-tf track`."""

from typing import Any

import click

from dlir_tf.cli.options import (
    FILE,
    Command,
    channel_option,
    fill_value_option,
    header_options,
    initial_alignment_option,
    modality_option,
    optional_model_option,
)
from dlir_tf.cli.refinement import refinement_options

# What the work takes together.
_GROUPS = {
    "headers": ("spacing_source", "orientation_source"),
    "known": ("labels", "points", "labels_frame", "strain", "interpolation"),
}


@click.command("track", cls=Command)
@click.argument("files", type=FILE, nargs=-1, required=True, metavar="SERIES...")
@click.option(
    "--output",
    type=FILE,
    required=True,
    metavar="FOLDER",
    help="A new folder for all results. If this was interrupted, the same command goes "
    "on with the frames that are done.",
)
@click.option(
    "--reference",
    default="0",
    show_default=True,
    metavar="N|mean",
    help="The frame that all are registered to, counted from 0; or their mean over "
    "time, which is made twice.",
)
@click.option(
    "--periodic",
    is_flag=True,
    help="The first frame follows the last one, as in a cine of a heartbeat.",
)
@click.option(
    "--smooth",
    type=float,
    metavar="FRAMES",
    help="Smooth the paths of all points in time: of what comes and goes in so many "
    "frames half is left, of what is quicker less.  [default: as they were found]",
)
@optional_model_option
@refinement_options
@modality_option
@initial_alignment_option
@click.option(
    "--stiffness",
    type=float,
    default=1.0,
    show_default=True,
    help="What the smoothness in space of a refinement's stages is multiplied by.",
)
@click.option(
    "--mask",
    type=FILE,
    help="Mask of the reference frame: only voxels that aren't 0 count in a refinement "
    "and when stages are judged.",
)
@click.option(
    "--labels",
    type=FILE,
    help="Labels of one frame, to be carried to all; volumes, ejection fractions and a "
    "plot come with them.",
)
@click.option(
    "--points",
    type=FILE,
    help="Landmarks in one frame, to be followed through all: a CSV file (x,y,z in "
    "world mm, RAS), markups of 3D Slicer, a surface or streamlines.",
)
@click.option(
    "--labels-frame",
    type=int,
    metavar="N",
    help="The frame that --labels and --points are of, counted from 0.  "
    "[default: the reference]",
)
@click.option(
    "--strain",
    type=int,
    metavar="LABEL",
    help="The number of the myocardium's label in --labels: write its radial and "
    "circumferential strain (Green-Lagrange) in all frames.",
)
@click.option(
    "--interpolation",
    type=click.Choice(["label", "nearest"]),
    default="label",
    show_default=True,
    help="Of labels: label makes smooth borders, as in dlir-tf transform.",
)
@click.option(
    "--format",
    "transform_suffix",
    type=click.Choice([".npz", ".h5", ".tfm", ".nii.gz"]),
    default=".npz",
    show_default=True,
    help="Of the transforms and their inverses: .npz is exact and small, .h5 and .tfm "
    "are for ITK and Slicer, .nii.gz is a displacement field.",
)
@click.option(
    "--page",
    type=FILE,
    help="A page to look at the result: all frames with a slider, labels, deformation "
    "and curves, in one .html file for any browser.",
)
@click.option(
    "--all-stages",
    is_flag=True,
    help="Keep stages that make a frame less like the reference, too.",
)
@fill_value_option
@channel_option
@header_options
def command(**options: Any) -> None:
    """Register all frames of a series, and follow labels and landmarks through them.

    SERIES is one series in time (3-d+t, or 2-d+t with a third axis of length 1): a
    NIfTI or NRRD file, or a folder with a DICOM series of several phases; or its
    frames in their order, each in a file or a DICOM folder of its own.

    Into the folder come the series without its motion (corrected), a transform and
    its inverse for every frame (from points of the reference to points of the frame),
    and how each frame went (frames.csv). With --labels: labels in all frames, their
    volumes with a plot, and ejection fractions. With --points: the landmarks in all
    frames, and how far they move. With --strain: the strain of the heart's muscle.

    The model is loaded once. A frame whose neighbour's answer suits it better than
    what is found from rest starts from that. Without --model and --preset, settings
    are chosen by the images, once for all frames.

    Example:
    dlir-tf track cine.nii.gz --periodic --model cardiac-cine
    --labels end_diastole.nii.gz --output tracked
    """
    from dlir_tf.cli.work.track import run

    grouped = {
        group: {name: options.pop(name) for name in names}
        for group, names in _GROUPS.items()
    }
    run(**(options | grouped))
