"""Training: pairs per second, and does a step ever wait for its data?

python benchmarks/training.py --config cardiac-cine --pairs train.csv

Phase by phase as `dlir-tf train` goes through them: the input pipeline alone, then
training steps behind it. A device is busy while a step runs, and idle while the step
waits for its data. Cores busy is the processor time of both, of all cores' time.
"""

import argparse
import tempfile
import time
from pathlib import Path

from machine import as_commands_do, num_cores
from pages import markdown, put_into_page
from timing import write_json


def main() -> None:
    """Measures every phase of a config's training."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", default="demo", help="preset or file")
    parser.add_argument("--pairs", type=Path, help="manifest; default: phantoms")
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--json", type=Path, help="where the figures go")
    parser.add_argument("--page", type=Path, help="put the table into this page")
    options = parser.parse_args()
    as_commands_do()

    import tensorflow as tf

    from dlir_tf.config import load_config
    from dlir_tf.pairs.manifest import read_manifest
    from dlir_tf.phantoms import write_phantoms

    config = load_config(options.config)
    devices = [device.name for device in tf.config.list_physical_devices()]
    print(f"{options.config}, batches of {config.training.batch_size}, on {devices}")
    with tempfile.TemporaryDirectory() as folder:
        manifest = options.pairs
        if manifest is None:
            manifest, _ = write_phantoms(folder, num_train=8, num_test=0)
        rows = measure(config, read_manifest(manifest), options.steps)
    titles = ("data alone", "training step", "device busy", "cores busy", "pairs/s")
    print(f"{'phase':18}" + "".join(f"{title:>15}" for title in titles))
    for name, row in rows.items():
        print(
            f"{name:18}{row['data_ms']:12.2f} ms{row['step_ms']:12.2f} ms"
            f"{100 * row['device_busy']:13.1f} %{100 * row['cores_busy']:13.1f} %"
            f"{row['pairs_per_second']:15.2f}"
        )
    results = {"config": options.config, "devices": devices, "phases": rows}
    write_json(options.json, results)
    if options.page:
        put_into_page(tables(results), f"training, {options.config}", options.page)


def tables(contents: dict) -> str:
    """The table of all phases."""
    lines = (
        [
            name,
            f"{row['pairs_per_second']:.2f}",
            f"{row['step_ms']:.0f}",
            f"{100 * (1 - row['device_busy']):.1f}",
            f"{100 * row['cores_busy']:.0f}",
        ]
        for name, row in contents["phases"].items()
    )
    header = ["phase", "pairs a second", "a step (ms)", "waits for data (%)"]
    return markdown([*header, "cores busy (%)"], lines)


def measure(config, pairs, steps):
    """Returns what is measured of every phase, by its name."""
    from dlir_tf.models.model import build_model
    from dlir_tf.training.devices import training_strategy
    from dlir_tf.training.optimizer import make_optimizer
    from dlir_tf.training.patches import batch_size_in_voxels
    from dlir_tf.training.phases import training_phases
    from dlir_tf.training.pipeline import training_batches
    from dlir_tf.training.step import make_train_step
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
        waited, start, cpu = 0.0, time.perf_counter(), time.process_time()
        batches = iter(training_batches(store, **arguments, last_step=steps))
        for _ in range(steps):
            before = time.perf_counter()
            batch = next(batches)
            waited += time.perf_counter() - before
            float(step(batch)["loss"])  # waits until the device is done
        total = time.perf_counter() - start
        cpu = time.process_time() - cpu
        rows[phase.name] = {
            "data_ms": 1000 * data / steps,
            "step_ms": 1000 * (total - waited) / steps,
            "device_busy": 1 - waited / total,
            "cores_busy": cpu / (total * num_cores()),
            "pairs_per_second": config.training.batch_size * steps / total,
        }
    return rows


if __name__ == "__main__":
    main()
