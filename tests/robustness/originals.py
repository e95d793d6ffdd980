"""One good file of every format that is read, small, for the mutator to damage."""

import shutil
import tempfile
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import dicom_files
import meshes
import nibabel as nib
import numpy as np
import SimpleITK as sitk
import tifffile
from PIL import Image as Pillow

from dlir_tf.config import load_config
from dlir_tf.images import Image, write_displacement, write_frames, write_image
from dlir_tf.models.litert_file import Card, pack
from dlir_tf.transforms import (
    Affine,
    BSpline,
    DenseField,
    Inverse,
    Transform,
    write_transform,
)

SHAPE = (9, 7, 6)


@dataclass(frozen=True)
class Original:
    """Files that are read together.

    Attributes:
        name: What is given to the reader: a file, or `.` for the folder.
        kind: How it is read: one of the readers of `guard.py`.
        files: All files, by name.
        sealed: From where on a changed byte can always be told, by the names of files.
    """

    name: str
    kind: str
    files: dict[str, bytes]
    sealed: dict[str, int]


def _image():
    rng = np.random.default_rng(5)
    array = np.cumsum(rng.integers(-9, 10, SHAPE), axis=0).astype(np.int16)
    affine = np.diag([1.5, 0.8, 4.0, 1.0])
    affine[:3, 3] = [-31.0, 12.5, 70.0]
    return Image(array, affine)


def _labels():
    array = (np.indices(SHAPE).sum(axis=0) // 5).astype(np.uint8)
    return Image(array, _image().affine)


def _plane():
    return Image(_image().array[:, :, 0], np.diag([1.5, 0.8, 1.0]))


def _transform():
    rng = np.random.default_rng(6)
    matrix = np.eye(4)
    matrix[:3] += 0.05 * rng.normal(size=(3, 4))
    lattice = np.diag([20.0, 20.0, 20.0, 1.0])
    lattice[:3, 3] = -40
    spline = BSpline(rng.normal(size=(5, 5, 5, 3)), lattice)
    return Transform((spline, Affine(matrix)))


def _ddf():
    return np.random.default_rng(7).normal(size=(*SHAPE, 3)).astype(np.float32)


def _nibabel(kind, path):
    nib.save(kind(_image().array, _image().affine), path)


def _scaled(path):
    image = nib.Nifti1Image(_image().array * 0.37 + 1, _image().affine)
    image.set_data_dtype(np.int16)
    nib.save(image, path)


def _series(path):
    image = np.stack([_image().array] * 4, axis=-1)
    nib.save(nib.Nifti1Image(image, _image().affine), path)


def _itk(path, *, compressed):
    image = sitk.GetImageFromArray(np.ascontiguousarray(_image().array.T))
    image.SetSpacing((1.5, 0.8, 4.0))
    sitk.WriteImage(image, str(path), compressed)


def _field(path):
    if path.name.endswith((".nii", ".nii.gz")):
        write_displacement(path, _ddf(), _image().grid)
    else:
        write_transform(path, Transform((DenseField(_ddf(), _image().affine),)))


def _dicom(folder):
    writer = sitk.ImageFileWriter()
    writer.SetImageIO("GDCMImageIO")
    writer.KeepOriginalImageUIDOn()
    for k in range(3):
        plane = sitk.GetImageFromArray(np.ascontiguousarray(_image().array[:, :, k].T))
        tags = {
            "0008|0060": "MR",
            "0008|0018": f"1.2.826.0.1.3680043.2.1125.{k + 1}",
            "0020|000e": "1.2.826.0.1.3680043.2.1125.99",
            "0020|0032": f"0\\0\\{4 * k}",
            "0020|0037": "1\\0\\0\\0\\1\\0",
            "0020|0013": str(k),
        }
        for key, value in tags.items():
            plane.SetMetaData(key, value)
        writer.SetFileName(str(folder / f"s{k}.dcm"))
        writer.Execute(plane)


def _frames(path):
    dicom_files.save(dicom_files.enhanced(dicom_files.volume((7, 6, 4))), path)


def _mosaic(path):
    voxels = dicom_files.volume((7, 6, 4))
    dicom_files.save(dicom_files.mosaic(voxels, dicom_files.axes()[:, 2]), path)


def _picture(path, dtype, channels):
    rng = np.random.default_rng(8)
    array = rng.integers(0, np.iinfo(dtype).max, (19, 17, channels)).astype(dtype)
    several = array if channels > 1 else None
    place = np.diag([-0.5, -0.25, 1.0])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # JPEG changes values
        write_image(path, Image(array[..., 0], place, channels=several))


def _palette(path):
    _picture(path, np.uint8, 3)
    Pillow.open(path).quantize(16).save(path, dpi=(50, 50))


def _stains(path):
    array = np.random.default_rng(9).integers(0, 60_000, (5, 17, 19)).astype(np.uint16)
    place = {"axes": "CYX", "PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5}
    tifffile.imwrite(path, array, metadata=place, compression="zlib")


MARKUPS = """{"markups": [{"type": "Fiducial", "coordinateSystem": "LPS",
 "coordinateUnits": "mm", "controlPoints": [
 {"id": "1", "label": "F-1", "position": [1.0, 2.0, 3.5], "positionStatus": "defined"},
 {"id": "2", "label": "F-2", "position": [4.0, 5.0, -6], "positionStatus": "defined"}
]}]}
"""
FCSV = """# Markups fiducial file version = 4.11
# CoordinateSystem = LPS
# columns = id,x,y,z,ow,ox,oy,oz,vis,sel,lock,label,desc,associatedNodeID
1,-12,30,41,0,0,0,1,1,1,0,F-1,,
2,-13,31,42,0,0,0,1,1,1,0,F-2,,
"""
_WRITERS: list[tuple[str, str, Callable[[Path], None]]] = [
    ("a.nii", "image", lambda p: write_image(p, _image())),
    ("a.nii.gz", "image", lambda p: write_image(p, _image())),
    ("two.nii", "image", lambda p: _nibabel(nib.Nifti2Image, p)),
    ("scaled.nii.gz", "image", _scaled),
    ("pair.img", "image", lambda p: _nibabel(nib.Nifti1Pair, p)),
    ("spm.hdr", "image", lambda p: _nibabel(nib.Spm99AnalyzeImage, p)),
    ("a.mgh", "image", lambda p: _nibabel(nib.MGHImage, p)),
    ("a.mgz", "image", lambda p: _nibabel(nib.MGHImage, p)),
    ("raw.mha", "image", lambda p: _itk(p, compressed=False)),
    ("packed.mha", "image", lambda p: _itk(p, compressed=True)),
    ("a.mhd", "image", lambda p: _itk(p, compressed=True)),
    ("raw.nrrd", "image", lambda p: _itk(p, compressed=False)),
    ("packed.nrrd", "image", lambda p: _itk(p, compressed=True)),
    ("a.nhdr", "image", lambda p: _itk(p, compressed=True)),
    (".", "image", _dicom),
    ("frames.dcm", "image", _frames),
    ("mosaic.dcm", "image", _mosaic),
    ("labels.nii.gz", "labels", lambda p: write_image(p, _labels())),
    ("labels.seg.nrrd", "labels", lambda p: write_image(p, _labels())),
    ("time.nii", "frames", _series),
    ("time.nrrd", "frames", lambda p: write_frames(p, [_image()] * 3, time_step=2.0)),
    ("plane.mha", "image", lambda p: write_image(p, _plane())),
    ("grey.png", "image", lambda p: _picture(p, np.uint8, 1)),
    ("colours.png", "image", lambda p: _picture(p, np.uint8, 3)),
    ("wide.png", "image", lambda p: _picture(p, np.uint16, 4)),
    ("palette.png", "image", _palette),
    ("grey.tif", "image", lambda p: _picture(p, np.uint16, 1)),
    ("colours.tif", "image", lambda p: _picture(p, np.uint8, 3)),
    ("wide.tif", "image", lambda p: _picture(p, np.uint16, 3)),
    ("photo.jpg", "image", lambda p: _picture(p, np.uint8, 3)),
    ("stains.ome.tif", "frames", _stains),
    ("colours.nii.gz", "image", lambda p: _picture(p, np.uint8, 3)),
    ("field.nii", "transform", _field),
    ("field.nii.gz", "transform", _field),
    ("field.nrrd", "transform", _field),
    ("field.mha", "transform", _field),
    ("t.npz", "transform", lambda p: write_transform(p, _inverted())),
    ("t.h5", "transform", lambda p: write_transform(p, _transform())),
    ("field.h5", "transform", _field),
    ("field.txt", "transform", _field),
    ("t.tfm", "transform", lambda p: write_transform(p, _transform())),
    ("t0GenericAffine.mat", "transform", lambda p: write_transform(p, _affine())),
    ("p.csv", "points", lambda p: _text(p, "x,y,z,name\n1,2,3,a\n4,5,6.5,b\n")),
    ("p.mrk.json", "points", lambda p: _text(p, MARKUPS)),
    ("p.fcsv", "points", lambda p: _text(p, FCSV)),
    ("text.vtk", "points", lambda p: p.write_bytes(meshes.VTK_TEXT_51)),
    ("binary.vtk", "points", lambda p: p.write_bytes(meshes.VTK_BINARY_51)),
    ("text.ply", "points", lambda p: p.write_bytes(meshes.ply())),
    ("binary.ply", "points", lambda p: p.write_bytes(meshes.ply(">"))),
    ("text.stl", "points", lambda p: p.write_bytes(meshes.stl(binary=False))),
    ("binary.stl", "points", lambda p: p.write_bytes(meshes.stl(binary=True))),
    ("m.tflite", "model", lambda p: _model(p)),
    ("c.yaml", "config", lambda p: _text(p, _config())),
]
_SEALED_ENDINGS = (".gz", ".mgz", ".zraw", ".npz", ".tflite")


def _affine():
    return Transform(_transform().components[1:])


def _inverted():
    spline, affine = _transform().components
    return Transform((affine, Inverse(spline), spline))


def _text(path, text):
    path.write_text(text, encoding="utf-8")


def _config():
    return (
        "description: quick\nndim: 3\nspacing: [1.5, 1.5, null]\naxes: slices_last\n"
        "similarity: {kind: ncc}\nstages:\n- {transform: bspline, downsample: [2, 2, 1]"
        ", control_point_spacing: [16, 16, 2], bending_energy: 0.1}\n"
    )


def _model(path):
    card = Card(load_config("demo"), (16, 32, 8), "int8", {"seed": 3})
    path.write_bytes(pack(bytes(range(256)) * 3, card))


def _header_length(raw):
    """Where the packed voxels of a MetaImage or NRRD file begin."""
    end = b"LOCAL\n" if raw.startswith(b"Obj") else b"\n\n"
    return raw.index(end) + len(end)


def make_originals():
    """Writes every format once, and keeps the bytes."""
    originals = []
    for name, kind, write in _WRITERS:
        folder = Path(tempfile.mkdtemp(prefix="original-"))
        try:
            write(folder / name)
            files = {path.name: path.read_bytes() for path in folder.iterdir()}
        finally:
            shutil.rmtree(folder)
        sealed = {
            each: _header_length(raw) if each.startswith("packed") else 0
            for each, raw in files.items()
            if each.startswith("packed") or each.endswith(_SEALED_ENDINGS)
        }
        originals.append(Original(name, kind, files, sealed))
    return originals
