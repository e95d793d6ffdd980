"""`dlir-tf transform` moves the vertices of meshes and turns their normals.

VTK 9.7.2 read what was written here of spheres that it had written in all of these
formats: vertices to 2e-6 mm, normals to 4e-8, and all else the same.
"""

import re
from pathlib import Path

import meshes
import numpy as np
import pytest
from itk_judge import itk_map
from transform_desk import T, landmarks, refused, transform

from dlir_tf.errors import InputError
from dlir_tf.images.points import read_point_file, read_points
from dlir_tf.transforms import Affine, Transform, write_transform

LPS = np.array([-1, -1, 1])
# Bends, shears and grows; no axis stays where it was.
MATRIX = np.array(
    [[1.1, 0.2, 0, 4], [-0.1, 0.9, 0.3, -2], [0, 0.1, 1.2, 7], [0, 0, 0, 1]]
)


@pytest.fixture
def desk(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_transform("a.npz", Transform((Affine(MATRIX),)))
    return tmp_path


def moved(points, lps):
    """Vertices of a file, in its world, where they must come to lie."""
    flip = np.diag([-1, -1, 1, 1]) if lps else np.eye(4)
    matrix = flip @ MATRIX @ flip
    return points @ matrix[:3, :3].T + matrix[:3, 3]


def turned(normals, lps):
    flip = np.diag([-1, -1, 1]) if lps else np.eye(3)
    across = normals @ np.linalg.inv(flip @ MATRIX[:3, :3] @ flip)
    return across / np.linalg.norm(across, axis=1, keepdims=True)


def carry(capsys, name, raw, *options):
    Path(name).write_bytes(raw)
    given = ("--points", name, "--transform", "a.npz", *options, "--output", f"m{name}")
    _, err = transform(capsys, *given)
    return Path(f"m{name}").read_bytes(), err


def block(raw, line, count, kind):
    """Numbers after a line of a binary VTK file, and what is before and after them."""
    before, found, rest = raw.partition(line)
    size = count * np.dtype(kind).itemsize
    return np.frombuffer(rest[:size], kind), before + found, rest[size:]


@pytest.mark.parametrize(
    ("raw", "lps"), [(meshes.VTK_BINARY_51, False), (meshes.VTK_BINARY_42, True)]
)
def test_binary_vtk(desk, capsys, raw, lps):
    made, err = carry(capsys, "a.vtk", raw)
    assert "a.vtk: normals of cells are left out" in "\n".join(err)
    assert ("taken for LPS+, as 3D Slicer" in "\n".join(err)) == lps
    points, before, rest = block(made, b"POINTS 4 float\n", 12, ">f4")
    points = points.reshape(-1, 3)
    np.testing.assert_allclose(points, moved(meshes.VERTICES, lps), atol=1e-5)
    line = b"NORMALS Normals float\n"
    normals, between, after = block(rest, line, 12, ">f4")
    expected = turned(meshes.NORMALS, lps)
    np.testing.assert_allclose(normals.reshape(-1, 3), expected, atol=1e-6)
    # All else is as it was, but for the normals of the cells.
    _, first, following = block(raw, b"POINTS 4 float\n", 12, ">f4")
    _, second, further = block(following, line, 15, ">f4")
    _, third, last = block(further, line, 12, ">f4")
    cells = second.removesuffix(line)
    assert (before, after) == (first, last)
    assert between == cells + third.removeprefix(b"\n") or between == cells + third


def test_text_vtk(desk, capsys):
    made, _ = carry(capsys, "a.vtk", meshes.VTK_TEXT_51)
    pattern = (
        rb"(?s)(.*?POINTS 4 float\n)(.*?)(VERTICES.*)NORMALS.*?(FIELD.*?NORMALS.*?\n)"
    )
    pattern += rb"(.*?)(FIELD.*)"
    ours = re.fullmatch(
        pattern, made.replace(b"CELL_DATA 5\n", b"CELL_DATA 5\nNORMALS")
    )
    theirs = re.fullmatch(pattern, meshes.VTK_TEXT_51)
    for part in (1, 3, 4, 6):
        assert ours[part].split() == theirs[part].split()
    points = np.array(ours[2].split(), float).reshape(-1, 3)
    np.testing.assert_allclose(points, moved(meshes.VERTICES, False), atol=1e-5)
    normals = np.array(ours[5].split(), float).reshape(-1, 3)
    np.testing.assert_allclose(normals, turned(meshes.NORMALS, False), atol=1e-6)


def in_binary(text):
    """As `vtkDataWriter` has it: behind its length, of 1, 2 or 4 bytes by two bits."""
    for marker, size in ((3, 1), (2, 2), (1, 4)):
        if len(text) < 1 << 8 * size - 2:
            head = (marker << 8 * size - 2) | len(text)
            return head.to_bytes(size, "big") + text
    raise ValueError


@pytest.mark.parametrize("binary", [True, False])
def test_texts_in_vtk_stay(desk, capsys, binary):
    """Whatever stands in them, and however long they are."""
    texts = [b"left ear", b"", b"POINTS 9 float\n" * 10, b"x" * 20_000]
    if binary:
        raw, block_of = meshes.VTK_BINARY_51, b"".join(map(in_binary, texts))
    else:
        raw = meshes.VTK_TEXT_51
        block_of = b"\n".join(text.replace(b"\n", b"%0A") for text in texts)
    for part in (b"CELL_DATA 5\n", b"POINT_DATA 4\n"):
        field = b"FIELD FieldData 1\nnames 2 2 string\n" + block_of + b"\n"
        raw = raw.replace(part, part + field)
    made, _ = carry(capsys, "a.vtk", raw)
    assert made.count(field) == 2
    points = read_point_file("ma.vtk").points
    np.testing.assert_allclose(points, moved(meshes.VERTICES, False), atol=1e-5)
    cut = raw[: raw.rindex(field) + 60 + 200 * binary]
    Path("cut.vtk").write_bytes(cut)
    with pytest.raises(InputError, match=r"ends after . of 4 texts"):
        read_point_file("cut.vtk")


@pytest.mark.parametrize("order", ["", "<", ">"])
def test_ply(desk, capsys, order):
    """In every order of bytes; colours, faces and what else is there stay."""
    raw = meshes.ply(order, after=b"tail")
    made, err = carry(capsys, "a.ply", raw)
    assert len(err) == 1
    assert "a.ply: states no world" in err[0]
    again = read_point_file("ma.ply")
    np.testing.assert_allclose(
        again.points * LPS, moved(meshes.VERTICES, True), atol=1e-5
    )
    np.testing.assert_allclose(
        again.normals * LPS, turned(meshes.NORMALS, True), atol=1e-6
    )
    start = raw.index(b"end_header\n") + len(b"end_header\n")
    assert made[:start] == raw[:start]
    if not order:
        ours, theirs = (text[start:].splitlines() for text in (made, raw))
        assert ours[4:] == theirs[4:]
        colours = [row.split()[3:6] for row in ours[:4]]
        assert colours == [row.split()[3:6] for row in theirs[:4]]
        return
    assert made[start + 4 * 31 :] == raw[start + 4 * 31 :]
    rows = np.frombuffer(made[start : start + 4 * 31], np.uint8).reshape(4, 31)
    np.testing.assert_array_equal(rows[:, 16:19], meshes.COLOURS)


@pytest.mark.parametrize("binary", [True, False])
def test_stl(desk, capsys, binary):
    """Its normals are made anew, at a right angle to the moved triangles."""
    raw = meshes.stl(binary, "3D Slicer output. SPACE=RAS vertex 1 2 3")
    made, err = carry(capsys, "a.stl", raw)
    assert err == []
    if binary:
        kind = np.dtype([("numbers", "<f4", (4, 3)), ("own", "<u2")])
        assert made[:84] == raw[:84]
        rows = np.frombuffer(made, kind, offset=84)
        np.testing.assert_array_equal(rows["own"], [0, 1, 2, 3])
        numbers = rows["numbers"]
    else:
        number = rb"[-+]?\d[\d.e+-]*"
        lines = [re.sub(number, b"#", text).split() for text in (made, raw)]
        assert lines[0] == lines[1]
        rows = [line.split()[-3:] for line in made.splitlines()[1:] if b"." in line]
        rows = [row for row in rows if b"SPACE=RAS" not in row]
        numbers = np.array(rows[: 4 * 4], float).reshape(4, 4, 3)
    corners = moved(meshes.VERTICES, False)[meshes.TRIANGLES]
    np.testing.assert_allclose(numbers[:, 1:], corners, atol=1e-5)
    a, b, c = corners[:, 0], corners[:, 1], corners[:, 2]
    across = np.cross(b - a, c - a)
    across /= np.linalg.norm(across, axis=1, keepdims=True)
    np.testing.assert_allclose(numbers[:, 0], across, atol=1e-5)


def test_a_world_can_be_chosen_where_none_is_stated(desk, capsys):
    _, err = carry(capsys, "a.ply", meshes.ply("<"), "--space", "RAS")
    assert err == []
    found = read_point_file("ma.ply", space="RAS").points
    np.testing.assert_allclose(found, moved(meshes.VERTICES, False), atol=1e-5)
    Path("s.ply").write_bytes(meshes.ply(comment="SPACE=LPS"))
    np.testing.assert_allclose(read_points("s.ply") * LPS, meshes.VERTICES)
    with pytest.warns(UserWarning, match=r"a\.ply: states no world"):
        read_points("a.ply")


def test_normals_follow_a_deformation(desk3, capsys, rng):
    """A fine patch of a surface, moved, has the normals that its own triangles have."""
    centre = landmarks(desk3, rng, desk3.fixed)[0]
    along = 0.05 * np.array([[1, 0, 0.3], [-0.2, 1, 0.1]])
    patch = centre + np.array([[0, 0, 0], *along])
    normal = np.cross(*along) / np.linalg.norm(np.cross(*along))
    head = meshes.ply(comment="SPACE=RAS").split(b"element vertex")[0].decode()
    head += "element vertex 3\n" + "".join(
        f"property double {name}\n" for name in ("x", "y", "z", "nx", "ny", "nz")
    )
    rows = [" ".join(map(repr, map(float, [*point, *normal]))) for point in patch]
    Path("p.ply").write_text(head + "end_header\n" + "\n".join(rows) + "\n")
    transform(capsys, "--points", "p.ply", *T, "--output", "m.ply")
    after = read_point_file("m.ply")
    expected = itk_map(desk3.parameters.itk(), patch)
    np.testing.assert_allclose(after.points, expected, atol=1e-4)
    edges = expected[1:] - expected[0]
    across = np.cross(*edges) / np.linalg.norm(np.cross(*edges))
    np.testing.assert_allclose(after.normals[0], across, atol=5e-3)
    assert np.abs(after.normals[0] - normal).max() > 0.02  # it had to turn


@pytest.mark.parametrize(
    ("name", "raw", "said"),
    [
        ("a.vtk", meshes.VTK_BINARY_42[:-30], "can't be read as a mesh"),
        ("a.vtk", meshes.VTK_BINARY_51[:120], "it ends before 12 numbers of type"),
        ("a.vtk", meshes.VTK_TEXT_51[:300], "can't be read as a mesh"),
        ("a.vtk", b"# vtk DataFile", "no header of a legacy VTK file"),
        (
            "a.vtk",
            meshes.VTK_TEXT_51.replace(b"POLYDATA", b"STRUCTURED_POINTS"),
            "a STRUCTURED_POINTS, not a surface",
        ),
        (
            "a.vtk",
            meshes.VTK_TEXT_51.replace(b"FIELD FieldData 1\nid 1 5 long", b"WHAT 1"),
            "part 'WHAT', which isn't known",
        ),
        ("a.vtk", meshes.VTK_TEXT_51.replace(b"12.5", b"nan"), "aren't finite"),
        ("a.ply", meshes.ply()[:-30], "lines for 9 things"),
        ("a.ply", meshes.ply("<")[:-30], "it ends before face 4 of its header"),
        ("a.ply", meshes.ply(">")[:400], "it ends before vertex 4 of"),
        (
            "a.ply",
            meshes.ply().replace(b"float x", b"int x"),
            "must be float or double",
        ),
        ("a.ply", meshes.ply().replace(b"float x", b"float u"), "with x, y and z"),
        ("a.ply", meshes.ply()[3:], "has no header of PLY"),
        ("a.stl", meshes.stl(True)[:-3], "states 4 triangles, which make 284 bytes"),
        ("a.stl", meshes.stl(False)[:-80], "a triangle in it isn't complete"),
        ("a.stl", b"", "it's too short"),
    ],
)
def test_damaged_meshes_are_refused(desk, capsys, name, raw, said):
    Path(name).write_bytes(raw)
    desk = type("Folder", (), {"folder": desk})
    given = ("--points", name, "--transform", "a.npz", "--output", f"m{name}")
    line = refused(capsys, desk, *given)
    assert line.startswith(f"Error: {name}: ")
    assert said in line


def test_what_doesnt_fit_a_mesh_is_refused(desk, capsys):
    Path("a.vtk").write_bytes(meshes.VTK_TEXT_51)
    desk = type("Folder", (), {"folder": desk})
    given = ("--points", "a.vtk", "--transform", "a.npz")
    line = refused(capsys, desk, *given, "--space", "LPS", "--output", "m.vtk")
    assert "a.vtk: states its own world, RAS, so none can be chosen" in line
    line = refused(capsys, desk, *given, "--output", "m.stl")
    assert "expected a name that ends in .vtk" in line
