"""What landmarks are called, by the files that they are in."""

import json

from dlir_tf.images import read_point_names

FCSV = """# Markups fiducial file version = 4.11
# CoordinateSystem = LPS
# columns = id,x,y,z,ow,ox,oy,oz,vis,sel,lock,label,desc,associatedNodeID
1,1,2,3,0,0,0,1,1,1,0,apex,,
"""


def test_names_are_those_of_a_column_or_none(tmp_path):
    path = tmp_path / "points.csv"
    for header, expected in (
        ("x,y,z,Name", ("apex", "base")),
        ("id,x,y,z", ("apex", "base")),
        ("x,y,z,weight", ()),
    ):
        cells = ("apex", "base")
        rows = [f"1,2,3,{n}" if header[0] == "x" else f"{n},1,2,3" for n in cells]
        path.write_text("\n".join([header, *rows]))
        assert read_point_names(path) == expected
    path.write_text("x,y,z,name\n1,2,3,apex\n4,5,6,\n")
    assert read_point_names(path) == ()


def test_names_of_slicer_are_those_of_points_that_have_a_place(tmp_path):
    points = [
        {"label": "first", "position": [1, 2, 3]},
        {"label": "nowhere", "position": "", "positionStatus": "undefined"},
        {"label": "second", "position": [4, 5, 6]},
    ]
    markup = {"type": "Fiducial", "coordinateUnits": "mm", "controlPoints": points}
    (tmp_path / "a.mrk.json").write_text(json.dumps({"markups": [markup]}))
    assert read_point_names(tmp_path / "a.mrk.json") == ("first", "second")
    (tmp_path / "a.fcsv").write_text(FCSV)
    assert read_point_names(tmp_path / "a.fcsv") == ("apex",)
