"""Which file formats there are, by the ends of file names, and who reads them.

NIfTI, Analyze, MGH and the rest of nibabel's formats are read by nibabel; MetaImage,
NRRD and folders of DICOM files by SimpleITK; pictures (PNG, TIFF, JPEG) by Pillow.

Analyze files don't say where left is. By Mayo's definition of the format, and for
nibabel, the first axis runs from right to left and the second one from posterior to
anterior; nibabel also applies the origin and the `.mat` file that SPM adds. ITK calls
both axes opposite and drops the origin, so nibabel reads Analyze, with a warning, and
nobody writes it: the place of the image would be lost.
"""

from pathlib import Path

from dlir_tf.errors import InputError

NIFTI_SUFFIXES = (".nii.gz", ".nii")
ITK_SUFFIXES = (".mha", ".mhd", ".nrrd", ".nhdr")
PICTURE_SUFFIXES = (".png", ".tif", ".tiff", ".jpg", ".jpeg")
# What holds images of any kind and their place; a picture is 2-d and has no place.
WRITABLE_SUFFIXES = NIFTI_SUFFIXES + ITK_SUFFIXES
IMAGE_SUFFIXES = WRITABLE_SUFFIXES + PICTURE_SUFFIXES


def suffix_of(path: Path, suffixes: tuple[str, ...]) -> str | None:
    """The one of `suffixes`, written small, that a name ends with; or `None`."""
    return next((end for end in suffixes if path.name.lower().endswith(end)), None)


def writable_suffix(path: Path, suffixes: tuple[str, ...] = WRITABLE_SUFFIXES) -> str:
    """The format that the name of a file to write asks for.

    Raises:
        InputError: If it is none of `suffixes`.
    """
    suffix = next((end for end in suffixes if path.name.endswith(end)), None)
    if suffix is not None:
        return suffix
    names = ", ".join(suffixes[:-1]) + " or " + suffixes[-1]
    if suffix_of(path, (".img", ".hdr")):
        raise InputError(
            "Analyze files can't say where an image lies, so none are written; choose "
            f"a name that ends with {names}",
            place=path,
        )
    raise InputError(f"the name of a file to write must end with {names}", place=path)
