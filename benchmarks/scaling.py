"""How time and memory of a registration grow with the size of the images.

python benchmarks/scaling.py --threads 2

A pair of cubes of smooth noise goes through `register`: the working grid, an affine
and three spline stages at 1 mm, the transform, the moved image. Every size runs in a
process of its own; memory is the peak of that process, TensorFlow included.
"""

import argparse
import json
import math
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from machine import as_commands_do, keep_to_cores, peak_bytes, thread_environment
from models import random_model
from pages import markdown, put_into_page
from timing import write_json

_CONFIG = {
    "ndim": 3,
    "spacing": 1.0,
    "stages": [
        {"transform": "affine", "downsample": 4, "feature_spacing": 32},
        *(
            {
                "transform": "bspline",
                "downsample": downsample,
                "control_point_spacing": spacing,
                "filters": [16, 32, 32],
            }
            for downsample, spacing in ((4, 32), (2, 16), (2, 8))
        ),
    ],
}


def main() -> None:
    """Measures all sizes, or one in this process."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    sizes = [64, 128, 192, 256, 320]
    parser.add_argument("--sizes", type=int, nargs="+", default=sizes)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", type=int, help="measure it in this process")
    parser.add_argument("--json", type=Path, help="where the figures go")
    parser.add_argument("--page", type=Path, help="put the table into this page")
    options = parser.parse_args()
    if options.only:
        keep_to_cores(options.threads)
        print(json.dumps(measure(options.only, options.rounds)))
        return
    rows = {}
    print("size      seconds   CPU seconds   ns a voxel   first call   memory")
    for size in options.sizes:
        rows[size] = row = in_process_of_its_own(size, options)
        print(
            f"{size:3}³ {row['seconds']:12.3f} {row['cpu_seconds']:13.3f}"
            f" {row['ns_per_voxel']:12.0f} {row['first_seconds']:12.2f}"
            f" {row['peak_gb']:8.2f} GB",
            flush=True,
        )
    contents = {"threads": options.threads, "sizes": rows}
    write_json(options.json, contents)
    if options.page:
        put_into_page(tables(contents), "scaling", options.page)


def tables(contents: dict) -> str:
    """The table, and how time grows."""
    rows = {int(size): row for size, row in contents["sizes"].items()}
    lines = (
        [
            f"{size}³",
            f"{row['seconds']:.2f}",
            f"{row['cpu_seconds']:.2f}",
            f"{row['ns_per_voxel']:.0f}",
            f"{row['peak_gb']:.2f}",
            f"{1e9 * row['peak_gb'] / size**3:.0f}",
        ]
        for size, row in rows.items()
    )
    header = ["voxels", "seconds", "CPU seconds", "ns a voxel", "memory (GB)"]
    text = markdown([*header, "bytes a voxel"], lines)
    if len(rows) > 1:
        text += (
            f"\nTime grows as the number of voxels to the power {power(rows):.2f}.\n"
        )
    return text


def in_process_of_its_own(size: int, options: argparse.Namespace) -> dict:
    command = [sys.executable, __file__, "--only", str(size)]
    command += ["--threads", str(options.threads), "--rounds", str(options.rounds)]
    done = subprocess.run(
        command,
        env=thread_environment(options.threads),
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


def measure(size: int, rounds: int) -> dict:
    """Registers cubes: once with all that is compiled for their shape, then timed."""
    import dlir_tf
    from dlir_tf.config import Config

    rng = np.random.default_rng(0)
    fixed, moving = smooth_noise(rng, size), smooth_noise(rng, size)
    config = Config.model_validate(_CONFIG)
    model = random_model(config, 0.05)
    seconds, cpu_seconds = [], []
    for _ in range(rounds + 1):
        wall, cpu = time.perf_counter(), time.process_time()
        result = dlir_tf.register(fixed, moving, model=model)
        seconds.append(time.perf_counter() - wall)
        cpu_seconds.append(time.process_time() - cpu)
        assert np.ptp(result.displacement) > 1
    median = statistics.median(seconds[1:])
    return {
        "seconds": median,
        "cpu_seconds": statistics.median(cpu_seconds[1:]),
        "first_seconds": seconds[0],
        "ns_per_voxel": 1e9 * median / size**3,
        "peak_gb": peak_bytes() / 1e9,
    }


def smooth_noise(rng: np.random.Generator, size: int):
    """A cube of 1 mm voxels, int16 as scanners give them."""
    from scipy import ndimage

    from dlir_tf.images import Image

    coarse = rng.uniform(0, 1000, (12, 12, 12)).astype(np.float32)
    array = ndimage.zoom(coarse, size / 12, output=np.int16, order=1)
    return Image(array, np.eye(4))


def power(rows: dict[int, dict]) -> float:
    """The slope of log time over log voxels, from the smallest to the largest."""
    low, high = min(rows), max(rows)
    return math.log(rows[high]["seconds"] / rows[low]["seconds"]) / math.log(
        (high / low) ** 3
    )


if __name__ == "__main__":
    as_commands_do()
    main()
