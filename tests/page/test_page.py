"""What a page holds, without a browser."""

import base64
import gzip
import json
import re

import numpy as np
import pytest
from made_pages import HOSTILE, flat_page, oblique_page

from dlir_tf.images import Grid, Image
from dlir_tf.metrics import jacobian_determinant
from dlir_tf.page import PageContents, building, write_page
from dlir_tf.page.deformation import jacobian_text
from dlir_tf.page.shrinking import Shrinking
from dlir_tf.page.vendor import FOLDER, ORIGIN, STORED, read_viewer
from dlir_tf.page.writing import as_script_data, fill, make_page
from dlir_tf.transforms import DenseField, Transform


def data_of(html):
    return json.loads(re.search(r'id="page-data">(.*?)</script>', html)[1])


def test_a_page_is_one_file_that_lets_nothing_be_fetched(tmp_path):
    write_page(tmp_path / "page.html", flat_page().contents)
    html = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert [entry.name for entry in tmp_path.iterdir()] == ["page.html"]
    assert "default-src 'none'" in html
    assert not re.search(r"<(?:script|img|link)[^>]*\s(?:src|href)=\"(?!data:)", html)


def test_what_is_given_never_ends_a_script_nor_starts_one():
    html = make_page(oblique_page().contents, viewer=read_viewer())
    assert HOSTILE not in html
    assert html.count("<script") - read_viewer().code.count("<script") == html.count(
        "</script>"
    )
    assert data_of(html)["landmarks"][0]["name"] == HOSTILE
    assert "<" not in as_script_data({"a": HOSTILE})


def test_values_are_put_into_a_template_once():
    assert fill("<{{a}} {{b}}>", {"a": "{{b}}", "b": r"\1"}) == r"<{{b}} \1>"


@pytest.mark.parametrize("fault", ["missing", "damaged"])
def test_without_niivue_the_report_is_there_and_says_why_images_are_not(
    tmp_path, fault
):
    if fault == "damaged":
        for name in (STORED, ORIGIN):
            (tmp_path / name).write_bytes((FOLDER / name).read_bytes())
        (tmp_path / STORED).write_bytes(gzip.compress(b"alert(1)"))
    viewer = read_viewer(tmp_path)
    html = make_page(oblique_page().contents, viewer=viewer)
    assert fault in html
    assert "install dlir-tf again" in html
    assert "volume-fixed" not in html
    assert "Landmarks" in html


def test_without_a_transform_images_are_shown_as_they_were():
    made = oblique_page().contents
    html = make_page(PageContents(made.fixed, made.moving))
    assert 'data-role="moving"' in html
    assert 'data-role="moved"' not in html
    assert "field" not in data_of(html)


def test_images_that_lie_elsewhere_are_shown_on_each_other_which_is_said():
    made = oblique_page().contents
    far = np.eye(4)
    far[:3, 3] = 900.0
    moving = Image(made.moving.array, far @ made.moving.affine)
    contents = PageContents(made.fixed, moving)
    assert "hardly overlap" in make_page(contents)
    built = building.build(contents)
    assert built.texts["moving"] == building.build(
        PageContents(made.fixed, made.moving)
    ).texts["moving"]  # fmt: skip


def test_a_page_gets_coarser_until_it_fits_and_says_so(rng):
    affine = np.diag([0.8, 0.8, 2.0, 1])
    noise = [Image(rng.normal(size=(60, 50, 20)), affine) for _ in range(2)]
    contents = PageContents(*noise)
    whole = building.build(contents)
    room = sum(map(len, whole.texts.values())) // 5
    small = building.build(contents, max_text=room)
    assert sum(map(len, small.texts.values())) <= room
    assert "instead of 0.8 × 0.8 × 2 mm" in small.notes[-1]
    assert "instead of" not in whole.notes[-1]


def test_errors_of_landmarks_are_measured_before_and_after():
    made = oblique_page()
    rows = building.build(made.contents).data["landmarks"]
    landmarks = made.contents.landmarks
    for index, row in enumerate(rows):
        away = landmarks.moving[index] - landmarks.fixed[index]
        assert row["error_before"] == pytest.approx(np.linalg.norm(away))
        assert row["error_after"] == pytest.approx([0.5, 1.0][index])
        np.testing.assert_allclose(row["before"], landmarks.moving[index])


def test_displacements_are_those_of_the_transform_in_shown_voxels():
    made = oblique_page()
    field = building.build(made.contents).data["field"]
    grid = np.array(building.build(made.contents).data["grid"]["affine"])
    stored = np.frombuffer(base64.b64decode(field["data"]), "<i2").reshape(3, -1)
    moves = (stored * field["scale"]).T @ grid[:3, :3].T
    expected = made.contents.transform.components[0].matrix[:3, 3]
    np.testing.assert_allclose(moves, np.broadcast_to(expected, moves.shape), atol=2e-3)


@pytest.mark.parametrize("whole", [True, False])
def test_the_jacobian_is_that_of_the_field_and_shows_single_folds(whole, rng):
    """Also where a shown voxel stands for several, and a field has many rows."""
    grid = Grid((40, 9, 8), np.diag([-1.0, 2.0, 1.5, 1]))
    field = rng.normal(0, 0.2, (*grid.shape, 3)).astype(np.float32)
    field[17, 4, 4, 0] = 9.0
    steps = jacobian_determinant(field @ grid.inverse[:3, :3].T.astype(np.float32))
    shrinking = Shrinking(grid, (1, 1, 1) if whole else (3, 2, 2))
    text = jacobian_text(shrinking, Transform((DenseField(field, grid.affine),)), field)
    raw = gzip.decompress(base64.b64decode(text))
    shown = np.frombuffer(raw[352:], np.uint8)
    stored = shown.reshape(shrinking.coarse.shape, order="F")[::-1]
    folds = shrinking.any(steps <= 0)
    assert np.array_equal(stored == 0, folds)
    assert 0 < folds.sum() < folds.size
    expected = np.clip(shrinking.mean(steps), 1 / 127, 255 / 127)
    apart = np.abs(stored / 127 - expected)[~folds]
    assert apart.max() < 0.6 / 127


def test_labels_are_coded_with_the_background_first():
    made = oblique_page()
    built = building.build(made.contents)
    assert built.data["labels"][0] == 0
    assert sorted(built.data["labels"]) == [0, 1, 2, 7, 14]
