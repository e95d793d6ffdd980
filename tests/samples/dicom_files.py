"""DICOM files as scanners write them, made with pydicom, which the package has not."""

import struct
from functools import partial

import numpy as np
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

SPACING = (1.5, 0.8, 4.0)
ENHANCED_MR = "1.2.840.10008.5.1.4.1.1.4.1"
MR = "1.2.840.10008.5.1.4.1.1.4"
make_uid = partial(generate_uid, prefix="1.2.826.0.1.3680043.2.1125.")


def axes():
    """Directions of i, j and their normal in LPS, oblique, in columns."""
    a, b = 0.4, -0.3
    turn = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
    tilt = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    return turn @ tilt


def positions(count):
    """LPS positions of the first voxel of every slice."""
    step = axes()[:, 2] * SPACING[2]
    return np.array([-31.0, 12.5, 70.0]) + np.arange(count)[:, None] * step


def affine():
    """Voxel to world, RAS+ mm, of slices at `positions`."""
    matrix = np.eye(4)
    matrix[:3, :3] = axes() * SPACING
    matrix[:3, 3] = positions(1)[0]
    return np.diag([-1, -1, 1, 1]) @ matrix


def volume(shape, seed=0):
    return np.random.default_rng(seed).integers(0, 900, shape).astype(np.int16)


def dataset(array, storage=MR, syntax=ExplicitVRLittleEndian, **values):
    """A file of frames `(i, j)` or `(i, j, frames)`, with what else it says."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = storage
    meta.MediaStorageSOPInstanceUID = make_uid()
    meta.TransferSyntaxUID = syntax
    made = FileDataset(None, {}, file_meta=meta, preamble=bytes(128))
    made.SOPClassUID, made.SOPInstanceUID = storage, meta.MediaStorageSOPInstanceUID
    made.Modality, made.SeriesInstanceUID, made.StudyInstanceUID = "MR", "1.2.3", "1.2"
    made.SeriesDescription, made.SeriesNumber = "T1", 4
    made.SamplesPerPixel, made.PhotometricInterpretation = 1, "MONOCHROME2"
    made.Columns, made.Rows = array.shape[:2]
    made.BitsAllocated = made.BitsStored = 8 * array.dtype.itemsize
    made.HighBit = made.BitsStored - 1
    made.PixelRepresentation = int(array.dtype.kind == "i")
    if array.ndim == 3:
        made.NumberOfFrames = array.shape[2]
    made.PixelData = array.T.tobytes()
    for name, value in values.items():
        setattr(made, name, value)
    return made


def save(made, path):
    made.save_as(path, enforce_file_format=True)


def place(made, position, spacing=SPACING):
    """States where the slice of a file lies."""
    made.ImagePositionPatient = [f"{x:.6f}" for x in position]
    made.ImageOrientationPatient = [f"{x:.8f}" for x in axes().T[:2].ravel()]
    made.PixelSpacing = [str(spacing[1]), str(spacing[0])]
    made.SliceThickness = str(spacing[2])
    return made


def save_slices(folder, voxels, say=lambda k, t: {}, **values):
    """A series in one file a slice, of a volume or, with four axes, of several."""
    folder.mkdir(exist_ok=True)
    series = voxels if voxels.ndim == 4 else voxels[..., None]
    number = len(list(folder.iterdir()))
    for t in range(series.shape[3]):
        for k, position in enumerate(positions(series.shape[2])):
            number += 1
            said = {**values, **say(k, t)}
            made = place(dataset(series[:, :, k, t], **said), position)
            save(made, folder / f"IM{number:04}.dcm")
    return folder


def item(**values):
    made = Dataset()
    for name, value in values.items():
        setattr(made, name, value)
    return made


def group(**values):
    """A sequence of one item."""
    return Sequence([item(**values)])


def enhanced(voxels, say=lambda k, t: {}, scale=lambda k, t: None, order=None):
    """A file with all slices of a volume, or of several, as frames.

    Args:
        voxels: `(i, j, k)` or `(i, j, k, t)`.
        say: Further groups of the frame of slice `k` at time `t`.
        scale: Its slope and intercept, or none.
        order: Of the frames, as pairs of `k` and `t`.
    """
    series = voxels if voxels.ndim == 4 else voxels[..., None]
    places = positions(series.shape[2])
    order = order or [
        (k, t) for t in range(series.shape[3]) for k in range(series.shape[2])
    ]
    made = dataset(np.stack([series[:, :, k, t] for k, t in order], -1), ENHANCED_MR)
    shared = item(
        PlaneOrientationSequence=group(
            ImageOrientationPatient=[f"{x:.8f}" for x in axes().T[:2].ravel()]
        ),
        PixelMeasuresSequence=group(
            PixelSpacing=[str(SPACING[1]), str(SPACING[0])],
            SliceThickness="2.5",
            SpacingBetweenSlices=str(SPACING[2]),
        ),
    )
    made.SharedFunctionalGroupsSequence = Sequence([shared])
    frames = []
    for k, t in order:
        where = group(ImagePositionPatient=[f"{x:.6f}" for x in places[k]])
        frame = item(PlanePositionSequence=where, **say(k, t))
        if scale(k, t) is not None:
            slope, intercept = map(str, scale(k, t))
            frame.PixelValueTransformationSequence = group(
                RescaleSlope=slope, RescaleIntercept=intercept, RescaleType="US"
            )
        frames.append(frame)
    made.PerFrameFunctionalGroupsSequence = Sequence(frames)
    return made


def csa_header(**tags):
    """Siemens' own header (CSA2): the numbers of each tag."""
    raw = b"SV10\4\3\2\1" + struct.pack("<2I", len(tags), 77)
    for name, numbers in tags.items():
        head = (name.encode(), len(numbers), b"FD", 0, 6, 77)
        raw += struct.pack("<64si4s3i", *head)
        texts = [f"{x:.8f}".encode() + b"\0" for x in numbers]
        for text in texts + [b""] * (6 - len(texts)):
            raw += struct.pack("<4i", len(text), len(text), 77, len(text))
            raw += text + bytes(-len(text) % 4)
    return raw


def mosaic(voxels, normal, with_csa=True, **values):
    """A volume `(i, j, k)` as tiles of one picture; it goes on along `normal`."""
    columns, rows, count = voxels.shape
    across = int(np.ceil(np.sqrt(count)))
    picture = np.zeros((across * columns, across * rows), voxels.dtype)
    for n in range(count):
        i, j = n % across * columns, n // across * rows
        picture[i : i + columns, j : j + rows] = voxels[..., n]
    made = dataset(picture, **values)
    made.ImageType = ["ORIGINAL", "PRIMARY", "M", "ND", "MOSAIC"]
    made.Manufacturer = "SIEMENS"
    inside = np.subtract(picture.shape, (columns, rows)) / 2
    corner = positions(1)[0] - axes()[:, :2] @ (inside * SPACING[:2])
    place(made, corner)
    made.SpacingBetweenSlices, made.RepetitionTime = str(SPACING[2]), "2000"
    if with_csa:
        csa = csa_header(NumberOfImagesInMosaic=[count], SliceNormalVector=normal)
        block = made.private_block(0x0029, "SIEMENS CSA HEADER", create=True)
        block.add_new(0x10, "OB", csa + bytes(len(csa) % 2))
    return made
