"""A folder of models that ship, as small as they can be, in the place of the real ones.

With `monkeypatch`, `put_in_place` has the package find them by their names.
"""

import json

import numpy as np
from random_models import spline, write_random_model

DATA = "three hearts (CC0 1.0)"
PROVENANCE = {"seed": 5, "licence": "Apache-2.0", "training_data": DATA}
CONFIGS = {
    "general-2d": {
        "description": "any two images",
        "ndim": 2,
        "spacing": [1.5, 2.0],
        "stages": [spline([4, 2])],
    },
    "general-3d": {
        "description": "any two images",
        "ndim": 3,
        "spacing": [3.0, 2.5, None],
        "axes": "slices_last",
        "stages": [spline([4, 4, 1])],
    },
    "cardiac-cine": {
        "description": "hearts",
        "ndim": 3,
        "spacing": [3.0, 2.5, None],
        "axes": "slices_last",
        "stages": [spline([4, 4, 1]), spline([2, 2, 1])],
    },
}


def write_shipped(folder, names=tuple(CONFIGS)):
    """Writes models with random weights; returns the folder that they are in."""
    for number, name in enumerate(names):
        rng = np.random.default_rng(number)
        options = {"added": False, "provenance": PROVENANCE}
        write_random_model(folder / name, CONFIGS[name], rng, 0.5, **options)
        (folder / name / "ATTRIBUTION.md").write_text(f"Thanks for {name}.\n")
    return folder


def put_in_place(monkeypatch, folder):
    """Has the package find the models of a folder by their names."""
    from dlir_tf.models import names

    monkeypatch.setattr(names, "SHIPPED", folder)


def set_provenance(folder, **changes):
    """Changes what a model folder says of its making."""
    path = folder / "provenance.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
