"""What all tests share. Loaded before any test imports TensorFlow."""

import locale
import os
import sys
from pathlib import Path

import numpy as np
import pytest

from dlir_tf.config import Config

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

# Every xdist worker is a process that would take all cores for itself.
_workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
if _workers > 1:
    _threads = str(max(1, (os.cpu_count() or 1) // _workers))
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", _threads)
    os.environ.setdefault("TF_NUM_INTEROP_THREADS", _threads)


def pytest_collection_modifyitems(items):
    """Puts files with slow tests first: at the end, one worker would run them alone."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(autouse=True)
def _seeded_keras():
    """Makes initial weights the same in whatever order tests run.

    Tests that never touch Keras don't pay for its import.
    """
    keras = sys.modules.get("keras")
    if keras is not None and hasattr(keras, "utils"):
        keras.utils.set_random_seed(20190701)


@pytest.fixture(autouse=True)
def _kept_locale():
    """Puts the locale back that ITK's writer of DICOM files sets to C.

    The output of later tests' subprocesses could not be decoded.
    """
    kept = locale.setlocale(locale.LC_ALL)
    yield
    locale.setlocale(locale.LC_ALL, kept)


@pytest.fixture
def rng():
    """A generator in the same state at the start of every test."""
    return np.random.default_rng(20190701)


@pytest.fixture(scope="session")
def shared_data():
    """The folder of real images, which is not part of the repository."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("DLIR_TF_DATA", beside))
    if not folder.is_dir():
        pytest.skip(f"no real images: {folder} is no folder (set DLIR_TF_DATA)")
    return folder


def tiny_config(stages="affine bspline", **training):
    """Affine and spline stages of a few hundred weights each."""
    kinds = {
        "affine": {
            "transform": "affine",
            "downsample": 1,
            "feature_spacing": 8,
            "filters": [8],
            "dense_units": [16],
        },
        "bspline": {
            "transform": "bspline",
            "downsample": 1,
            "control_point_spacing": 8,
            "filters": [8],
            "lattice_filters": 8,
        },
    }
    settings = {"steps": 6, "batch_size": 2, "validate_every": 2, **training}
    return Config.model_validate(
        {
            "ndim": 2,
            "spacing": [None, None],
            "stages": [kinds[kind] for kind in stages.split()],
            "training": settings,
        }
    )


@pytest.fixture
def make_config():
    """Returns `tiny_config`, which tests can't import from here."""
    return tiny_config
