"""Matrices of AFNI, FreeSurfer, FSL and NiftyReg; nitransforms judges where it is."""

import nibabel as nib
import numpy as np
import pytest
from itk_judge import random_frame, random_image

from dlir_tf.errors import InputError
from dlir_tf.images import Grid, Image, write_image
from dlir_tf.transforms import read_chain, read_transform
from dlir_tf.transforms.files.matrices import read_flirt


@pytest.fixture
def matrix(rng):
    found = np.eye(4)
    found[:3] += 0.2 * rng.normal(size=(3, 4))
    found[:3, 3] *= 50
    return found


def grids(rng, *, left_handed):
    """Those of two images, oblique, of either handedness, in the world."""
    made = []
    for shape, spacing in (
        ((9, 11, 7), (1.0, 1.3, 2.5)),
        ((8, 7, 13), (2.0, 0.8, 1.1)),
    ):
        affine = random_frame(rng, spacing, [10, -20, 30], shape)
        if (np.linalg.det(affine) < 0) != left_handed:
            affine = affine @ np.diag([-1.0, 1, 1, 1])
        made.append(Grid(shape, affine))
        left_handed = not left_handed
    return made


def write(path, rows, form="%.17g"):
    np.savetxt(path, rows, fmt=form)


def mapped(name, points):
    return read_chain([str(name)]).map_points(points)


def apply(matrix, points):
    return points @ matrix[:3, :3].T + matrix[:3, 3]


def test_afni_counts_in_the_world_of_dicom(rng, tmp_path, matrix):
    """From fixed (base) to moving points."""
    path = tmp_path / "reg.aff12.1D"
    path.write_text("# 3dAllineate matrices (DICOM-to-DICOM, row-by-row):\n")
    with path.open("a") as stream:
        stream.write(" ".join(map(repr, map(float, matrix[:3].ravel()))) + "\n")
    points, lps = rng.uniform(-50, 50, (20, 3)), np.array([-1, -1, 1])
    expected = apply(matrix, points * lps) * lps
    with pytest.warns(UserWarning, match="if one of the two is oblique"):
        found = mapped(path, points)
    np.testing.assert_allclose(found, expected, atol=1e-9)


def test_niftyreg_counts_in_the_world_of_nifti(rng, tmp_path, matrix):
    write(tmp_path / "aladin.txt", matrix)
    points = rng.uniform(-50, 50, (20, 3))
    name = f"[{tmp_path}/aladin.txt,0,niftyreg]"
    np.testing.assert_allclose(mapped(name, points), apply(matrix, points), atol=1e-9)
    name = f"[{tmp_path}/aladin.txt,1,niftyreg]"
    back = mapped(name, apply(matrix, points))
    np.testing.assert_allclose(back, points, atol=1e-9)


@pytest.mark.parametrize("left_handed", [False, True])
def test_flirt_counts_from_the_corner_on_the_left(rng, tmp_path, matrix, left_handed):
    """By its definition: voxels, their size, and a flip of what isn't radiological."""
    fixed, moving = grids(rng, left_handed=left_handed)
    write(tmp_path / "flirt.mat", matrix)
    voxels = rng.uniform(0, 1, (20, 3)) * (np.array(moving.shape) - 1)

    def to_fsl(grid, places):
        places = np.array(places)
        if np.linalg.det(grid.affine) > 0:
            places[:, 0] = grid.shape[0] - 1 - places[:, 0]
        return places * grid.spacing

    there = apply(matrix, to_fsl(moving, voxels)) / fixed.spacing
    if np.linalg.det(fixed.affine) > 0:
        there[:, 0] = fixed.shape[0] - 1 - there[:, 0]
    transform = read_flirt(tmp_path / "flirt.mat", fixed, moving)
    back = transform.map_points(fixed.to_world(there))
    np.testing.assert_allclose(back, moving.to_world(voxels), atol=1e-8)


def test_flirt_in_a_chain_names_its_images(rng, tmp_path, matrix, monkeypatch):
    monkeypatch.chdir(tmp_path)
    fixed, moving = grids(rng, left_handed=False)
    write("flirt.mat", matrix)
    for name, grid in (("f.nii", fixed), ("m.nii", moving)):
        write_image(name, random_image(rng, grid.shape, grid.affine))
    points = rng.uniform(-50, 50, (20, 3))
    expected = read_flirt(tmp_path / "flirt.mat", fixed, moving).map_points(points)
    found = mapped("[flirt.mat,0,f.nii,m.nii]", points)
    np.testing.assert_allclose(found, expected, atol=1e-3)
    there = mapped("[flirt.mat,1,f.nii,m.nii]", found)
    np.testing.assert_allclose(there, points, atol=1e-3)


def lta(kind, matrix, source, target):
    def geometry(name, grid):
        directions = grid.affine[:3, :3] / grid.spacing
        rows = [f"{name} volume info", "valid = 1  # volume info valid"]
        rows += ["filename = a.mgz", "volume = " + " ".join(map(str, grid.shape))]
        rows += ["voxelsize = " + " ".join(map(repr, map(float, grid.spacing)))]
        middle = grid.to_world(np.array(grid.shape) / 2)
        columns = dict(zip(("xras", "yras", "zras"), directions.T, strict=True))
        for key, values in {**columns, "cras": middle}.items():
            rows.append(f"{key}   = " + " ".join(map(repr, map(float, values))))
        return rows

    rows = ["# transform file reg.lta", "# created by somebody", f"type      = {kind}"]
    rows += ["nxforms   = 1", "mean      = 0.0 0.0 0.0", "sigma     = 1.0", "1 4 4"]
    rows += [" ".join(map(repr, map(float, row))) for row in matrix]
    rows += [*geometry("src", source), *geometry("dst", target), "subject fsaverage"]
    return "\n".join([*rows, "fscale 0.15", ""])


@pytest.mark.parametrize("kind", [0, 1])
def test_freesurfer_goes_from_the_source_to_the_destination(
    rng, tmp_path, matrix, kind
):
    target, source = grids(rng, left_handed=True)
    (tmp_path / "reg.lta").write_text(lta(kind, matrix, source, target))
    points = rng.uniform(-30, 30, (20, 3))
    if kind == 1:
        there = apply(matrix, points)
    else:
        there = target.to_world(apply(matrix, source.to_voxels(points)))
    back = read_transform(tmp_path / "reg.lta").map_points(there)
    np.testing.assert_allclose(back, points, atol=1e-6)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("kind", ["afni", "fsl", "fs"])
@pytest.mark.parametrize("left_handed", [False, True])
def test_nitransforms_reads_the_same(rng, tmp_path, matrix, kind, left_handed):
    linear = pytest.importorskip(
        "nitransforms.linear", reason="nitransforms isn't installed"
    )
    fixed, moving = grids(rng, left_handed=left_handed)
    if kind == "afni":  # what it makes of oblique images, its file doesn't say
        fixed, moving = (
            Grid(g.shape, np.diag([*g.spacing, 1])) for g in (fixed, moving)
        )
    images = [nib.Nifti1Image(np.zeros(g.shape), g.affine) for g in (fixed, moving)]
    points = rng.uniform(-40, 40, (20, 3))
    name = {"afni": "r.aff12.1D", "fsl": "r.mat", "fs": "r.lta"}[kind]
    path = tmp_path / name
    if kind == "afni":
        path.write_text(" ".join(map(repr, map(float, matrix[:3].ravel()))) + "\n")
        ours = read_transform(path)
    elif kind == "fsl":
        write(path, matrix)
        ours = read_flirt(path, fixed, moving)
    else:
        path.write_text(lta(1, matrix, moving, fixed))
        ours = read_transform(path)
    theirs = linear.Affine.from_filename(
        path, fmt=kind, reference=images[0], moving=images[1]
    )
    expected = theirs.map(points)
    np.testing.assert_allclose(ours.map_points(points), expected, atol=1e-4)


NOWHERE = "src volume info\nvalid = 0\ndst volume info\nvalid = 0\n"
BROKEN = "1 0 0 0\n0 1 0 0\n0 0 0 0\n0 0 0 1\n"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.aff12.1D", "1 2 3\n", "must hold 3 x 4 finite numbers where there are 3"),
        (
            "a.aff12.1D",
            2 * (12 * "1 " + "\n"),
            "matrix of one volume, but holds 2 rows",
        ),
        ("a.aff12.1D", 12 * "0 ", "can't be used"),
        ("a.lta", "type = 1\n1 4 4\n1 0 0 x\n", "must hold 4 x 4 finite numbers"),
        ("a.lta", "type = 14\n" + BROKEN, "its type must be 0 .* or 1 .*, but is 14"),
        ("a.lta", "type = 1\n" + BROKEN, "must describe its two images .* cut short"),
        ("a.lta", "type = 1\n" + BROKEN + NOWHERE, "can't be used"),
        ("a.lta", "type = 0\n" + BROKEN + NOWHERE, "its src volume info isn't valid"),
        ("a.lta", "type = 1\nnxforms = 2\n" + 2 * BROKEN, "4 x 4|holds 2"),
        ("a.lta", "\udcff", "short text"),
        ("a.txt", BROKEN, r"doesn't say whose; give one of FSL .*niftyreg"),
        ("a.mat", BROKEN, r"doesn't say whose; give one of FSL .*niftyreg"),
    ],
)
def test_what_cannot_be_used_is_said(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(InputError, match=rf"{name}: .*({message})"):
        read_transform(tmp_path / name)


def test_images_of_a_matrix_must_be_there_and_3d(tmp_path, monkeypatch, matrix, rng):
    monkeypatch.chdir(tmp_path)
    write("m.mat", matrix)
    write_image("flat.nii", Image(np.ones((4, 5)), np.eye(3)))
    with pytest.raises(InputError, match=r"no such file: no\.nii"):
        read_chain(["[m.mat,0,no.nii,flat.nii]"])
    with pytest.raises(InputError, match=r"m\.mat: the two images .* must be 3-d"):
        read_chain(["[m.mat,0,flat.nii,flat.nii]"])
    with pytest.raises(InputError, match="must be given as"):
        read_chain(["[m.mat,0,flat.nii]"])
