"""The page of a training: nothing from elsewhere, nothing that is run."""

import base64
from html.parser import HTMLParser

import numpy as np

from dlir_tf.training.web_page import Shown, Stage, make_page

NAME = "</title><script>alert(1)</script> \"Müller's\" & <b>.nii to 'x' (v.csv, line 2)"
ROWS = [
    {"phase": "stage_1", "step": "10", "loss": "0.5", "validation_dice": ""},
    {"phase": "stage_1", "step": "20", "loss": "0.25", "validation_dice": "0.8"},
    {"phase": "joint", "step": "10", "loss": "0.2", "validation_dice": ""},
]


class Reader(HTMLParser):
    """Collects tags with their attributes, and all text."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.text = [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text.append(data)

    def named(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


def stages():
    pair = Shown(NAME, {"loss": 0.125, "folded_percent": 0.0}, b"\x89PNG of nobody")
    histogram = ("Jacobian", np.array([1, 2]), np.array([-1.0, 0.0, 1.0]), 0.0)
    first = Stage("stage_1", 20, 20, [pair], [pair], [pair], [histogram])
    return [first, Stage("stage_2", 20), Stage("joint", 10)]


def test_names_are_text_and_pictures_are_inside():
    read = Reader(make_page(NAME, NAME, stages(), ROWS))
    pictures = read.named("img")
    assert len(pictures) == 3
    assert {each["alt"] for each in pictures} == {f"{NAME}, before and after"}
    head, _, data = pictures[0]["src"].partition(",")
    assert head == "data:image/png;base64"
    assert base64.b64decode(data) == b"\x89PNG of nobody"
    assert read.text.count(NAME) >= 3
    assert any("loss 0.125, folded percent 0" in text for text in read.text)


def test_nothing_is_fetched_or_run():
    page = make_page(NAME, NAME, stages(), ROWS)
    read = Reader(page)
    names = {name for name, _ in read.tags}
    assert not names & {"script", "link", "iframe", "object", "embed", "form", "b"}
    assert "//" not in page.replace("<!doctype html>", "")
    for _, attributes in read.tags:
        assert not [key for key in attributes if key.startswith("on")]
        assert attributes.get("src", "data:").startswith("data:")
        assert "href" not in attributes
    assert "prefers-color-scheme: dark" in page
    assert page.isascii() or '<meta charset="utf-8">' in page


def test_each_stage_that_has_begun_has_its_curves():
    read = Reader(make_page("A", "B", stages(), ROWS))
    labels = [each["aria-label"] for each in read.named("svg")]
    assert [label.split(",")[0] for label in labels] == [
        "Loss",
        "Dice of labels",
        "Jacobian",
        "Loss",
    ]
    assert labels[0] == "Loss, by step. training: 0.25 at the end"
    assert "stage_2" not in read.text
    assert [t for t in read.text if "steps" in t] == [
        "20 of 20 steps",
        "10 of 10 steps",
    ]


def test_without_rows_there_is_a_page_too():
    assert Reader(make_page("A", "B", stages(), [])).named("h1")
