"""The input pipeline alone against the training step: does the step ever wait?

python benchmarks/pipeline.py --config cardiac-cine --pairs train.csv
"""

import argparse
import os
import tempfile
import time
from pathlib import Path

from timing import write_json


def main() -> None:
    """Measures batches per second without training, and steps per second with."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", default="demo", help="preset or file")
    parser.add_argument("--pairs", type=Path, help="manifest; default: phantoms")
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--json", type=Path, help="where the figures go")
    options = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

    from dlir_tf.config import load_config
    from dlir_tf.manifest import read_manifest
    from dlir_tf.phantoms import write_phantoms

    config = load_config(options.config)
    with tempfile.TemporaryDirectory() as folder:
        manifest = options.pairs
        if manifest is None:
            manifest, _ = write_phantoms(folder, num_train=8, num_test=0)
        rows = measure(config, read_manifest(manifest), options.steps)
    print(f"{'stage':18} {'data alone':>14} {'training step':>14} {'step waits':>11}")
    for name, row in rows.items():
        print(
            f"{name:18} {row['data_ms']:11.2f} ms {row['step_ms']:11.2f} ms"
            f" {100 * row['waiting']:9.1f} %"
        )
    write_json(options.json, {"config": options.config, "stages": rows})


def measure(config, pairs, steps):
    """Returns milliseconds per batch and per step, and the time steps wait."""
    from dlir_tf.model import build_model
    from dlir_tf.training.devices import training_strategy
    from dlir_tf.training.patches import batch_size_in_voxels
    from dlir_tf.training.phases import training_phases
    from dlir_tf.training.pipeline import training_batches
    from dlir_tf.training.step import make_optimizer, make_train_step
    from dlir_tf.training.store import PairStore

    store = PairStore(pairs, config, Path())
    store.fill()
    network, rows = build_model(config), {}
    for index, phase in enumerate(training_phases(config)):
        arguments = {
            "size": batch_size_in_voxels(config, phase, store.largest_shape),
            "batch_size": config.training.batch_size,
            "seed": (0, index),
            "first_step": 0,
        }
        step = make_train_step(
            network, config, phase, make_optimizer("float32"), training_strategy(), 0
        )
        warm_up = training_batches(store, **arguments, last_step=3)
        for batch in warm_up:
            step(batch)
        start = time.perf_counter()
        for batch in training_batches(store, **arguments, last_step=steps):
            batch["fixed"].shape  # noqa: B018
        data = time.perf_counter() - start
        waited, start = 0.0, time.perf_counter()
        batches = iter(training_batches(store, **arguments, last_step=steps))
        for _ in range(steps):
            before = time.perf_counter()
            batch = next(batches)
            waited += time.perf_counter() - before
            float(step(batch)["loss"])
        total = time.perf_counter() - start
        rows[phase.name] = {
            "data_ms": 1000 * data / steps,
            "step_ms": 1000 * (total - waited) / steps,
            "waiting": waited / total,
            "pairs_per_second": config.training.batch_size * steps / total,
        }
    return rows


if __name__ == "__main__":
    main()
