"""The page of an evaluation: a table of its pairs, with pictures, in a browser."""

import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from browsers import Visit, open_browser
from shifted_pairs import identity, shifted_pair

from dlir_tf.evaluation.evaluate import PairEvaluation, PairFailure
from dlir_tf.evaluation.measures import Measures
from dlir_tf.evaluation.page import Shown, cohort_rows
from dlir_tf.page.cohort import make_cohort_page, write_cohort_page
from dlir_tf.page.thumbnail import SIZE
from dlir_tf.pairs.manifest import Pair

DICE = (0.8, 0.4, 0.6)


def outcomes(count=3):
    """What came of pairs of which the second is the worst, and of one that failed."""
    found = []
    for number in range(count):
        pair = Pair(Path("a.nii"), Path(f"b{number}.nii"), f"p.csv, line {number + 2}")
        dice = {5: DICE[number % 3]}
        before, after = Measures(0.1, 0, 0, {5: 0.2}), Measures(0.9, 0, 0.1, dice)
        report = SimpleNamespace(seconds=1.0, verdict="PASS", reasons=())
        found.append(PairEvaluation(pair, before, after, report))
    lost = Pair(Path("a.nii"), Path("c.nii"), "p.csv, line 99")
    return [*found, PairFailure(lost, "p.csv, line 99: can't be read")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where the page and all that belongs to it lie; the names need quoting."""
    folder = tmp_path_factory.mktemp("evaluation")
    shown = Shown(folder / "all.html", ["a 0", "ü#1", "c?2", "lost"], pages=True)
    pair = shifted_pair()
    moved = SimpleNamespace(
        moved=pair.moving,
        transform=identity(pair.fixed),
        computed=np.zeros((*pair.fixed.shape, 3), np.float32),
        report=SimpleNamespace(to_dict=dict),
    )
    for index in range(3):
        shown.look(index)(pair, moved)
    write_cohort_page(folder / "all.html", cohort_rows(outcomes(), shown))
    return folder


def test_files_of_the_pairs_lie_beside_the_page(folder):
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*.*")}
    names = ("a 0", "ü#1", "c?2")
    assert found == {
        "all.html",
        *(f"all_pairs/{name}/{file}" for name in names for file in FILES),
    }
    page = folder / "all_pairs" / "a 0" / "page.html"
    assert "<h1>a 0</h1>" in page.read_text("utf-8")


FILES = ("page.html", "thumbnail.png")


def test_a_browser_shows_pictures_links_and_the_worst_first(folder):
    with open_browser() as browser:
        visit = Visit(browser, folder / "all.html").ready()
        order = visit.run(
            "return [...document.querySelectorAll('#pairs tbody tr')]"
            ".map((row) => row.dataset.id.match(/line (.*):/)[1])"
        )
        assert order == ["99", "3", "4", "2"]
        pictures = "[...document.querySelectorAll('#pairs img')]"
        visit.run(f"{pictures}.forEach((one) => one.loading = 'eager')")
        visit.wait(lambda b: visit.run(f"return {pictures}.every((i) => i.complete)"))
        widths = visit.run(f"return {pictures}.map((one) => one.naturalWidth)")
        assert widths == [3 * SIZE] * 3
        links = visit.run(
            "return [...document.querySelectorAll('#pairs tbody th a')]"
            ".map((link) => decodeURIComponent(new URL(link.href).pathname))"
        )
        assert [Path(link).relative_to(folder.resolve()) for link in links] == [
            Path("all_pairs", name, "page.html") for name in ("ü#1", "c?2", "a 0")
        ]
        spreads = "return document.querySelectorAll('.spreads svg').length"
        assert visit.run(spreads) == 2  # all have the same seconds, and no folds
        assert visit.complaints() == []


def test_500_pairs_make_a_page_at_once():
    rows = cohort_rows(
        outcomes(500), Shown(Path("all.html"), [str(n) for n in range(501)], pages=True)
    )
    begun = time.monotonic()
    html = make_cohort_page(rows)
    assert time.monotonic() - begun < 10  # tenths on a machine that does nothing else
    assert html.count("thumbnail.png") == 500
    assert len(html) < 2_000_000
