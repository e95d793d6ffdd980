"""`dlir-tf transform` carries landmarks; SimpleITK is the judge."""

import json
from pathlib import Path

import numpy as np
import pytest
from itk_judge import itk_map
from transform_desk import T, landmarks, read_csv, transform, write_csv

from dlir_tf.images import flip_ras_lps


@pytest.mark.parametrize("space", ["RAS", "LPS"])
def test_landmarks_travel_from_fixed_to_moving_and_back(desk, capsys, rng, space):
    points = landmarks(desk, rng, desk.fixed)
    names = ["apex", "vein, left", 'the "third"', "ä", "", "6", "7"]
    turned = flip_ras_lps(points) if space == "LPS" else points
    write_csv("p.csv", turned, names)
    wanted = () if space == "RAS" else ("--space", "LPS")
    out, err = transform(capsys, "--points", "p.csv", *T, *wanted, "--output", "m.csv")
    assert (out, err) == (["m.csv"], [])
    header, kept, mapped = read_csv("m.csv")
    assert header == ["name", *"xyz"[: desk.ndim], "size"]
    assert kept == [(name, "3.50") for name in names]
    expected = itk_map(desk.parameters.itk(), points)
    mapped = flip_ras_lps(mapped) if space == "LPS" else mapped
    np.testing.assert_allclose(mapped, expected, atol=1e-5)
    assert np.linalg.norm(mapped - points, axis=1).min() > 3
    back = ("--inverse", *wanted, "--output", "back.csv")
    _, (line,) = transform(capsys, "--points", "m.csv", *T, *back)
    assert line.startswith("m.csv: the inverse holds to")
    np.testing.assert_allclose(read_csv("back.csv")[2], turned, atol=1e-4)


def markups(points, world):
    """A file as 3D Slicer writes it, with a point that was never placed."""
    placed = [
        {"id": str(n), "label": f"F-{n}", "position": list(point), "locked": True}
        | {"orientation": [-1.0, -0.0, -0.0, -0.0, -1.0, -0.0, 0.0, 0.0, 1.0]}
        | {"positionStatus": "defined"}
        for n, point in enumerate(points)
    ]
    unset = {"id": "9", "label": "ü", "position": "", "positionStatus": "undefined"}
    return {
        "@schema": "https://raw.githubusercontent.com/slicer/slicer/master/Modules/"
        "Loadable/Markups/Resources/Schema/markups-schema-v1.0.3.json#",
        "markups": [
            {"type": "Fiducial", "coordinateSystem": world, "coordinateUnits": "mm"}
            | {"controlPoints": [*placed[:3], unset, *placed[3:]]}
            | {"display": {"color": [0.4, 1.0, 0.1]}},
        ],
    }


@pytest.mark.parametrize("world", ["LPS", "RAS"])
def test_markups_of_slicer_keep_all_but_their_positions(desk3, capsys, rng, world):
    points = landmarks(desk3, rng, desk3.fixed)
    stated = flip_ras_lps(points) if world == "LPS" else points
    document = markups(stated.tolist(), world)
    Path("p.mrk.json").write_text(json.dumps(document), encoding="utf-8")
    arguments = ("--points", "p.mrk.json", *T, "--output", "m.mrk.json")
    out, err = transform(capsys, *arguments)
    assert out == ["m.mrk.json"]
    assert err == ["p.mrk.json: points without a position, left alone: 1"]
    moved = json.loads(Path("m.mrk.json").read_text("utf-8"))
    places = [p["position"] for p in moved["markups"][0]["controlPoints"]]
    assert places.pop(3) == ""
    mapped = flip_ras_lps(np.array(places)) if world == "LPS" else np.array(places)
    expected = itk_map(desk3.parameters.itk(), points)
    np.testing.assert_allclose(mapped, expected, atol=1e-5)
    for before, after in zip(
        document["markups"][0]["controlPoints"],
        moved["markups"][0]["controlPoints"],
        strict=True,
    ):
        after["position"] = before["position"]
    assert moved == document


def test_what_was_measured_of_points_is_left_out_with_a_word(desk3, capsys, rng):
    document = markups(landmarks(desk3, rng, desk3.fixed).tolist(), "RAS")
    document["markups"][0]["measurements"] = [
        {"name": "length", "enabled": True, "value": 12.5, "units": "mm"},
        {"name": "curvature mean", "enabled": False, "units": "mm-1"},
        {"name": "thickness", "value": 2.0, "controlPointValues": [1.0, 3.0]},
    ]
    Path("p.mrk.json").write_text(json.dumps(document), encoding="utf-8")
    arguments = ("--points", "p.mrk.json", *T, "--output", "m.mrk.json")
    _, (line, _) = transform(capsys, *arguments)
    assert line.startswith("p.mrk.json: measurements are left out")
    assert line.endswith("makes anew: length")
    expected = document["markups"][0]["measurements"]
    del expected[0]["value"]
    moved = json.loads(Path("m.mrk.json").read_text("utf-8"))
    assert moved["markups"][0]["measurements"] == expected


def test_points_outside_are_mapped_and_counted(desk3, capsys, rng):
    points = landmarks(desk3, rng, desk3.fixed)
    points[:2] += 1000.0
    write_csv("p.csv", points, range(7))
    (out,), (line,) = transform(capsys, "--points", "p.csv", *T, "--output", "m.csv")
    assert line.startswith("Warning: p.csv: 2 of 7 points lie outside")
    expected = itk_map(desk3.parameters.itk(), points)
    np.testing.assert_allclose(read_csv(out)[2], expected, atol=1e-5)


def test_several_files_of_points_go_into_a_folder(desk3, capsys, rng):
    for name in ("a.csv", "b.csv"):
        write_csv(name, landmarks(desk3, rng, desk3.fixed), range(7))
    both = ("--points", "a.csv", "--points", "b.csv")
    out, _ = transform(capsys, *both, *T, "--output", "out/points")
    assert out == ["out/points/a.csv", "out/points/b.csv"]
    assert desk3.written() == ["a.csv", "b.csv", "points"]
