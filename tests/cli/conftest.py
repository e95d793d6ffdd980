"""What the tests of `register` and `transform` are tried on."""

import shutil

import numpy as np
import pytest
from random_models import write_random_model
from register_desk import CONFIG, SHAPE, save, scanner_affine
from scipy import ndimage
from transform_desk import Desk


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory):
    """A model that moves images, though it never saw one."""
    folder = tmp_path_factory.mktemp("models") / "model"
    rng = np.random.default_rng(5)
    options = {"added": False, "provenance": {"seed": 5}}
    return write_random_model(folder, CONFIG, rng, 0.5, **options)


@pytest.fixture
def here(tmp_path, monkeypatch, model_folder):
    """A working directory with a model and a pair."""
    rng = np.random.default_rng(3)
    affines = {"fixed": scanner_affine(), "moving": scanner_affine(angle=0.3)}
    for name, affine in affines.items():
        array = 1000 * ndimage.gaussian_filter(rng.uniform(size=SHAPE), 1.5)
        save(tmp_path / f"{name}.nii.gz", array.astype(np.int16), affine)
    labels = rng.choice([0, 3, 517], SHAPE).astype(np.uint16)
    save(tmp_path / "labels.nii.gz", labels, affines["moving"])
    shutil.copytree(model_folder, tmp_path / "model")
    (tmp_path / "out").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(params=[2, 3])
def desk(request, tmp_path, monkeypatch, rng):
    """A folder with all that `transform` needs, which is the working directory."""
    monkeypatch.chdir(tmp_path)
    return Desk(tmp_path, rng, request.param)


@pytest.fixture
def desk3(tmp_path, monkeypatch, rng):
    """The same, in 3-d only."""
    monkeypatch.chdir(tmp_path)
    return Desk(tmp_path, rng, 3)
