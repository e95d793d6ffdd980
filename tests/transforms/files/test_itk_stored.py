"""What ITK itself can't be trusted with: kinds without a class, sizes, other files."""

import resource
import struct

import h5py
import numpy as np
import pytest
import scipy.io
import SimpleITK as sitk
from itk_judge import itk_map

from dlir_tf.errors import InputError
from dlir_tf.transforms import Affine, BSpline, read_transform

BASE = "MatrixOffsetTransformBase"
POINTS = np.array([[10.0, 20.0, 30.0], [-5.0, 7.0, 3.0], [0.0, 0.0, 0.0]])
HEAD = "#Insight Transform File V1.0\n"


def _affine():
    affine = sitk.AffineTransform(3)
    affine.SetMatrix([1.1, 0.1, 0, 0, 0.9, 0.05, 0.02, 0, 1])
    affine.SetTranslation((3, -4, 5))
    affine.SetCenter((7, 8, 9))
    return affine


def _spline():
    spline = sitk.BSplineTransform(3, 3)
    spline.SetTransformDomainOrigin((-40, -40, -40))
    spline.SetTransformDomainPhysicalDimensions((80, 80, 80))
    numbers = np.random.default_rng(3).normal(0, 2, len(spline.GetParameters()))
    spline.SetParameters(numbers.tolist())
    return spline


def _based(path, *parts):
    """ITK's file of some transforms, the affine under the name of its base class."""
    composite = sitk.CompositeTransform(list(parts))
    sitk.WriteTransform(composite if len(parts) > 1 else parts[0], str(path))
    if path.suffix == ".tfm":
        path.write_text(path.read_text().replace("AffineTransform", BASE))
    elif path.suffix == ".h5":
        with h5py.File(path, "r+") as file:
            for group in file["TransformGroup"].values():
                kind = group["TransformType"].asstr()[0]
                group["TransformType"][0] = kind.replace("AffineTransform", BASE)
    else:
        numbers = np.array(parts[0].GetParameters())[:, None]
        fixed = np.array(parts[0].GetFixedParameters())[:, None]
        content = {f"{BASE}_double_3_3": numbers, "fixed": fixed}
        scipy.io.savemat(path, content, format="4")
    return path


@pytest.mark.parametrize("suffix", [".tfm", ".h5", ".mat"])
def test_the_base_class_of_affine_transforms_is_read(tmp_path, suffix):
    """ANTs and old ITK write it; SimpleITK shows it as a composite of itself."""
    transform = read_transform(_based(tmp_path / f"t{suffix}", _affine()))
    assert [type(part) for part in transform.components] == [Affine]
    np.testing.assert_allclose(
        transform.map_points(POINTS), itk_map(_affine(), POINTS), atol=1e-12
    )


@pytest.mark.parametrize("suffix", [".tfm", ".h5"])
def test_the_base_class_is_read_among_others(tmp_path, suffix):
    path = _based(tmp_path / f"t{suffix}", _affine(), _spline(), _affine())
    transform = read_transform(path)
    kinds = [type(part) for part in transform.components]
    assert kinds == [Affine, BSpline, Affine]
    expected = itk_map(
        sitk.CompositeTransform([_affine(), _spline(), _affine()]), POINTS
    )
    np.testing.assert_allclose(transform.map_points(POINTS), expected, atol=1e-9)


def _text(kind, parameters, fixed):
    return (
        f"{HEAD}Transform: {kind}\nParameters: {parameters}\nFixedParameters: {fixed}\n"
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (_text("Euler3DTransform_double_3_3", "1 1 1", "0 0 0"), "must have 6 param"),
        (_text("AffineTransform_double_3_3", "1 " * 12, ""), "12 parameters and 3"),
        (
            _text("BSplineTransform_double_3_3", "0 " * 24, "1e308 " * 18),
            "sizes of a grid must be whole .*1e[+]308",
        ),
        (
            _text("BSplineTransform_double_2_2", "0 " * 8, "4e4 4e4 0 0 1 1 1 0 0 1"),
            "must have 3200000000 parameters",
        ),
        (
            _text("DisplacementFieldTransform_double_2_2", "", "9e4 9e4" + " 1" * 8),
            "must have 16200000000 parameters",
        ),
        (_text("AffineTransform_double_3_2", "1 " * 12, "0 0 0"), "unknown type"),
        (_text("AffineTransform_double_99999_99999", "1", "0"), "unknown type"),
        (_text("ThinPlateSplineKernelTransform_double_3_3", "1", "9e99"), "unknown"),
        (_text("", "1", "0"), "unknown type"),
        (_text("AffineTransform_double_2_2", "1 0 0 x 0 0", "0 0"), "expected numbers"),
        (f"{HEAD}ComponentTransformFile: other.tfm\n", "expected no line"),
        (f"{HEAD}Parameters: 1 2\n", "no further line of Parameters"),
        (
            _text("AffineTransform_double_2_2", "1 0 0 1 0 0", "0 0")
            + "Parameters: 1 0 0 1 9 9\n",
            "no further line of Parameters",
        ),
    ],
)
def test_numbers_that_do_not_fit_their_kind_never_reach_itk(
    tmp_path, monkeypatch, text, said
):
    """It would take the memory, or end the process."""
    monkeypatch.setattr(sitk, "ReadTransform", None)
    path = tmp_path / "t.tfm"
    path.write_text(text)
    with pytest.raises(InputError, match=rf"t\.tfm: .*{said}"):
        read_transform(path)


def test_composites_within_a_composite_are_refused(tmp_path):
    part = _text("AffineTransform_double_2_2", "1 0 0 1 0 0", "0 0").split("\n", 1)[1]
    path = tmp_path / "t.tfm"
    path.write_text(HEAD + 2 * "Transform: CompositeTransform_double_2_2\n" + part)
    with pytest.raises(InputError, match=r"one composite, but holds several"):
        read_transform(path)


def _matlab(*variables):
    return b"".join(
        struct.pack("<5i", 0, rows, columns, 0, len(name) + 1) + name + b"\0" + numbers
        for name, rows, columns, numbers in variables
    )


@pytest.mark.parametrize(
    "variables",
    [
        [(b"AffineTransform_double_3_3", 10**9, 1, b""), (b"fixed", 3, 1, bytes(24))],
        [(b"\xff\xfe", 12, 1, bytes(96)), (b"fixed", 3, 1, bytes(24))],
        [(b"%n%n%n%s%s%s", 12, 1, bytes(96)), (b"fixed", 3, 1, bytes(24))],
        [(b"AffineTransform_double_3_3", 12, 1, bytes(96))],
        [(b"AffineTransform_double_3_3", -12, 1, bytes(96)), (b"fixed", 3, 1, b"")],
        [(b"AffineTransform_double_3_3", 3, 1, bytes(24)), (b"fixed", 3, 1, bytes(24))],
    ],
)
def test_matlab_files_are_checked_before_itk_sees_them(
    tmp_path, monkeypatch, variables
):
    monkeypatch.setattr(sitk, "ReadTransform", None)
    path = tmp_path / "t.mat"
    path.write_bytes(_matlab(*variables))
    with pytest.raises(InputError, match=r"t\.mat: "):
        read_transform(path)


def _hdf5(path, parameters):
    with h5py.File(path, "w") as file:
        group = file.create_group("TransformGroup/0")
        group["TransformType"] = ["DisplacementFieldTransform_double_2_2"]
        group["TransformFixedParameters"] = [4.0, 4, 0, 0, 1, 1, 1, 0, 0, 1]
        parameters(group)
    return path


def _claimed(group):
    group.create_dataset("TransformParameters", (1 << 32,), "<f8", chunks=(1024,))


def _elsewhere(group):
    place = [("numbers.raw", 0, 256)]
    group.create_dataset("TransformParameters", (32,), "<f8", external=place)


def _linked(group):
    group["TransformParameters"] = h5py.ExternalLink("other.h5", "/numbers")


def _virtual(group):
    layout = h5py.VirtualLayout((32,), "<f8")
    layout[:] = h5py.VirtualSource("other.h5", "numbers", (32,))
    group.create_virtual_dataset("TransformParameters", layout)


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        (_claimed, "34359738368 bytes of numbers where there are fewer"),
        (_elsewhere, "not in another one"),
        (_linked, "not a link"),
        (_virtual, "not in another one"),
    ],
)
def test_hdf5_files_claim_what_they_have_and_have_it_themselves(
    tmp_path, monkeypatch, parameters, said
):
    monkeypatch.setattr(sitk, "ReadTransform", None)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "numbers.raw").write_bytes(bytes(256))
    with h5py.File(tmp_path / "other.h5", "w") as other:
        other["numbers"] = np.zeros(32)
    path = _hdf5(tmp_path / "t.h5", parameters)
    with pytest.raises(InputError, match=rf"t\.h5: .*{said}"):
        read_transform(path)


def test_a_name_of_gigabytes_in_an_hdf5_file_is_not_read(tmp_path):
    path = tmp_path / "t.h5"
    sitk.WriteTransform(_affine(), str(path))
    with h5py.File(path) as file:
        place = file["TransformGroup/0/TransformType"].id.get_offset()
    raw = bytearray(path.read_bytes())
    raw[place : place + 4] = b"\xff\xff\xff\x77"
    path.write_bytes(raw)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(InputError, match="has 2013265919 letters"):
        read_transform(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000


@pytest.mark.parametrize("size", [0, 8, 1 << 40])
def test_a_heap_that_hdf5_goes_round_in_for_ever_is_refused(tmp_path, size):
    """What is free in the heap of names has no size, or too large a one."""
    path = tmp_path / "t.h5"
    sitk.WriteTransform(_affine(), str(path))
    raw = bytearray(path.read_bytes())
    start = raw.index(b"GCOL") + 16
    while int.from_bytes(raw[start : start + 2], "little"):
        held = int.from_bytes(raw[start + 8 : start + 16], "little")
        start += 16 + -(-held // 8) * 8
    raw[start + 8 : start + 16] = size.to_bytes(8, "little")
    path.write_bytes(raw)
    with pytest.raises(InputError, match=r"t\.h5: .* heap of texts that is whole"):
        read_transform(path)


@pytest.mark.parametrize(
    ("name", "content", "cure"),
    [
        ("Parameters.0.txt", '(Transform "SplineKernelTransform")\n', "transformix"),
        ("fsl.mat", "1 0 0 2\n0 1 0 -3\n0 0 1 1\n0 0 0 1\n", "c3d_affine_tool"),
        ("reg.lta", "type = 14\n" + 4 * "0 0 0 1\n", "lta_convert"),
        ("aladin.txt", "1 0 0 2\n0 1 0 -3\n0 0 1 1\n0 0 0 1\n", "niftyreg"),
        ("reg.m3z", "", "mri_warp_convert"),
        ("reg.xfm", "MNI Transform File\n", "lta_convert"),
    ],
)
def test_other_programs_transforms_are_refused_with_a_cure(
    tmp_path, name, content, cure
):
    (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=rf"{name}: .*{cure}"):
        read_transform(tmp_path / name)
