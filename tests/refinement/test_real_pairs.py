"""Presets on a real pair each, without a model; landmarks and labels are the judges."""

import numpy as np
import pytest

from dlir_tf.config import load_config
from dlir_tf.evaluation.evaluate import evaluate_pair
from dlir_tf.pairs.manifest import read_manifest

pytestmark = pytest.mark.slow


def test_a_breathing_liver(shared_data):
    pair = read_manifest(shared_data / "liver.csv")[2]
    found = evaluate_pair(pair, config=load_config("liver-mr"), refine=60)
    assert np.mean(found.before.landmark_errors) > 6
    assert np.mean(found.after.landmark_errors) < 2.2
    assert found.after.folded_percent == 0
    assert found.report.verdict == "PASS"


def test_a_beating_heart(shared_data):
    pair = read_manifest(shared_data / "acdc_train.csv")[3]
    found = evaluate_pair(pair, config=load_config("cardiac-cine"), refine=50)
    gain = np.mean(list(found.after.dice.values()))
    gain -= np.mean(list(found.before.dice.values()))
    assert gain > 0.07
    assert found.after.folded_percent == 0
