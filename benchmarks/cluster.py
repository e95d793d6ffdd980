"""Whether a large cluster loses pairs, and how its memory grows with their number.

python benchmarks/cluster.py

Workers only wait instead of registering, so 64 of them fit on any machine; all else is
what `dlir-tf register --scheduler` does. Shown are the results that came back, how many
pairs a second that were, and the memory of the scheduler and of the client at each
quarter of the way.

What grows are the scheduler's latest messages to each worker, which Dask keeps for
whoever looks for its faults: 1000, if `--log-length` doesn't say otherwise.
"""

import argparse
import time
from pathlib import Path

import psutil
from clusters import cluster
from timing import write_json

from dlir_tf.cohort.cluster import registered_by_cluster
from dlir_tf.cohort.pair_files import PairFiles
from dlir_tf.cohort.result import PairResult, Task
from dlir_tf.cohort.settings import Settings
from dlir_tf.pairs.manifest import Pair


def waiting(settings: Settings, task: Task) -> PairResult:
    """A registration that takes a while and does nothing; its result is as large."""
    time.sleep(0.5)
    numbers = {f"number_{index}": index / 7 for index in range(20)}
    return PairResult(task.index, task.id, task.folder, "PASS", numbers=numbers)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workers", type=int, default=64)
    parser.add_argument("--pairs", type=int, default=10_000)
    parser.add_argument("--log-length", type=int, help="messages kept for each worker")
    parser.add_argument("--output", type=Path, help="JSON")
    options = parser.parse_args()
    found = measured(options.workers, options.pairs, options.log_length)
    for name, value in found.items():
        print(f"{name:32} {value}")
    if options.output:
        write_json(options.output, found)


def measured(workers: int, count: int, log_length: int | None = None) -> dict:
    pair = Pair(Path("fixed.nii.gz"), Path("moving.nii.gz"), "pairs.csv")
    tasks = [
        Task(index, f"p{index}", pair, PairFiles(Path(f"out/p{index}"), {}))
        for index in range(count)
    ]
    settings, told, seen, memory = Settings(), {}, set(), {}
    options = {"in_one_process": True, "told": told, "log_length": log_length}
    with cluster(workers, **options) as file:
        known = {
            "scheduler": psutil.Process(told["scheduler"]),
            "client": psutil.Process(),
        }
        results = registered_by_cluster(tasks, settings, file, 300, work=waiting)
        for result in results:
            if not seen:
                start = time.perf_counter()
            seen.add(result.index)
            if len(seen) % (count // 4) == 0:
                for name, process in known.items():
                    share = f"{name}_mb_at_{100 * len(seen) // count}_percent"
                    memory[share] = round(process.memory_info().rss / 1e6)
        seconds = time.perf_counter() - start
    return {
        "workers": workers,
        "pairs": count,
        "log_length": log_length,
        "lost": count - len(seen),
        "pairs_a_second": round(count / seconds, 1),
        **memory,
    }


if __name__ == "__main__":
    main()
