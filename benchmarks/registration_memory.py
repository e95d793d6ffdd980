"""How much memory a registration takes per voxel of its working grid.

python benchmarks/registration_memory.py --presets cardiac-cine brain-mr

Every figure is the peak of a process of its own, beyond what it had after registering
a small pair: so the libraries don't count. `dlir_tf.pairs.size` estimates by them.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
from machine import as_commands_do, peak_bytes
from timing import write_json

KINDS = ("one shot", "refined", "refined from nothing")
PRESETS = ("cardiac-cine", "brain-mr", "liver-mr", "prostate-mr-us", "demo")
SMALL, LARGE = 32, 128  # voxels per axis of the working grid


def main() -> None:
    """Measures all kinds with some presets, or one in this process."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--presets", nargs="+", default=PRESETS)
    parser.add_argument("--voxels", type=int, default=LARGE, help="per axis")
    parser.add_argument("--only", choices=KINDS, help="measure it in this process")
    parser.add_argument("--json", type=Path, help="where the figures go")
    options = parser.parse_args()
    if options.only:
        (preset,) = options.presets
        print(json.dumps(measure(preset, options.only, options.voxels)))
        return
    rows = {}
    for preset in options.presets:
        for kind in KINDS:
            command = [sys.executable, __file__, "--only", kind, "--presets", preset]
            command += ["--voxels", str(options.voxels)]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
            rows[f"{preset}, {kind}"] = row = json.loads(done.stdout)
            print(f"{preset:15} {kind:21}", *(f"{k} {v:.3g}" for k, v in row.items()))
    write_json(options.json, {"voxels": options.voxels, "registrations": rows})


def measure(preset, kind, voxels):
    """Returns bytes per voxel: what was needed, and what is estimated."""
    as_commands_do()
    from models import random_model

    from dlir_tf import load_config, register
    from dlir_tf.pairs.size import PREPARED_BYTES_PER_VOXEL, bytes_per_voxel

    config = load_config(preset)
    model = random_model(config)
    how = {"model": model, "refine": None if kind == "one shot" else 4}
    if kind == "refined from nothing":
        how = {"config": config, "refine": 6}
    peaks = []
    for size in (SMALL, voxels):
        pair = [example_image(config, size, seed) for seed in (1, 2)]
        register(*pair, **how)
        peaks.append(peak_bytes())
    needed = (peaks[1] - peaks[0]) / voxels**config.ndim
    estimated = bytes_per_voxel(config, refined=kind != "one shot")
    return {"needed": needed, "estimated": PREPARED_BYTES_PER_VOXEL + estimated}


def example_image(config, size, seed):
    """An image whose voxels are those of the working grid."""
    from dlir_tf.images import Image

    rng = np.random.default_rng(seed)
    coarse = rng.random((size // 8,) * config.ndim).astype(np.float32)
    array = np.kron(coarse, np.ones((8,) * config.ndim, np.float32))
    spacing = [step or 1.0 for step in config.spacing]
    return Image(array, np.diag([*spacing, 1.0]))


if __name__ == "__main__":
    main()
