"""The page of a series in a real browser: the frame that is asked for is shown."""

import numpy as np
import pytest
from browsers import Visit, open_browser
from made_pages import HOSTILE
from made_series import COUNT, GROWTH, LANDMARK, growing, made_series, slice_affine
from seen_pages import SHARP, SOME, go_to, grey, read, seen
from selenium_actions import click_at

from dlir_tf.page.series import write_series_page

SERIES = {
    "oblique": {},
    "one slice": {
        "shape": (30, 24, 1),
        "affine": slice_affine(),
        "sizes": (3, 3, 1),
    },
}


@pytest.fixture(scope="module")
def browser():
    with open_browser(1300, 800) as browser:
        yield browser


@pytest.fixture(scope="module", params=SERIES)
def page(request, browser, tmp_path_factory):
    """A series, opened, with nothing drawn above its images."""
    made = made_series(**SERIES[request.param])
    path = tmp_path_factory.mktemp("pages") / "series ünd <b>.html"
    write_series_page(path, made.contents)
    made.visit = Visit(browser, path).ready()
    made.first_frame = made.visit.run("return page.frame")
    made.first_words = made.visit.complaints(), made.visit.requests()
    made.visit.run(SHARP)
    made.visit.press("x")
    made.visit.press("l")
    return made


def to_frame(made, number):
    """Moves the slider."""
    made.visit.run(
        "const slider = document.getElementById('frame');"
        "slider.value = arguments[0]; slider.dispatchEvent(new Event('input'))",
        number,
    )
    made.visit.settle()


def shown_frame(made):
    """The frame that everything says is shown."""
    told = made.visit.run(
        "const rows = [...document.querySelectorAll('#frame-table [aria-current]')];"
        "const mark = document.querySelector('.curves .mark');"
        "const svg = document.querySelector('.curves svg');"
        "return [page.frame, Number(document.getElementById('frame').value),"
        " ...rows.map((row) => Number(row.dataset.frame)),"
        " page.panes.moving.volume.frame4D, page.panes.moved.volume.frame4D,"
        " Math.round((mark.getAttribute('x1') - svg.dataset.left)"
        " / svg.dataset.span * (page.data.frames.count - 1))]"
    )
    assert len(told) == 6
    assert len(set(told)) == 1, told
    return told[0]


def telling_voxels(made, number):
    """Voxels in the middle of blocks, where all three images differ much."""
    shape = made.grid.shape
    inner = np.zeros(shape, bool)
    inner[1:-1:3, 1:-1:3, :] = True
    three = [made.arrays["moving"][0], *(made.arrays[r][number] for r in made.arrays)]
    if not number:
        three.pop(0)
    ordered = np.sort(np.stack(three).astype(float), axis=0)
    found = np.argwhere(inner & (np.diff(ordered, axis=0).min(axis=0) > 200))
    return [tuple(int(v) for v in found[n]) for n in (0, len(found) // 2)]


def test_it_opens_without_complaints_at_the_frame_that_differs_most(page):
    complaints, requests = page.first_words
    assert complaints == []
    assert len(requests) == 1
    assert page.first_frame == 4  # by similarity
    text = page.visit.find("body").text
    assert HOSTILE in text
    assert page.visit.run("return window.broken") is None


@pytest.mark.parametrize("number", [0, 7])
def test_the_pixel_at_the_cross_hair_is_the_voxel_of_the_frame(page, number):
    to_frame(page, number)
    assert shown_frame(page) == number
    for voxel in telling_voxels(page, number):
        go_to(page, voxel)
        expected = {
            "fixed": page.arrays["moving"][0],
            "moving": page.arrays["moving"][number],
            "moved": page.arrays["moved"][number],
        }
        planes = 1 if page.grid.shape[2] == 1 else 3
        for role, array in expected.items():
            colours = seen(page, role)
            assert len(colours) == planes
            level = grey(page, role, array[voxel])
            assert np.abs(colours - level).max() <= SOME, role


@pytest.mark.parametrize("number", [0, 7])
def test_the_table_has_the_numbers_of_the_frame(page, number):
    to_frame(page, number)
    voxel = telling_voxels(page, number)[1]
    go_to(page, voxel)
    rows = read(page)
    first = float(rows["Fixed: frame 0"].split(",")[0])
    assert first == page.arrays["moving"][0][voxel]
    value, label = rows["Each frame, before"].split(", label ")
    assert float(value) == page.arrays["moving"][number][voxel]
    assert int(label) == page.labels[number][voxel]
    assert float(rows["Each frame, after"]) == page.arrays["moved"][number][voxel]
    away = GROWTH * number * abs(page.grid.to_world(np.array(voxel, float))[0])
    shown = float(rows["Displacement"].removesuffix(" mm"))
    assert shown == pytest.approx(away, abs=0.03)
    assert float(rows["Jacobian"]) == pytest.approx(page.growth[number], abs=0.011)


def test_outlines_and_the_jacobian_are_those_of_the_frame(page):
    pictures = {}
    for key in ("l", "j"):
        page.visit.press(key)
        if key == "j":
            page.visit.wait(
                lambda b: page.visit.run("return Boolean(page.panes.moved.jacobian)")
            )
        for number in (1, 8, 1):
            to_frame(page, number)
            role = "moving" if key == "l" else "fixed"
            picture = page.visit.pixels(f'.pane[data-role="{role}"] .view')
            if (key, number) in pictures:
                assert np.abs(picture - pictures[key, number]).max() <= SOME
            pictures[key, number] = picture
        page.visit.press(key)
        assert np.abs(pictures[key, 1] - pictures[key, 8]).max() > 40, key


def test_landmarks_are_where_they_are_in_the_frame(page):
    for number in (0, 7):
        to_frame(page, number)
        (row,) = page.visit.run("return page.data.landmarks")
        place = growing(number).map_points(np.array([LANDMARK]))[0]
        np.testing.assert_allclose(row["before"], place, atol=1e-9)
        np.testing.assert_allclose(row["fixed"], LANDMARK, atol=1e-6)
        shown = page.visit.find('.curves[data-name="landmarks"] .now').text
        away = place[0] - LANDMARK[0]
        assert float(shown.removesuffix(" mm")) == pytest.approx(away, rel=1e-3)


def test_keys_buttons_and_curves_go_to_a_frame(page):
    to_frame(page, COUNT - 1)
    page.visit.press(".")
    assert shown_frame(page) == 0  # around
    page.visit.press(",")
    assert shown_frame(page) == COUNT - 1
    button = page.visit.find('button.frame[data-frame="3"]')
    page.visit.run("arguments[0].click()", button)
    assert shown_frame(page) == 3
    output = page.visit.find('.curves[data-name="volumes"] .now').text
    assert output == "55 ml"
    spot = page.visit.run(
        "const svg = document.querySelector('.curves svg');"
        "const scale = svg.getBoundingClientRect().width / svg.viewBox.baseVal.width;"
        "return scale * (Number(svg.dataset.left) + svg.dataset.span * 6 / 8)"
    )
    click_at(page.visit, ".curves svg", spot, 40)
    assert shown_frame(page) == 6
    told = page.visit.find("#frame-told").text
    assert told == "Frame 6 of 0 to 8 (0.30 s)"


def test_it_plays_until_it_is_stopped(page):
    to_frame(page, 2)
    page.visit.press(" ")
    page.visit.wait(lambda b: page.visit.run("return page.frame > 3"))
    page.visit.run("document.getElementById('play').click()")
    stopped = shown_frame(page)
    assert page.visit.find("#play").get_attribute("aria-pressed") == "false"
    page.visit.run("return 0")
    page.visit.settle()
    assert shown_frame(page) == stopped
    assert page.visit.complaints() == []
