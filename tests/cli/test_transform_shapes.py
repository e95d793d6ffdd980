"""`dlir-tf transform` moves the vertices of surfaces and streamlines, and no more."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from itk_judge import itk_map
from transform_desk import T, landmarks, refused, transform


def surface(points, rng, meta=None):
    triangles = rng.integers(0, len(points), (11, 3)).astype(np.int32)
    curvature = rng.normal(size=len(points)).astype(np.float32)
    vertices = nib.gifti.GiftiDataArray(
        points.astype(np.float32),
        "NIFTI_INTENT_POINTSET",
        meta=nib.gifti.GiftiMetaData({"AnatomicalStructurePrimary": "CortexLeft"}),
    )
    arrays = [
        vertices,
        nib.gifti.GiftiDataArray(triangles, "NIFTI_INTENT_TRIANGLE"),
        nib.gifti.GiftiDataArray(curvature, "NIFTI_INTENT_SHAPE"),
    ]
    image = nib.gifti.GiftiImage(darrays=arrays)
    image.meta.update({"UserName": "somebody", **(meta or {})})
    return image


def streamlines(desk, points, rng, kind):
    lines = [points[:3], points[3:4], points[4:]]
    data = {"per_line": {}, "per_point": {}}
    header = None
    if kind == "trk":
        data["per_line"] = {"weight": rng.normal(size=(3, 1)).astype(np.float32)}
        values = [rng.normal(size=(len(s), 1)).astype(np.float32) for s in lines]
        data["per_point"] = {"fa": values}
        header = {
            "voxel_to_rasmm": desk.fixed.affine.astype(np.float32),
            "dimensions": desk.fixed.shape,
            "voxel_sizes": desk.fixed.spacing,
        }
    tractogram = nib.streamlines.Tractogram(
        [s.astype(np.float32) for s in lines],
        data["per_line"],
        data["per_point"],
        affine_to_rasmm=np.eye(4),
    )
    nib.streamlines.save(tractogram, f"p.{kind}", header=header)


def test_the_vertices_of_a_surface_are_moved_and_nothing_else(desk3, capsys, rng):
    points = landmarks(desk3, rng, desk3.fixed).astype(np.float32).astype(float)
    nib.save(surface(points, rng), "p.surf.gii")
    out, err = transform(capsys, "--points", "p.surf.gii", *T, "--output", "m.surf.gii")
    assert (out, err) == (["m.surf.gii"], [])
    before, after = nib.load("p.surf.gii"), nib.load("m.surf.gii")
    mapped = after.agg_data("pointset")
    expected = itk_map(desk3.parameters.itk(), points)
    np.testing.assert_allclose(mapped, expected, atol=1e-4)
    assert np.linalg.norm(mapped - points, axis=1).min() > 3
    for kind in ("triangle", "shape"):
        np.testing.assert_array_equal(after.agg_data(kind), before.agg_data(kind))
    assert after.meta == before.meta
    assert [a.meta for a in after.darrays] == [a.meta for a in before.darrays]
    back = ("--inverse", "--output", "b.surf.gii")
    transform(capsys, "--points", "m.surf.gii", *T, *back)
    again = nib.load("b.surf.gii").agg_data("pointset")
    np.testing.assert_allclose(again, points, atol=1e-3)


def test_normals_of_a_surface_are_left_out_with_a_word(desk3, capsys, rng):
    points = landmarks(desk3, rng, desk3.fixed)
    image = surface(points, rng)
    normals = np.tile(np.float32([0, 0, 1]), (len(points), 1))
    image.add_gifti_data_array(nib.gifti.GiftiDataArray(normals, "NIFTI_INTENT_VECTOR"))
    nib.save(image, "p.surf.gii")
    _, (line,) = transform(
        capsys, "--points", "p.surf.gii", *T, "--output", "m.surf.gii"
    )
    assert line.startswith("p.surf.gii: vectors of vertices (normals) are left out")
    after = nib.load("m.surf.gii")
    assert [array.intent for array in after.darrays] == [1008, 1009, 2005]


@pytest.mark.parametrize("kind", ["trk", "tck"])
def test_streamlines_are_moved_and_keep_what_they_carry(desk3, capsys, rng, kind):
    points = landmarks(desk3, rng, desk3.fixed)
    streamlines(desk3, points, rng, kind)
    out, err = transform(capsys, "--points", f"p.{kind}", *T, "--output", f"m.{kind}")
    assert (out, err) == ([f"m.{kind}"], [])
    before, after = (nib.streamlines.load(f"{name}.{kind}") for name in "pm")
    assert [len(line) for line in after.streamlines] == [3, 1, 3]
    mapped = np.concatenate(list(after.streamlines))
    expected = itk_map(desk3.parameters.itk(), points)
    np.testing.assert_allclose(mapped, expected, atol=1e-4)
    if kind == "trk":
        np.testing.assert_array_equal(
            after.header["voxel_to_rasmm"], before.header["voxel_to_rasmm"]
        )
        for name in ("data_per_streamline", "data_per_point"):
            ours, theirs = (getattr(f.tractogram, name) for f in (after, before))
            assert set(ours) == set(theirs)
            for key, values in theirs.items():
                for one, other in zip(ours[key], values, strict=True):
                    np.testing.assert_allclose(one, other, rtol=1e-6)


def test_what_cannot_be_carried_is_one_sentence(desk3, capsys, rng):
    points = landmarks(desk3, rng, desk3.fixed)
    nib.save(surface(points, rng, {"VolGeomC_R": "5.5"}), "fs.gii")
    nib.save(nib.gifti.GiftiImage(), "none.gii")
    nib.save(surface(np.full((7, 3), np.nan), rng), "nan.gii")
    nib.save(surface(points, rng), "good.gii")
    whole = Path("good.gii").read_bytes()
    Path("cut.gii").write_bytes(whole[: len(whole) // 2])
    for kind in ("trk", "tck"):
        streamlines(desk3, points, rng, kind)
        raw = Path(f"p.{kind}").read_bytes()
        Path(f"cut.{kind}").write_bytes(raw[:-20])
        Path(f"no.{kind}").write_bytes(b"no streamlines")
    for name, message in (
        ("fs.gii", "count from the middle of FreeSurfer's volume, at 5.5, 0, 0"),
        ("none.gii", "must have one set of vertices"),
        ("nan.gii", "has points that aren't finite"),
        ("cut.gii", "can't be read as a surface"),
        ("cut.trk", "cut.trk: "),
        ("cut.tck", "cut.tck: "),
        ("no.trk", "can't be read as lines"),
        ("no.tck", "can't be read as lines"),
        ("absent.gii", "no such file: absent.gii"),
    ):
        output = f"out/m{Path(name).suffix}"
        line = refused(capsys, desk3, "--points", name, *T, "--output", output)
        assert message in line
    given = ("--points", "good.gii", *T)
    line = refused(capsys, desk3, *given, "--output", "out/m.csv")
    assert "expected a name that ends in .gii" in line
    line = refused(capsys, desk3, *given, "--space", "LPS", "--output", "out/m.gii")
    assert "surfaces and streamlines state their own world" in line
