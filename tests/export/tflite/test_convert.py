"""What can't be built in is named; what can is, for every preset."""

import numpy as np
import pytest
import tensorflow as tf
from random_models import spline

from dlir_tf.config import Config
from dlir_tf.errors import ExportError
from dlir_tf.export.tflite import convert as module
from dlir_tf.export.tflite.convert import NotBuiltInError, check_convertible, convert
from dlir_tf.models.model import build_model

CONFIG = {"ndim": 2, "spacing": [1.5, 2.0], "stages": [spline([4, 2])]}


def test_names_the_operation_and_the_stage(monkeypatch):
    signatures = module.signatures

    def unusual(network, shape):
        functions = signatures(network, shape)
        specs = functions["parameters"].input_signature

        @tf.function(input_signature=specs)
        def run(fixed, moving, spacing):
            outputs = functions["parameters"](fixed, moving, spacing)
            with tf.name_scope("stage_1_bspline/unusual/"):
                return {name: tf.math.digamma(out) for name, out in outputs.items()}

        return {"parameters": run}

    monkeypatch.setattr(module, "signatures", unusual)
    with pytest.raises(
        NotBuiltInError, match=r"it needs Digamma \(stage 1, bspline.*Flex"
    ):
        check_convertible(Config.model_validate(CONFIG))


def test_what_the_converter_says_otherwise():
    class Broken:
        def convert(self):
            raise ValueError("no idea\nand much more")

    with pytest.raises(
        ExportError,
        match=r"can't convert it: no idea; .*report it.* --format savedmodel",
    ):
        module._converted(Broken())


def test_no_grids_in_the_file():
    """The file of a larger shape is as small: coordinates are computed, not stored."""
    network = build_model(Config.model_validate(CONFIG))
    small, large = (len(convert(network, s, "float32")) for s in ((16, 16), (256, 320)))
    field_bytes = 256 * 320 * 2 * 4
    assert large - small < field_bytes / 20
    assert large < 4 * sum(np.prod(w.shape) for w in network.weights) + 200_000
