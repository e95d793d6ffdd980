"""`dlir-tf convert`."""

from typing import Any

import click

from dlir_tf.cli.options import FILE, Command, form_option, header_options


@click.command("convert", cls=Command)
@click.argument("transforms", nargs=-1, required=True, metavar="FILE|[FILE,1]...")
@click.option(
    "--output",
    type=FILE,
    required=True,
    metavar="FILE",
    help="Where the transform goes: .h5 or .tfm for ITK and Slicer, "
    "PREFIX0GenericAffine.mat for ANTs (with PREFIX1Warp.nii.gz), .nii.gz, .mha or "
    ".nrrd as a displacement field, .npz, exact and small, .lta for FreeSurfer, "
    ".aff12.1D for AFNI or TransformParameters.*.txt for elastix.",
)
@form_option("Whose file it is, where its name doesn't say so: ")
@click.option(
    "--reference",
    type=FILE,
    metavar="IMAGE",
    help="The image on whose grid a displacement field lies: most often the fixed one, "
    "with --inverse the moving one. By default the grid of the first displacement "
    "field of the input, if it begins with one. For FLIRT, FreeSurfer and elastix: the "
    "fixed image.",
)
@click.option(
    "--moving",
    type=FILE,
    metavar="IMAGE",
    help="The moving image, for the forms that are between two images: FLIRT's and "
    "FreeSurfer's. With --inverse the two change places.",
)
@click.option(
    "--inverse", is_flag=True, help="Write the inverse of all of them together."
)
@header_options
def command(**options: Any) -> None:
    """Compose transforms, and write them in another form.

    Several are composed in the order of antsApplyTransforms: the last one is applied
    to the image first, so a point goes through the first one first. [FILE,1] is the
    inverse of a file. The name of the output says its form; where that can't hold the
    transform exactly, the largest error is said on stderr, in mm.

    Example:
    dlir-tf convert transform.h5 --reference fixed.nii.gz --output field.nii.gz

    Example:
    dlir-tf convert affine.tfm --reference fixed.nii.gz --moving moving.nii.gz \
    --form flirt --output flirt.mat

    Example:
    dlir-tf convert to_template.h5 "[other_to_template.h5,1]" --output chain.npz
    """
    from dlir_tf.cli.work.convert import run

    run(**options)
