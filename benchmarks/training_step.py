"""One training step of a chain beside VoxelMorph's default network, in one run.

python benchmarks/training_step.py --size 96 128 96

The same two images and the same similarity (MSE). Ours: an affine and three spline
stages, all in training at once. VoxelMorph's: a U-Net at full resolution and five
steps of integration. So the steps are those that a user of either would wait for, not
the same arithmetic. VoxelMorph's network needs multiples of 32 voxels.
"""

import argparse
from pathlib import Path

import numpy as np
from machine import as_commands_do
from pages import put_into_page
from timing import report, tables, time_in_turn, write_json
from torch_peers import use_all_cores, voxelmorph_step

from dlir_tf.config import Config

_STAGES = [
    {"transform": "affine", "downsample": 4, "feature_spacing": 16},
    *(
        {
            "transform": "bspline",
            "downsample": downsample,
            "control_point_spacing": spacing,
            "filters": [16, 32, 32],
        }
        for downsample, spacing in ((4, 16), (2, 8))
    ),
    {
        "transform": "bspline",
        "downsample": 1,
        "control_point_spacing": 4,
        "filters": [16, 32],
    },
]
_OFF = {"rotation_degrees": 0, "scale": 0, "translation": 0, "gamma": 0, "noise": 0}


def main() -> None:
    """Times steps in turn."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, nargs=3, default=(96, 128, 96))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path, help="where the figures go")
    parser.add_argument("--page", type=Path, help="put the table into this page")
    options = parser.parse_args()
    as_commands_do()
    size, rng = tuple(options.size), np.random.default_rng(0)
    fixed, moving = rng.random((2, *size), dtype=np.float32)
    use_all_cores()
    candidates = {
        "dlir-tf: affine and three spline stages": our_step(fixed, moving),
        "VoxelMorph: its default network": voxelmorph_step(fixed, moving),
    }
    seconds = time_in_turn(candidates, options.rounds)
    title = f"training step, a pair of {'×'.join(map(str, size))}"
    results = {title: report(title, seconds)}
    write_json(options.json, {"groups": results})
    if options.page:
        put_into_page(tables(results), "training step", options.page)


def our_step(fixed: np.ndarray, moving: np.ndarray):
    """A step of `dlir-tf train` in its last phase, without augmentation."""
    import tensorflow as tf

    from dlir_tf import build_model
    from dlir_tf.training.optimizer import make_optimizer
    from dlir_tf.training.phases import training_phases
    from dlir_tf.training.step import make_train_step

    config = Config.model_validate(
        {
            "ndim": 3,
            "spacing": 1.0,
            "similarity": {"kind": "mse"},
            "stages": _STAGES,
            "training": {"joint_steps": 1, "augmentation": _OFF},
        }
    )
    train = make_train_step(
        build_model(config),
        config,
        training_phases(config)[-1],
        make_optimizer("float32"),
        tf.distribute.get_strategy(),
        seed=0,
    )
    batch = {
        "fixed": tf.constant(fixed[None, ..., None]),
        "moving": tf.constant(moving[None, ..., None]),
        "mask": tf.ones((1, *fixed.shape, 1)),
        "spacing": tf.ones((1, 3)),
        "extent": tf.constant([fixed.shape], tf.int32),
        "step": tf.constant([0], tf.int64),
    }
    return lambda: float(train(dict(batch))["loss"])


if __name__ == "__main__":
    main()
