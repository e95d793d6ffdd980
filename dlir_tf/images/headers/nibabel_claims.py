"""Whether the voxels that a header read by nibabel claims are there.

nibabel takes memory for all voxels that a header claims before it reads the first. So
the size of the file is compared first, and what packs tightly is unpacked once in small
pieces.
"""

import bz2
import gzip
import math
import zlib
from pathlib import Path

import nibabel as nib
from nibabel.filebasedimages import SerializableImage
from nibabel.freesurfer.mghformat import MGHHeader
from nibabel.spatialimages import SpatialImage

from dlir_tf.errors import InputError
from dlir_tf.files.plain import what_is_wrong
from dlir_tf.images.headers.hdf5 import check_dataset
from dlir_tf.images.headers.voxels import MOST_PACKED, check_raw, padding_of

# Files that belong together, by the ends of their names; SPM adds the third.
_PARTNERS = (
    (".img", ".hdr", ".mat"),
    (".img.gz", ".hdr.gz", ".mat"),
    (".head", ".brik"),
    (".par", ".rec"),
)
_LARGEST_MATRIX_FILE = 100_000
# Up to here nobody minds, and images seldom pack so well.
_HARMLESS, _USUAL_PACKING = 1 << 26, 20
_SHORTEST_FOOTER = 64
_PIECE = 1 << 20


def check_partners(path: Path) -> None:
    """Looks at the files that a format keeps beside each other before one is opened.

    Raises:
        ValueError: If one of them is a pipe or the like, or no matrix of SPM's.
    """
    for endings in _PARTNERS:
        end = next((e for e in endings if path.name.lower().endswith(e)), None)
        if end is None:
            continue
        stem = path.name[: -len(end)]
        for other in (path.with_name(stem + e) for e in endings):
            if not other.exists() and not other.is_symlink():
                continue
            wrong = what_is_wrong(other)
            if wrong:
                raise ValueError(f"{other.name} beside it {wrong}")
            is_matrix = other.suffix == ".mat"
            if is_matrix and other.stat().st_size > _LARGEST_MATRIX_FILE:
                raise ValueError(f"{other.name} beside it is no matrix of SPM's")


def check_claims(path: Path, image: SpatialImage) -> None:
    """Compares the voxels that a header claims with the bytes that are there.

    Args:
        path: The file.
        image: As nibabel loads it, its voxels not yet read.

    Raises:
        InputError: If sizes of what isn't packed don't match, or voxels start where
            the header is.
        ValueError: If there are fewer bytes than it claims, whatever packs them.
    """
    if path.name.lower().endswith(".mnc"):
        _check_minc(path)
    proxy = image.dataobj
    name = getattr(proxy, "file_like", None)
    if not isinstance(name, str | Path):
        return
    _check_start(path, image)
    data, claimed = Path(name), _claimed(image)
    wrong = what_is_wrong(data)
    if wrong:
        raise ValueError(f"{data.name}, which has its voxels, {wrong}")
    packed = data.suffix.lower() in (".gz", ".mgz", ".bz2")
    streamed = isinstance(image, SerializableImage)
    start, size = int(getattr(proxy, "offset", 0)), data.stat().st_size
    if not packed:
        spare = _most_after(image)
        if size - start > claimed + spare:
            raise ValueError(_too_much(claimed))
        check_raw(path, min(size - start, claimed), claimed)
    elif not streamed or claimed > max(_HARMLESS, _USUAL_PACKING * size):
        # What isn't read as a stream is read no farther than the voxels go.
        _check_packed(data, start + claimed)


def _check_start(path: Path, image: SpatialImage) -> None:
    """Refuses voxels that start within the header before them.

    nibabel and ITK take the header's bytes for voxels then; others start at 348 or 352
    instead, and which of them was meant, nobody can tell.
    """
    header, start = image.header, int(getattr(image.dataobj, "offset", 0))
    if not (isinstance(header, nib.Nifti1Header) and header.is_single):
        return
    if start < header.single_vox_offset:
        raise InputError(
            f"its voxels must start at byte {header.single_vox_offset} or later, but "
            f"its header says {start} (vox_offset), which is within the header itself; "
            "write it again by a program that fills that in",
            place=path,
        )


def _claimed(image: SpatialImage) -> int:
    """How many bytes of voxels the header claims."""
    return math.prod(image.shape) * int(image.get_data_dtype().itemsize)


def check_end(image: SpatialImage, stream: gzip.GzipFile) -> None:
    """Reads to the end, where gzip compares its checksum; little may follow.

    Raises:
        ValueError: If so much follows the voxels that there must be more of them.
    """
    spare, found = _most_after(image), 0
    while piece := stream.read(_PIECE):
        found += len(piece)
        if found > spare:
            raise ValueError(_too_much(_claimed(image)))


def _most_after(image: SpatialImage) -> int:
    """How many bytes may follow the voxels."""
    claimed, longest = _claimed(image), max(image.shape, default=1)
    if isinstance(image.header, nib.AnalyzeHeader):
        return padding_of(claimed, longest)
    if isinstance(image.header, MGHHeader):  # FreeSurfer adds what it did to the image
        return max(_SHORTEST_FOOTER, claimed // longest - 1)
    return _HARMLESS


def _too_much(claimed: int) -> str:
    return f"more follows than the {claimed} bytes of voxels claimed"


def _check_packed(data: Path, needed: int) -> None:
    opened = bz2.open if data.suffix.lower() == ".bz2" else gzip.open
    if opened is gzip.open and needed > MOST_PACKED * data.stat().st_size:
        raise ValueError(f"{needed} bytes claimed, more than it can hold")
    found = 0
    with opened(data) as stream:
        while found < needed + _HARMLESS:
            try:
                piece = len(stream.read(_PIECE))
            except (EOFError, zlib.error, OSError) as error:
                raise ValueError(f"{error} after {found} bytes") from error
            if not piece:
                break
            found += piece
    if found < needed:
        raise ValueError(f"{needed} bytes claimed, but {found} packed")


def _check_minc(path: Path) -> None:
    """MINC 2 is HDF5; its image may be anywhere, and of any size."""
    import h5py  # type: ignore[import-untyped]

    if h5py.is_hdf5(path):
        with h5py.File(path, "r") as file:
            check_dataset(file, "minc-2.0/image/0/image")
