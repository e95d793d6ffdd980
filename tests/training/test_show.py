"""A training is seen: by its page, and by TensorBoard."""

import base64
import re

import numpy as np
import pytest
import tensorflow as tf

from dlir_tf.training import train
from dlir_tf.training.log import TrainingLog
from dlir_tf.training.phases import training_phases
from dlir_tf.training.show import Show
from dlir_tf.training.sights import Sights


def pictures(page):
    """All that are on a page, with what stands below them."""
    found = re.findall(r'base64,([^"]*)".*?<strong>(.*?)</strong>', page, re.DOTALL)
    return [(base64.b64decode(data), name) for data, name in found]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Where a model and its page are to be made once."""
    return tmp_path_factory.mktemp("trained") / "<b>model"


@pytest.fixture
def seen(trained, make_config, make_pairs):
    """A trained model's folder."""
    if not trained.exists():
        augmentation = {"rotation_degrees": 0, "scale": 0, "translation": 0}
        config = make_config("bspline", augmentation=augmentation)
        pairs = make_pairs(4, labels=True)
        train(config, pairs, trained, validation=pairs[1:], seed=3)
    return trained


def test_a_training_has_a_page_with_its_best_and_worst_pairs(seen):
    page = (seen / "training.html").read_text("utf-8")
    assert "<h1>Training of &lt;b&gt;model</h1>" in page
    assert "6 of 6 steps" in page
    shown = pictures(page.partition("Best validation pairs")[0])
    best, _, worst = page.partition("Best validation pairs")[2].partition("Worst")
    best, worst = pictures(best), pictures(worst)
    assert (len(shown), len(best), len(worst)) == (3, 2, 2)
    # Of three pairs, the one in the middle is among both, and looks alike.
    assert best[1] == worst[1]
    assert {name for _, name in shown} == {name for _, name in best + worst}
    assert all(png.startswith(b"\x89PNG\r\n") for png, _ in shown)
    assert len(dict(shown)) == 3
    assert shown[0][1] == "pair1_moving.nii to pair1_fixed.nii (pairs.csv, line 3)"
    for heading in ("displacement (mm)", "Jacobian determinant", "Dice of labels"):
        assert heading in page


def test_tensorboard_shows_pictures_and_histograms(seen):
    reader = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator",
        reason="TensorBoard isn't installed: pip install dlir-tf[tensorboard]",
    )
    events = reader.EventAccumulator(str(seen / "tensorboard"), {"tensors": 0})
    events.Reload()
    found = {}
    for tag in events.Tags()["tensors"]:
        kind = events.SummaryMetadata(tag).plugin_data.plugin_name
        found.setdefault(kind, []).append(tag)
    assert len(found["images"]) == 3
    page = pictures((seen / "training.html").read_text("utf-8"))
    for tag in found["images"]:
        tensors = events.Tensors(tag)
        assert [event.step for event in tensors] == [2, 4, 6]
        width, height, png = tf.make_ndarray(tensors[-1].tensor_proto)
        shape = tf.io.decode_png(png).shape
        assert (int(height), int(width)) == tuple(shape[:2])
    assert any(png == each for each, _ in page)
    assert len(found["histograms"]) == 2
    for tag in found["histograms"]:
        rows = tf.make_ndarray(events.Tensors(tag)[-1].tensor_proto)
        assert rows[:, 2].sum() == 3 * 32 * 24
        np.testing.assert_allclose(rows[1:, 0], rows[:-1, 1])


def test_without_validation_pairs_there_are_curves(make_config, tmp_path):
    phases = training_phases(make_config("affine bspline"))
    log = TrainingLog(tmp_path / "training.csv", tmp_path / "events")
    show = Show(tmp_path, log, phases, [])
    log.write(phases[0].name, 2, {"loss": 0.5, "learning_rate": 0.1})
    show.validated(0, 2, Sights(0), is_best=True)
    show.finish()
    page = (tmp_path / "training.html").read_text("utf-8")
    assert page.count("<svg") == 2
    assert pictures(page) == []
