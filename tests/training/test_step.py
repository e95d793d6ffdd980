"""One training step on several devices, which need a process of their own."""

import os
import subprocess
import sys
import textwrap

import numpy as np
import pytest

from dlir_tf.config import dump_config
from dlir_tf.models.model import build_model
from dlir_tf.training.devices import training_strategy
from dlir_tf.training.optimizer import make_optimizer
from dlir_tf.training.patches import batch_size_in_voxels
from dlir_tf.training.phases import training_phases
from dlir_tf.training.pipeline import training_batches
from dlir_tf.training.step import make_train_step
from dlir_tf.training.store import PairStore

TWO_DEVICES = """
    import sys
    import numpy as np
    import tensorflow as tf
    from pathlib import Path
    from dlir_tf.config import read_config
    from dlir_tf.pairs.manifest import read_manifest
    from dlir_tf.training import train, trainer

    folder, cpu = Path(sys.argv[1]), tf.config.list_physical_devices("CPU")[0]
    halves = [tf.config.LogicalDeviceConfiguration()] * 2
    tf.config.set_logical_device_configuration(cpu, halves)
    config = read_config(folder / "config.yaml")
    pairs = read_manifest(folder / "pairs.csv")
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    models = []
    for name, size in (("one", 2), ("two", 1)):
        training = config.training.model_copy(update={"batch_size": size})
        chosen = config.model_copy(update={"training": training})
        models.append(train(chosen, pairs, folder / name, validation=pairs[:1]))
        trainer.training_strategy = lambda: strategy
    weights = [model.network.get_weights() for model in models]
    apart = [np.abs(a - b).max() for a, b in zip(*weights)]
    moved = [np.abs(a).max() for a in weights[0]]
    print(max(apart), max(moved), models[1].provenance["devices"])
"""


@pytest.mark.slow
def test_two_devices_train_like_one_with_twice_the_batch(
    make_pairs, make_config, tmp_path
):
    config = make_config("bspline", steps=4)
    (tmp_path / "config.yaml").write_text(dump_config(config))
    lines = [f"{pair.fixed},{pair.moving}\n" for pair in make_pairs(4)]
    (tmp_path / "pairs.csv").write_text("fixed,moving\n" + "".join(lines))
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(TWO_DEVICES), str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=240,
        # With one thread for both, the devices could wait for each other.
        env={**os.environ, "TF_NUM_INTEROP_THREADS": "4"},
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    apart, moved, devices = done.stdout.split(maxsplit=2)
    assert float(apart) < 1e-6
    assert float(moved) > 1e-3
    assert devices.count("CPU") == 2


def test_patches_behind_an_affine_stage_train(make_pairs, make_config, tmp_path):
    config = make_config("affine bspline", patch_size=16, learning_rate=1e-2)
    store = PairStore(make_pairs(2), config, tmp_path / "cache")
    store.fill()
    phase = training_phases(config)[1]
    network, optimizer = build_model(config), make_optimizer("float32")
    before = network.get_weights()
    step = make_train_step(
        network, config, phase, optimizer, training_strategy(), seed=2**32 - 1
    )
    batches = training_batches(
        store,
        size=batch_size_in_voxels(config, phase, store.largest_shape),
        batch_size=2,
        seed=(0, 0),
        first_step=0,
        last_step=3,
    )
    losses = [float(step(batch)["loss"]) for batch in batches]
    assert np.isfinite(losses).all()
    assert min(losses) > 0
    affine = {id(w) for w in network.get_layer("stage_1_affine").weights}
    same = {True: [], False: []}
    for weight, old in zip(network.weights, before, strict=True):
        same[id(weight) in affine].append(np.array_equal(weight, old))
    assert all(same[True])
    assert not all(same[False])
