"""`dlir-tf transform`."""

from typing import Any

import click

from dlir_tf.cli.options import FILE, Command, fill_value_option, header_options


@click.command("transform", cls=Command)
@click.argument("images", type=FILE, nargs=-1, metavar="[INPUT]...")
@click.option(
    "--points",
    type=FILE,
    multiple=True,
    metavar="FILE",
    help="Landmarks, in the place of images: a CSV file with the columns x,y,z (world "
    "mm) and any others, a file of 3D Slicer (.mrk.json, .fcsv), a surface (.gii, "
    ".vtk, .ply, .stl) or streamlines (.trk, .tck). Can be repeated.",
)
@click.option(
    "--transform",
    "transforms",
    multiple=True,
    required=True,
    metavar="FILE|[FILE,1]",
    help="The transform: one that dlir-tf register wrote, an ITK transform (.h5, "
    ".tfm), an ANTs pair (its 0GenericAffine.mat), a displacement field (.nii.gz), or "
    "one of elastix, FreeSurfer, AFNI or FSL (docs/transforms.md). "
    "[FILE,1] is its inverse. Can be repeated, in the order of antsApplyTransforms: "
    "the last one is applied to the image first, and every file counts by itself.",
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
    help="Go the other way, through all transforms: images of the fixed world to the "
    "moving one, landmarks of the moving image to the fixed one.",
)
@click.option(
    "--interpolation",
    type=click.Choice(["linear", "nearest", "cubic", "label"]),
    help="For all inputs; by default linear, but nearest for labels, which are "
    "recognised by their values and names. label is for labels alone, with smooth "
    "borders: of thick slices, about half as many voxels are wrong.",
)
@fill_value_option
@click.option(
    "--space",
    type=click.Choice(["RAS", "LPS"]),
    help="World of CSV files, read and written: RAS by default, as NIfTI has it; ITK "
    "and ANTs use LPS. And of .vtk, .ply and .stl files that don't state it (SPACE=RAS "
    "in a header): LPS by default, as in 3D Slicer. Other files state theirs.",
)
@header_options
def command(**options: Any) -> None:
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

    Several transforms are given as to antsApplyTransforms: from the fixed image to the
    moving one, say through a template in between.

    Example: dlir-tf transform --points fixed_points.csv --transform transform.h5
    --output moving_points.csv
    """
    from dlir_tf.cli.work.transform import run

    run(**options)
