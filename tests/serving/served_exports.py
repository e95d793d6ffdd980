"""Exports of model folders on a server, whose own check is tested elsewhere."""

import os

import pytest
from model_process import served

from dlir_tf.export import savedmodel
from dlir_tf.export.parity import Parity
from dlir_tf.models.folder import load_model


def served_exports(models, folder):
    """Starts a server of the model folders, by the names that they get there."""
    if os.environ.get("DLIR_TF_SERVING"):
        pytest.skip("the server that DLIR_TF_SERVING names has other models")
    agreeing = Parity(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, timings=(), peak_mb=0.0)

    def write(folder):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(savedmodel, "check_parity", lambda *_: agreeing)
            for name, model in models.items():
                savedmodel.export_savedmodel(load_model(model), folder, name=name)

    return served(write, folder)
