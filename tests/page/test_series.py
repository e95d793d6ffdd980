"""The page of a series, as far as no browser is needed."""

import base64
import gzip
import re
from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest
from made_pages import HOSTILE
from made_series import COUNT, made_series

from dlir_tf.images import Frames, Image
from dlir_tf.page.series import SeriesContents, building
from dlir_tf.page.series.building import build_series
from dlir_tf.page.series.curves import curves_of
from dlir_tf.page.series.facts import facts_html, verdict_html
from dlir_tf.page.series.writing import make_series_page
from dlir_tf.transforms import Affine, DenseField, Transform


def volume_of(built, name):
    """A packed series as nibabel reads it."""
    raw = gzip.decompress(base64.b64decode(built.texts[name]))
    return nib.Nifti1Image.from_bytes(raw)


def test_every_frame_is_in_its_place_with_all_its_values():
    made = made_series()
    built = build_series(made.contents)
    for role in ("moving", "moved"):
        image = volume_of(built, role)
        assert image.shape[3] == COUNT
        values = image.get_fdata()
        for voxel in ([0, 0, 0], [23, 4, 8], [7, 29, 2]):
            place = made.grid.to_world(np.array(voxel, float))
            at = np.rint(np.linalg.inv(image.affine) @ [*place, 1])[:3].astype(int)
            expected = [array[tuple(voxel)] for array in made.arrays[role]]
            assert values[tuple(at)].tolist() == expected


def test_a_series_gets_coarser_until_it_fits_but_loses_no_frame():
    made = made_series()
    whole = build_series(made.contents)
    small = build_series(made.contents, max_text=whole.size // 4)
    assert small.size <= whole.size // 4
    assert "so that the page stays small" in small.notes[-1]
    assert "on the grid of the frames" in whole.notes[-1]
    assert volume_of(small, "moving").shape[3] == COUNT
    shape = small.data["grid"]["shape"]
    assert shape == volume_of(small, "jacobian").shape[:3]
    assert np.prod(shape) < np.prod(made.grid.shape) / 2


def test_many_frames_get_a_coarser_deformed_grid(monkeypatch):
    made = made_series()
    monkeypatch.setattr(building, "_MAX_NODES", 9 * 200)
    field = build_series(made.contents).data["field"]
    assert len(field["frames"]) == COUNT
    assert np.prod(field["shape"]) <= 200
    assert len(base64.b64decode(field["frames"][3]["data"])) == 6 * np.prod(
        field["shape"]
    )


def test_folds_of_a_frame_are_seen_on_coarser_voxels():
    made = made_series()
    grid = made.grid
    field = np.zeros((*grid.shape, 3))
    field[10, 12, 4] = 3 * grid.affine[:3, 0]  # beyond its neighbour
    transforms = list(made.contents.transforms)
    transforms[6] = Transform((DenseField(field, grid.affine),))
    contents = replace(made.contents, transforms=tuple(transforms))
    size = build_series(contents).size
    coarse = build_series(contents, max_text=size // 3)
    image = volume_of(coarse, "jacobian")
    stored = np.asarray(image.dataobj)
    assert (stored[..., 6] == 0).any()
    assert not (stored[..., [0, 5, 7]] == 0).any()
    assert stored[..., 6].size < np.prod(grid.shape) / 2


def test_a_mean_reference_has_its_values_even_beyond_those_of_frames():
    made = made_series()
    bright = Image(made.arrays["moving"][0] + 5000.0, made.grid.affine)
    contents = replace(made.contents, reference=bright, reference_frame=None)
    values = volume_of(build_series(contents), "fixed").get_fdata()
    assert values.max() == pytest.approx(bright.array.max(), abs=1)
    assert "Fixed: the mean" in make_series_page(contents)


def test_a_verdict_names_the_frames_that_failed():
    contents = made_series().contents
    html = verdict_html(contents)
    assert "use 1 of 9 frames" in html
    assert "Frame 5: " in html
    fine = [{**row, "failure": ""} for row in contents.outcomes]
    assert "PASS" in verdict_html(replace(contents, outcomes=fine))
    assert "judge by what you see" in verdict_html(replace(contents, outcomes=()))


def test_nothing_given_is_code_and_what_is_missing_is_left_out():
    contents = made_series().contents
    html = make_series_page(contents)
    assert HOSTILE not in html
    bare = replace(
        contents,
        outcomes=(),
        volumes=(),
        ejection=(),
        strain=(),
        displacements=(),
        labels=None,
        reference_labels=None,
        run={},
    )
    sections = re.findall("<h2>(.*?)</h2>", facts_html(bare))
    assert sections == ["How it was done"]
    page = make_series_page(bare)
    assert "volume-moving_labels" not in page
    assert "volume-jacobian" in page


def test_curves_run_from_the_first_frame_to_the_last_within_their_axis():
    contents = made_series().contents
    volumes, landmarks, strain, similarity = curves_of(contents)
    assert list(landmarks.lines) == ["landmark 0"]
    assert list(volumes.lines) == ["label 7", "label 14"]
    assert volumes.data["labels"] == [7, 14]
    assert volumes.data["values"][0][3] == 55
    assert list(strain.lines) == ["radial", "circumferential"]
    assert list(similarity.lines) == ["before", "after"]
    points = re.search(r'data-line="0" points="([^"]+)"', volumes.html)[1]
    places = np.array([pair.split(",") for pair in points.split()], float)
    assert len(places) == COUNT
    assert np.all(np.diff(places[:, 0]) > 0)
    assert np.argmax(places[:, 1]) in (4, 5)  # the smallest volume is the lowest
    ticks = [float(t) for t in re.findall(r'text-anchor="end">([^<]+)<', volumes.html)]
    assert ticks[0] <= 40
    assert ticks[-1] >= 100


def test_of_many_landmarks_the_mean_and_the_most_are_drawn():
    contents = made_series().contents
    rows = [
        {**row, "point": str(point), "distance": str(point * int(row["frame"]))}
        for row in contents.displacements
        for point in range(100)
    ]
    many = replace(contents, displacements=rows)
    landmarks = next(one for one in curves_of(many) if one.name == "landmarks")
    assert list(landmarks.lines) == ["mean", "most"]
    assert landmarks.lines["mean"][2] == pytest.approx(99.0)
    assert landmarks.lines["most"][2] == pytest.approx(198.0)
    assert "landmarks" not in build_series(many).data


def test_a_curve_that_stays_where_it_is_can_be_drawn():
    contents = made_series().contents
    rows = [{**row, "volume_ml": "5.0"} for row in contents.volumes]
    volumes, *_ = curves_of(replace(contents, volumes=rows))
    assert "nan" not in volumes.html


def test_frames_of_two_dimensions_are_shown_as_well(rng):
    arrays = rng.integers(0, 900, (3, 12, 10)).astype(np.int16)
    affine = np.array([[-0.8, 0, 10], [0, 1.5, -20], [0, 0, 1]])
    frames = Frames(tuple(Image(array, affine) for array in arrays))
    still = tuple(Transform((Affine(np.eye(3)),)) for _ in arrays)
    contents = SeriesContents(frames[1], 1, frames, frames, still)
    built = build_series(contents)
    values = volume_of(built, "moving").get_fdata()
    assert np.array_equal(values[::-1, :, 0], np.moveaxis(arrays, 0, -1))
    assert built.data["flat"] == [2]
