"""Files of landmarks: what is read, what is kept, what is refused."""

import json
import os

import numpy as np
import pytest

from dlir_tf.errors import InputError
from dlir_tf.images import read_points
from dlir_tf.images.points import read_point_file


def document(*markups):
    return json.dumps({"@schema": "markups-schema-v1.0.3.json#", "markups": markups})


def markup(*positions, **keys):
    points = [{"label": f"F-{n}", "position": p} for n, p in enumerate(positions)]
    return {"type": "Fiducial", "controlPoints": points} | keys


def test_points_come_back(tmp_path):
    path = tmp_path / "p.csv"
    path.write_text("\ufeffx,y,z\r\n1,-2.5,3e1\r\n\r\n 4, 5,6\r\n", encoding="utf-8")
    np.testing.assert_array_equal(read_points(path), [[1, -2.5, 30], [4, 5, 6]])
    path.write_text("x,y\n1,2\n")
    assert read_points(path).shape == (1, 2)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1: the header must be x,y,z or x,y .*missing"),
        ("1,2,3\n4,5,6\n", "line 1: the header must be.*1,2,3"),
        ("x,y,z\n", "no points"),
        ("x,y,z\n1,2,3\n\n4,5\n", "line 4: must hold 3 finite numbers.*'4,5'"),
        ("x,y,z\n1,two,3\n", "line 2: .*'1,two,3'"),
        ("x,y\n1,nan\n", "line 2: must hold 2 finite"),
        ('x,y,z,name\n1,2,3,a\n4,5,6,"b\n7,8,9,c\n', "unexpected end of data"),
        ('x,y,n\n1,2,"a\n3,4,b\n5,6,"c"\n7,8,d\n', "expected after '\"'"),
        ('x,y,n\n1,2,"a\n3,4,b"\n5,6,c\n', "before line 3 isn't closed"),
    ],
)
def test_wrong_points_name_the_line(tmp_path, text, message):
    path = tmp_path / "p.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=rf"p\.csv.*{message}"):
        read_points(path)


def test_missing_points(tmp_path):
    with pytest.raises(InputError, match=r"no such file: .*p\.csv"):
        read_points(tmp_path / "p.csv")


@pytest.mark.parametrize("name", ["p.csv", "p.fcsv", "p.mrk.json"])
def test_a_pipe_is_refused(tmp_path, name):
    os.mkfifo(tmp_path / name)
    with pytest.raises(
        InputError, match=rf"{name}: must be a readable file, but is a pipe"
    ):
        read_points(tmp_path / name)


def test_columns_may_come_in_any_order_beside_others(tmp_path):
    path = tmp_path / "p.csv"
    path.write_text("name, Z ,X,y\na,3,1,2\n\nb,6.5,4,5\n")
    np.testing.assert_array_equal(read_points(path), [[1, 2, 3], [4, 5, 6.5]])
    file = read_point_file(path, space="LPS")
    np.testing.assert_array_equal(file.points, [[-1, -2, 3], [-4, -5, 6.5]])
    file.write(tmp_path / "q.csv", file.points + np.array([0.5, 2, -3]))
    text = (tmp_path / "q.csv").read_text()
    assert text == "name, Z ,X,y\na,0.0,0.5,0.0\nb,3.5,3.5,3.0\n"


def test_numbers_are_written_to_a_millionth_of_a_mm(tmp_path, rng):
    path = tmp_path / "p.csv"
    path.write_text("x,y,z\n" + 50 * "0,0,0\n")
    points = rng.normal(scale=200, size=(50, 3))
    read_point_file(path).write(path, points)
    np.testing.assert_allclose(read_points(path), points, rtol=0, atol=5.1e-7)
    assert max(map(len, path.read_text().split(","))) < 26


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x,y,x\n1,2,3\n", "line 1: the header must be"),
        ("x,z\n1,2\n", "line 1: the header must be"),
        ("x;y;z\n1;2;3\n", "line 1: the header must be.*x;y;z; .*not semicolons"),
        ("x,y,z,n\n1,2,3\n", r"line 2: .*3 finite numbers \(x,y,z\) among 4 cells"),
        ("x,y,z,n\n1,2,12_5,a\n", "line 2: must hold 3 finite"),
        ("x,y,z,n\n1,2,inf,a\n", "line 2: must hold 3 finite"),
        ("x,y,z,n\n1,2,3,a,b\n", "line 2: must hold 3 finite"),
    ],
)
def test_csv_that_is_no_points_is_refused(tmp_path, text, message):
    (tmp_path / "p.csv").write_text(text)
    with pytest.raises(InputError, match=rf"p\.csv.*{message}"):
        read_points(tmp_path / "p.csv")


def test_all_markups_of_a_file_are_read_each_in_its_world(tmp_path):
    path = tmp_path / "p.mrk.json"
    first, second = markup([1, 2, 3]), markup([4, 5, 6], coordinateSystem="RAS")
    path.write_text(document(first, second, {"type": "Curve"}))
    np.testing.assert_array_equal(read_points(path), [[-1, -2, 3], [4, 5, 6]])


def test_points_without_a_position_are_left_alone_but_not_guessed(tmp_path):
    path = tmp_path / "p.mrk.json"
    unset = markup([1, 2, 3], "", None)
    unset["controlPoints"].append(
        {"position": [0.0, 0.0, 0.0], "positionStatus": "undefined"}
    )
    path.write_text(document(unset))
    file = read_point_file(path)
    assert (len(file.points), file.num_unset) == (1, 3)
    file.write(tmp_path / "q.mrk.json", np.array([[7.0, 8.0, 9.0]]))
    written = json.loads((tmp_path / "q.mrk.json").read_text())
    unset["controlPoints"][0]["position"] = [-7.0, -8.0, 9.0]
    assert written == json.loads(document(unset))
    with pytest.raises(InputError, match="3 landmarks have no position"):
        read_points(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "can't be read as markups"),
        ("[1, 2]", "must hold markups with controlPoints"),
        ('{"markups": [3]}', "must hold markups with controlPoints"),
        ('{"markups": [{"controlPoints": [[1, 2, 3]]}]}', "must hold markups"),
        (document(), "no landmark in it has a position"),
        (document(markup([1, 2])), r"landmark F-0 must be 3 finite.*\[1, 2\]"),
        (document(markup([1, 2, "3"])), "landmark F-0 must be 3 finite numbers"),
        (document(markup([1, 2, float("nan")])), "must be 3 finite numbers"),
        (document(markup([1, 2, 10**400])), "must be 3 finite numbers"),
        (document(markup([1, 2, [3]])), "must be 3 finite numbers"),
        (document(markup({"x": 1})), "must be 3 finite numbers"),
        (document(markup([1, 2, 3], coordinateUnits="um")), "in mm, but are LPS in um"),
        (document(markup([1, 2, 3], coordinateSystem="IJK")), "but are IJK in mm"),
        (document(markup([1, 2, 3], type="ROI")), "of type ROI, which isn't given by"),
        (document(markup([1, 2, 3], normal=[0, 0, 1])), "isn't given by its points"),
    ],
)
def test_json_that_is_no_points_is_refused(tmp_path, text, message):
    (tmp_path / "p.mrk.json").write_text(text)
    with pytest.raises(InputError, match=rf"p\.mrk\.json: .*{message}"):
        read_points(tmp_path / "p.mrk.json")


def test_units_may_be_a_code(tmp_path):
    path = tmp_path / "p.json"
    path.write_text(
        document(markup([1, 2, 3], coordinateUnits=["mm", "UCUM", "millimeter"]))
    )
    assert read_points(path).shape == (1, 3)


def test_markups_state_their_own_world(tmp_path):
    path = tmp_path / "p.mrk.json"
    path.write_text(document(markup([1, 2, 3])))
    with pytest.raises(InputError, match="state their own world"):
        read_point_file(path, space="RAS")


FCSV = """# Markups fiducial file version = 4.11
# CoordinateSystem = {world}
# columns = id,x,y,z,ow,ox,oy,oz,vis,sel,lock,label,desc,associatedNodeID
1,-12.5,30,41,0,0,0,1,1,1,0,"F, 1",,
2,7,-8,9.25,0,0,0,1,1,1,0,F-2,,node
"""


@pytest.mark.parametrize(
    ("world", "sign"), [("LPS", -1), ("1", -1), ("RAS", 1), ("0", 1)]
)
def test_older_files_of_slicer_state_their_world(tmp_path, world, sign):
    path = tmp_path / "F.fcsv"
    path.write_text(FCSV.format(world=world))
    expected = np.array([[-12.5, 30, 41], [7, -8, 9.25]]) * [sign, sign, 1]
    np.testing.assert_array_equal(read_points(path), expected)
    moved = tmp_path / "G.fcsv"
    file = read_point_file(path)
    shifted = expected + np.array([1, 2, 3])
    file.write(moved, shifted)
    np.testing.assert_array_equal(read_points(moved), shifted)
    file.write(moved, expected)
    same = FCSV.format(world=world).replace(",30,41", ",30.0,41.0")
    assert moved.read_text() == same.replace("2,7,-8,", "2,7.0,-8.0,")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (FCSV.format(world="2"), "LPS or RAS"),
        (FCSV.format(world="IJK"), "as .mrk.json"),
        (FCSV.replace("# CoordinateSystem = {world}\n", ""), "but state missing"),
        (FCSV.format(world="LPS").replace("id,x,y,z", "id,l,p,s"), "columns x,y,z"),
        (FCSV.format(world="LPS").replace("30,41", "30,"), "line 4: must hold 3"),
        (FCSV.format(world="LPS").replace('"F, 1"', '"F, 1'), "as .mrk.json"),
        ("# nothing", "columns x,y,z"),
        ("", "columns x,y,z"),
    ],
)
def test_older_files_of_slicer_that_say_something_else(tmp_path, text, told):
    path = tmp_path / "F.fcsv"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        read_points(path)
    assert told in str(caught.value)
    assert str(caught.value).startswith(str(path))


def test_older_files_of_slicer_take_no_other_world(tmp_path):
    (tmp_path / "F.fcsv").write_text(FCSV.format(world="LPS"))
    with pytest.raises(InputError, match="state their own world"):
        read_point_file(tmp_path / "F.fcsv", space="RAS")


def test_a_file_of_another_kind_is_told_which_are_read(tmp_path):
    """It was taken for CSV, which its sentence alone wouldn't explain."""
    (tmp_path / "liver.vtp").write_text("<VTKFile/>")
    told = r"liver\.vtp, line 1.*read as CSV: other .* end with \.vtk, .*\.trk"
    with pytest.raises(InputError, match=told):
        read_points(tmp_path / "liver.vtp")
