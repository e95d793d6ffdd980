"""Curves and histograms as SVG: points where they belong, names as they are."""

import xml.etree.ElementTree as ET

import numpy as np
import pytest

from dlir_tf.figures.curves import draw_bars, draw_curves


def parse(svg):
    return ET.fromstring(svg)  # noqa: S314  (our own)


NAME = "</title><script>alert('ü & \"x\"')"


def test_points_lie_where_their_values_are():
    points = [(100, 4.0), (200, 1.0), (400, 2.0)]
    svg = parse(draw_curves("Loss", [("training", "first", points)]))
    (line,) = svg.iter("polyline")
    places = [tuple(map(float, each.split(","))) for each in line.get("points").split()]
    (x0, y0), (x1, y1), (x2, y2) = places
    assert (x2 - x0) == pytest.approx(3 * (x1 - x0), abs=0.5)
    assert (y1 - y0) == pytest.approx(3 * (y1 - y2), abs=0.5)
    assert y1 > y2 > y0  # downwards
    width, height = map(float, svg.get("viewBox").split()[2:])
    assert all(0 < x < width and 0 < y < height for x, y in places)
    assert "training: 2 at the end" in svg.get("aria-label")


def test_axes_have_round_numbers_at_their_places():
    svg = parse(draw_curves("Loss", [("a", "first", [(0, 0.0), (50, 1.0)])]))
    (line,) = svg.iter("polyline")
    (_, low), (_, high) = (map(float, p.split(",")) for p in line.get("points").split())
    marks = {
        t.text: float(t.get("y"))
        for t in svg.iter("text")
        if t.get("text-anchor") == "end"
    }
    assert marks["0"] == pytest.approx(low + 4, abs=0.1)
    assert marks["1"] == pytest.approx(high + 4, abs=0.1)


@pytest.mark.parametrize("values", [[0.0], [3.0, 3.0], [-2.0, -2.0], [1e-9, 2e-9]])
def test_constant_and_single_values_are_drawn(values):
    points = list(enumerate(values, start=1))
    svg = parse(draw_curves(NAME, [(NAME, "second", points)]))
    assert [title.text for title in svg.iter("title")] == [NAME]
    assert svg.get("aria-label").startswith(NAME)
    assert "nan" not in ET.tostring(svg, "unicode")


def test_bars_are_as_high_as_counts_and_folds_stand_out():
    counts, edges = np.array([1, 3, 0, 4]), np.array([-1.0, 0.0, 1.0, 2.0, 3.0])
    svg = parse(draw_bars("Jacobian", counts, edges, bad_until=0.0))
    bars = list(svg.iter("rect"))
    heights = np.array([float(bar.get("height")) for bar in bars])
    np.testing.assert_allclose(heights / heights[0], counts, atol=0.05)
    assert [bar.get("fill") for bar in bars] == ["var(--bad)", *["var(--first)"] * 3]
    places = [float(bar.get("x")) for bar in bars]
    np.testing.assert_allclose(np.diff(places), np.diff(places)[0], atol=0.2)
