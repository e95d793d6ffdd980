"""The page of a cohort, in a browser and without."""

import csv
import io

import numpy as np
import pytest
from browsers import Visit, open_browser
from made_pages import HOSTILE, flat_page, oblique_page
from matplotlib.image import imread

from dlir_tf.page.cohort import CohortRow, make_cohort_page, write_cohort_page
from dlir_tf.page.histograms import histogram_svg
from dlir_tf.page.thumbnail import SIZE, write_thumbnail

COUNT = 500


def cohort():
    """500 pairs, among them one that failed, with a name that is no name."""
    rng = np.random.default_rng(8)
    rows = [
        CohortRow(
            f"pair {number}",
            ("PASS", "WARN", "FAIL")[number % 3],
            ("the images are hardly alike",) if number % 3 else (),
            {
                "similarity_before": rng.uniform(0, 0.5),
                "similarity_after": rng.uniform(0.5, 1),
                "dice_after": rng.uniform(0.4, 0.9),
                "dice_after_3": 0.5,
            },
            page="pair 1/page.html" if number == 1 else None,
            thumbnail="pair 1/thumbnail.png" if number == 1 else None,
        )
        for number in range(COUNT - 1)
    ]
    return [*rows, CohortRow(HOSTILE, "ERROR", (HOSTILE,))]


@pytest.fixture(scope="module")
def visit(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cohort")
    (folder / "pair 1").mkdir()
    image = flat_page().contents.fixed
    write_thumbnail(folder / "pair 1" / "thumbnail.png", image, image)
    write_cohort_page(folder / "index.html", cohort(), title=f"All {HOSTILE}")
    with open_browser() as browser:
        yield Visit(browser, folder / "index.html").ready()


@pytest.fixture
def page(visit):
    """The page with nothing filtered and nothing marked."""
    visit.run("localStorage.clear()")
    visit.browser.refresh()
    return visit.ready()


IDS = (
    "return [...document.querySelectorAll('#pairs tbody tr')]"
    ".filter((row) => !row.hidden).map((row) => row.dataset.id)"
)


def sort(page, name):
    page.run(
        "[...document.querySelectorAll('button.sort')]"
        ".find((one) => one.textContent === arguments[0]).click()",
        name,
    )


def test_the_worst_pair_comes_first(page):
    rows = sorted(cohort()[:-1], key=lambda row: row.numbers["dice_after"])
    order = ("FAIL", "WARN", "PASS")
    expected = [row.id for verdict in order for row in rows if row.verdict == verdict]
    assert page.run(IDS) == [HOSTILE, *expected]
    assert page.complaints() == []
    assert all(url.startswith("file:") for url in page.requests())


def test_it_sorts_by_numbers_both_ways_and_what_is_unknown_last(page):
    known = sorted(cohort()[:-1], key=lambda row: row.numbers["similarity_after"])
    names = [row.id for row in known]
    sort(page, "similarity after")
    assert page.run(IDS) == [*names, HOSTILE]
    sort(page, "similarity after")
    assert page.run(IDS) == [*names[::-1], HOSTILE]
    sort(page, "Pair")
    assert page.run(IDS)[1:4] == ["pair 0", "pair 1", "pair 2"]


def test_it_filters_by_text_and_verdict(page):
    page.run(
        "const box = document.getElementById('search');"
        "box.value = 'PAIR 10'; box.dispatchEvent(new Event('input'))"
    )
    assert len(page.run(IDS)) == 11
    page.run(
        "const box = document.getElementById('verdict');"
        "box.value = 'FAIL'; box.dispatchEvent(new Event('change'))"
    )
    expected = {f"pair {n}" for n in (10, *range(100, 110)) if n % 3 == 2}
    assert set(page.run(IDS)) == expected
    assert page.find("#shown").text == f"{len(expected)} of {COUNT} shown"


def test_marks_are_kept_and_downloaded_as_csv(page):
    press = (
        "document.querySelector(`tr[data-id='${arguments[0]}'] "
        "button[data-mark='${arguments[1]}']`).click()"
    )
    page.run(press, "pair 7", "bad")
    page.run(press, "pair 8", "good")
    page.run(press, "pair 9", "bad")
    page.run(press, "pair 9", "bad")
    page.browser.refresh()
    page.ready()
    rows = list(csv.DictReader(io.StringIO(page.run("return csv()"))))
    assert len(rows) == COUNT
    marked = {row["id"]: row["mark"] for row in rows if row["mark"]}
    assert marked == {"pair 7": "bad", "pair 8": "good"}
    assert HOSTILE in {row["id"] for row in rows}


def test_pictures_and_links_lead_to_the_pairs_folder(page):
    page.run("document.querySelector('#pairs img').scrollIntoView()")
    page.wait(lambda b: page.run("return document.querySelector('img').naturalWidth"))
    assert page.run("return document.querySelector('img').naturalWidth") == 3 * SIZE
    link = page.run("return document.querySelector('#pairs tbody a').href")
    assert link.endswith("pair%201/page.html")


def test_500_pairs_are_sorted_at_once(page):
    milliseconds = page.run(
        "const start = performance.now(); sortBy(3, true); filter();"
        "document.body.offsetHeight; return performance.now() - start"
    )
    assert milliseconds < 5000  # some tens on a machine that does nothing else


def test_names_are_text_and_verdicts_are_counted():
    html = make_cohort_page(cohort(), title=HOSTILE)
    assert HOSTILE not in html
    assert "<strong>PASS</strong>167" in html
    assert "<strong>ERROR</strong>1<" in html
    assert "dice after 3" not in html


def test_a_histogram_shows_before_and_after_on_one_axis():
    svg = histogram_svg("dice", {"before": [0.1, 0.2], "after": [0.8, 0.9, np.nan]})
    assert svg.count('class="before"') == 2
    assert svg.count('class="after"') == 2
    assert "before: median 0.15; after: median 0.85" in svg
    assert histogram_svg("seconds", {"": [2.0, 2.0]}) == ""


@pytest.mark.parametrize("make", [flat_page, oblique_page])
def test_a_thumbnail_shows_fixed_moved_and_both_in_turns(make, tmp_path):
    contents = make().contents
    write_thumbnail(tmp_path / "a.png", contents.fixed, contents.moving)
    picture = imread(tmp_path / "a.png")
    assert picture.shape[:2] == (SIZE, 3 * SIZE)
    fixed, moved, both = np.split(picture, 3, axis=1)
    assert not np.array_equal(fixed, moved)
    assert np.all((both == fixed) | (both == moved))
