"""A model without TensorFlow, for many pairs: it moves every image by one voxel.

What else it does with a pair, the file says that `SHIFTING_MODEL` names: JSON, from a
pair's number to `sleep SECONDS`, `fail`, `die`, or `die once FILE`, which leaves the
file behind. Who loads it adds a line to the file that `SHIFTING_MODEL_LOADS` names.
"""

import json
import os
import signal
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from dlir_tf.config import Config
from dlir_tf.images import Image, write_image
from dlir_tf.models.parameters import Parameters
from dlir_tf.numerics import UNCOMPILED

ACTS, LOADS = "SHIFTING_MODEL", "SHIFTING_MODEL_LOADS"
SHAPE, SPACING = (26, 22), 2.0
STAGE = {"transform": "affine", "downsample": 1, "feature_spacing": 4}
CONFIG = Config.model_validate(
    {
        "ndim": 2,
        "spacing": None,
        "intensity": {"clip_percentiles": None, "clip_values": [0, 1]},
        "stages": [STAGE],
    }
)


class ShiftingModel:
    config, shape, numerics = CONFIG, None, UNCOMPILED

    @property
    def provenance(self):
        return {"weights_sha256": "0" * 64}

    def predict(self, pair):
        act(round(100 * float(pair.fixed[pair.mask].min())))
        matrix = np.eye(2, 3)
        matrix[0, 2] = 1.0
        return replace(Parameters.identity(2), matrix=matrix)


def load(_):
    note = os.environ.get(LOADS)
    if note:
        with open(note, "a") as stream:
            stream.write(f"{os.getpid()}\n")
    return ShiftingModel()


def act(number):
    """Does what the file says of a pair."""
    name = os.environ.get(ACTS)
    acts = json.loads(Path(name).read_text()) if name else {}
    what, _, how = acts.get(str(number), "").partition(" ")
    if what == "sleep":
        time.sleep(float(how))
    elif what == "fail":
        raise RuntimeError("the sky has fallen")
    elif what == "die":
        once = Path(how.removeprefix("once ")) if how else None
        if once is None or not once.exists():
            if once is not None:
                once.touch()
            os.kill(os.getpid(), signal.SIGKILL)


def write_pairs(folder, count, *, extras=False):
    """Writes pairs that lie one voxel apart, and their manifest; returns its path."""
    folder.mkdir(exist_ok=True)
    columns = ["id", "fixed", "moving"]
    if extras:
        columns += [
            f"{s}_{k}" for k in ("labels", "points", "mask") for s in columns[1:3]
        ]
    rows = [",".join(columns)]
    for number in range(count):
        files = {"id": f"p{number}"}
        for side, shift in (("fixed", 0), ("moving", 1)):
            for kind, array in voxels(number, shift).items():
                name = f"{side}{number}{kind}.nii.gz"
                write_image(folder / name, Image(array, np.diag([SPACING, SPACING, 1])))
                files[side + kind] = name
            point = [SPACING * (10 + shift), SPACING * 9]
            files[f"{side}_points"] = f"{side}{number}.csv"
            text = f"x,y,name\n{point[0]},{point[1]},apex\n"
            (folder / f"{side}{number}.csv").write_text(text)
        rows.append(",".join(files[name] for name in columns))
    manifest = folder / "pairs.csv"
    manifest.write_text("\n".join(rows) + "\n")
    return manifest


def voxels(number, shift):
    """A ball and what belongs to it, moved by some voxels."""
    x, y = np.indices(SHAPE, np.float32)
    square = (x - 10 - shift) ** 2 + (y - 9) ** 2
    image = np.exp(-square / 12)
    image = np.maximum(image, number / 100)  # by which the model knows it
    return {
        "": image.astype(np.float32),
        "_labels": (square < 16).astype(np.int16) * 3,
        "_mask": (square < 64).astype(np.uint8),
    }
