"""DICOM objects that are no images, by their storage class; these are refused by name.

Classes: https://dicom.nema.org/medical/dicom/current/output/chtml/part04/sect_B.5.html
"""

from pathlib import Path

from dlir_tf.errors import InputError
from dlir_tf.images.headers.dicom_values import open_values

_STORED = "1.2.840.10008.5.1.4.1.1."

# By the beginning of what follows `_STORED`: what it is, and how to go on.
_OBJECTS = {
    "66.4": (
        "a segmentation (SEG)",
        "convert it to .seg.nrrd or NIfTI (3D Slicer, or segimage2itkimage of dcmqi)",
    ),
    "66.7": ("a label map (SEG)", "convert it to .seg.nrrd or NIfTI (3D Slicer)"),
    "66.5": ("a surface segmentation", "save its surface as .vtk or .ply (3D Slicer)"),
    "66.1": ("a spatial registration", "save it as an ITK transform (3D Slicer)"),
    "66.2": ("a set of fiducials", "save its points as CSV or .mrk.json"),
    "66.3": ("a deformable registration", "save it as a displacement field"),
    "66.6": ("a set of tracts", "save them as .trk or .tck"),
    "66": ("raw data", "give the images that were made from it"),
    "67": ("a mapping of values", "give the images that it belongs to"),
    "481.2": (
        "a radiotherapy dose (RTDOSE)",
        "convert it to NRRD (3D Slicer)",
    ),
    "481.3": (
        "a set of contours (RTSTRUCT)",
        "convert it to labels in NIfTI or NRRD (3D Slicer, plastimatch)",
    ),
    "481.1": ("a radiotherapy image (RTIMAGE)", "give a series of slices"),
    "481.": ("a radiotherapy plan or record", "give the images that it belongs to"),
    "88.": ("a report (SR)", "give the images that it is about"),
    "104.": ("a document", "give a series of images"),
    "11.": ("a presentation state", "give the images that it presents"),
    "9.": ("a recording of curves", "give a series of images"),
}
_DIRECTORY = "1.2.840.10008.1.3.10"


def storage_of(path: Path) -> str:
    """The storage class that a file states, before its elements or among them.

    Raises:
        ValueError: If the file isn't whole.
        OSError: If it can't be read.
    """
    with path.open("rb") as stream:
        start = stream.read(2048)
    _, _, rest = start.partition(b"\x02\x00\x02\x00UI")
    stated = rest[2 : 2 + int.from_bytes(rest[:2], "little")].decode("latin-1")
    if stated:
        return stated.strip("\0 ")
    with open_values(path) as values:
        return values.text((0x0008, 0x0016))


def named_object(storage: str) -> tuple[str, str] | None:
    """What a storage class that holds no images is, and how to go on; else `None`."""
    if storage == _DIRECTORY:
        return "a directory (DICOMDIR)", "give the folder of a series that it lists"
    if not storage.startswith(_STORED):
        return None
    kind = storage.removeprefix(_STORED)
    for beginning, said in _OBJECTS.items():
        exact = not beginning.endswith(".")
        if kind == beginning or (kind.startswith(beginning) and not exact):
            return said
    return None


def refusal(place: object, said: tuple[str, str]) -> InputError:
    """The error of an object that is no image."""
    what, cure = said
    return InputError(f"holds {what} of DICOM, which is no image; {cure}", place=place)
