"""Lungs that breathe by a known motion, in the files of DIR-Lab and as DICOM."""

import dataclasses

import numpy as np
import SimpleITK as sitk
from dirlab_files.datasets import COPDGENE, FOUR_D_CT, Layout

LAYOUTS = {
    "case1": Layout((26, 30, 14), (2.1, 1.9, 4.5)),
    "case2": Layout((28, 24, 16), (1.8, 2.2, 5.0)),
}
# From the fixed image's world to the moving one's, RAS+ mm: the lungs' base goes up.
MOTION = np.array(
    [
        [1.04, 0.02, 0.0, -1.5],
        [0.0, 0.97, 0.03, 1.0],
        [0.02, 0.0, 0.88, 2.5],
        [0.0, 0.0, 0.0, 1.0],
    ]
)
# Stored outside the scanner's field.
PADDING = -2000
# Folders and letters as they are met: `{}` is the phase.
_PACK_1, _PACK_2 = "Case1Pack", "Case2Pack/Case2Pack"
_NAMES = {
    FOUR_D_CT.key: {
        "case1": (
            f"{_PACK_1}/Images/case1_{{}}_s.img",
            f"{_PACK_1}/ExtremePhases/Case1_300_{{}}_xyz.txt",
        ),
        "case2": (
            f"{_PACK_2}/Images/case2_{{}}-ssm.img",
            f"{_PACK_2}/extremePhases/case2_dirLab300_{{}}_xyz.txt",
        ),
    },
    COPDGENE.key: {
        "copd1": ("copd1/copd1/copd1_{}CT.img", "copd1/copd1/copd1_300_{}_xyz_r1.txt"),
    },
}


def small(data):
    """A set whose cases are as small as ours."""
    numbers = {name[4:]: layout for name, layout in LAYOUTS.items()}
    layouts = {name: numbers[name[4:]] for name in data.layouts if name[4:] in numbers}
    return dataclasses.replace(data, layouts=layouts)


def _hounsfield(points):
    """Smooth lungs and vessels at points `(..., 3)` of the fixed image's world."""
    waves = np.array([[0.11, 0.04, 0.05], [-0.05, 0.13, 0.06], [0.04, -0.07, 0.12]])
    value = np.sin(points @ waves.T + [0.3, 1.1, 2.0]).sum(axis=-1)
    return -600 + 150 * value


def _world(layout, voxels):
    """RAS+ mm of voxels counted from 0: columns go left, rows back, slices down."""
    return -np.asarray(voxels) * layout.spacing


def true_voxels(layout):
    """300 voxels of the fixed image and where they go to, not rounded; from 0."""
    rng = np.random.default_rng(3)
    fixed = np.stack([rng.integers(4, n - 4, 300) for n in layout.shape], axis=-1)
    moved = _world(layout, fixed) @ MOTION[:3, :3].T + MOTION[:3, 3]
    return fixed, -moved / layout.spacing


def landmarks(layout):
    """World points as the files say: those of the moving image on whole voxels."""
    fixed, moving = true_voxels(layout)
    return _world(layout, fixed), _world(layout, np.rint(moving))


def hounsfield_of(layout, phase):
    """The image of the first or the second phase."""
    points = _world(layout, np.moveaxis(np.indices(layout.shape), 0, -1))
    if phase == 1:
        back = np.linalg.inv(MOTION)
        points = points @ back[:3, :3].T + back[:3, 3]
    return np.rint(_hounsfield(points)).astype(np.int16)


def write_case(folder, data, name):
    """Writes the four files of a case as they are handed out; returns their paths."""
    layout, paths = small(data).layouts[name], []
    for index, phase in enumerate(data.phases):
        stored = hounsfield_of(layout, index) + 1024
        stored[0, 0] = PADDING
        voxels = np.rint(true_voxels(layout)[index]).astype(int) + 1
        image, points = (
            folder / pattern.format(phase) for pattern in _NAMES[data.key][name]
        )
        for path in (image, points):
            path.parent.mkdir(parents=True, exist_ok=True)
        # Slice by slice and row by row, from the first column on.
        image.write_bytes(stored.transpose(2, 1, 0).astype("<i2").tobytes())
        points.write_text("".join("\t".join(map(str, v)) + "\n" for v in voxels))
        paths += [image, points]
    return paths


def write_series(folder, layout, phase, description):
    """Writes a phase as a DICOM series, slices in no certain order of names."""
    folder.mkdir(parents=True)
    values = hounsfield_of(layout, phase)
    for k in range(layout.shape[2]):
        image = sitk.GetImageFromArray(np.ascontiguousarray(values[..., k].T)[None])
        image.SetSpacing((*layout.spacing[:2], 1.0))
        tags = {
            "0008|0060": "CT",
            "0008|103e": description,
            "0020|000e": f"1.2.{len(description)}.{sum(description.encode())}",
            "0020|0032": f"0\\0\\{-k * layout.spacing[2]:.8g}",
            "0020|0037": "1\\0\\0\\0\\1\\0",
        }
        for key, value in tags.items():
            image.SetMetaData(key, value)
        writer = sitk.ImageFileWriter()
        writer.SetImageIO("GDCMImageIO")
        writer.KeepOriginalImageUIDOn()
        writer.SetFileName(str(folder / f"{5 * k % layout.shape[2]:03}.dcm"))
        writer.Execute(image)
