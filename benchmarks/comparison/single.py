"""One pair registered by one method, in a process that does nothing else."""

import json
import statistics
import time
import warnings
from pathlib import Path

import numpy as np
from machine import keep_to_cores, load_average, peak_bytes

from comparison.methods import METHODS
from dlir_tf.evaluation.measures import Measures, measure
from dlir_tf.images import SpacingWarning
from dlir_tf.metrics import landmark_errors
from dlir_tf.pairs.loading import LoadedPair, load_pair
from dlir_tf.pairs.manifest import read_manifest
from dlir_tf.transforms import Transform

# What takes less than this all together is repeated, for a median.
_REPEATED_SECONDS, _MAX_REPEATS = 3.0, 5


def measure_request(request: Path) -> None:
    """Reads what to do from a JSON file, and puts the result into its place.

    Args:
        request: Says `manifest`, `index`, `method`, `threads` and `options`.
    """
    wanted = json.loads(request.read_text())
    keep_to_cores(wanted["threads"])
    pair = read_manifest(Path(wanted["manifest"]))[wanted["index"]]
    result = register_and_measure(pair, wanted["method"], wanted["options"])
    request.write_text(json.dumps(result))


def register_and_measure(pair, name: str, options: dict) -> dict:
    """Registers a pair, timed, and measures the transform by our own metrics.

    Images are read and taken to the program before the clock starts; what is measured
    afterwards counts for neither time nor memory.
    """
    method, load = METHODS[name], load_average()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SpacingWarning)
        loaded = load_pair(pair)
    prepared = method.prepare(
        loaded.fixed,
        loaded.moving,
        {**method.settings, **options},
        (loaded.fixed_mask, loaded.moving_mask),
    )
    seconds, cpu_seconds = [], []
    while not seconds or (
        sum(seconds) < _REPEATED_SECONDS and len(seconds) < _MAX_REPEATS
    ):
        wall, cpu = time.perf_counter(), time.process_time()
        found = prepared.run()
        seconds.append(time.perf_counter() - wall)
        cpu_seconds.append(time.process_time() - cpu)
    peak = peak_bytes()
    transform = prepared.transform(found)
    measures = measure(loaded, transform)
    return {
        "seconds": _rounded(statistics.median(seconds)),
        "cpu_seconds": _rounded(statistics.median(cpu_seconds)),
        "peak_gb": round(peak / 1e9, 2),
        "load_before": load,
        **as_numbers(measures),
        **snapped_errors(loaded, transform),
    }


def snapped_errors(loaded: LoadedPair, transform: Transform) -> dict[str, list]:
    """Landmark errors in mm as some publish them, for a JSON file.

    Where a landmark is mapped to is moved to the nearest voxel of the moving image
    first, since the people who marked them could choose voxels alone.
    """
    if loaded.points is None:
        return {}
    fixed_points, moving_points = loaded.points
    grid = loaded.moving.grid
    voxels = np.rint(grid.to_voxels(transform.map_points(fixed_points)))
    errors = landmark_errors(grid.to_world(voxels), moving_points)
    return {"snapped_errors": [_rounded(error) for error in errors]}


def as_numbers(measures: Measures) -> dict:
    """Measures for a JSON file; what can't be measured is null."""
    surface = measures.surface
    numbers = {
        "ncc": _rounded(measures.ncc),
        "folded_percent": _rounded(measures.folded_percent),
        "std_log_jacobian": _rounded(measures.std_log_jacobian),
    }
    if measures.dice:
        numbers |= {
            "dice": {k: _rounded(v) for k, v in measures.dice.items()},
            "hd95": {k: _rounded(v.hd95) for k, v in surface.items()},
            "surface_distance": {k: _rounded(v.mean) for k, v in surface.items()},
        }
    if measures.landmark_errors is not None:
        numbers["landmark_errors"] = [_rounded(e) for e in measures.landmark_errors]
    return numbers


def _rounded(value: float) -> float | None:
    return float(f"{value:.4g}") if np.isfinite(value) else None
