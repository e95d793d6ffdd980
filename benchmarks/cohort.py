"""How many pairs one command registers a minute, and how long nothing is registered.

python benchmarks/cohort.py --model model

Pairs of generated hearts, or those of a manifest, are registered in turn: one after
another without anything beside it, with the next being read and the last written
meanwhile, by two processes, and by one and two workers of a Dask cluster. Time counts
from the first result to the last, so that no start-up is in it. "Registering" is the
share of that time in which a process had a registration under way; else it waited
for files. Absolute numbers on a shared machine mean little; compare the rows.
"""

import argparse
import tempfile
import time
from pathlib import Path

from clusters import cluster
from machine import as_commands_do, num_cores
from timing import write_json

from dlir_tf.cli.work.cohort import load
from dlir_tf.cohort.cluster import registered_by_cluster
from dlir_tf.cohort.processes import registered_by_processes
from dlir_tf.cohort.registering import make_tasks, register_tasks
from dlir_tf.cohort.registrar import Registrar
from dlir_tf.cohort.settings import Settings
from dlir_tf.cohort.threads import registered_here
from dlir_tf.images import write_image
from dlir_tf.pairs.manifest import read_manifest
from dlir_tf.phantoms import beating_heart


def here(at_a_time):
    return lambda tasks, settings: registered_here(
        tasks, Registrar(settings), at_a_time
    )


def jobs(number):
    return lambda tasks, settings: registered_by_processes(tasks, settings, number)


def workers(number):
    def engine(tasks, settings):
        with cluster(number) as address:
            yield from registered_by_cluster(tasks, settings, address, patience=120)

    return engine


WAYS = {
    "one after another": (here(1), 1),
    "reading and writing beside it": (here(3), 1),
    "--jobs 2": (jobs(2), 2),
    "--scheduler, 1 worker": (workers(1), 1),
    "--scheduler, 2 workers": (workers(2), 2),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True)
    parser.add_argument("--pairs", type=Path, help="a manifest; else hearts are made")
    parser.add_argument("--count", type=int, default=24, help="of hearts")
    parser.add_argument("--shape", type=int, nargs=3, default=[160, 144, 10])
    parser.add_argument("--output", type=Path, help="JSON")
    options = parser.parse_args()
    as_commands_do()
    print(f"{num_cores()} cores")
    with tempfile.TemporaryDirectory() as folder:
        manifest = options.pairs or make_hearts(Path(folder, "in"), options)
        rows = [
            measured(way, manifest, options.model, Path(folder, f"out{number}"))
            for number, way in enumerate(WAYS)
        ]
    for row in rows:
        print(
            "{way:32} {pairs_a_minute:7.1f} a minute  {registering:5.0%}".format(**row)
        )
    if options.output:
        write_json(options.output, {"rows": rows})


def make_hearts(folder: Path, options: argparse.Namespace) -> Path:
    folder.mkdir()
    rows = ["fixed,moving"]
    for number in range(options.count):
        heart = beating_heart(number, shape=options.shape)
        names = [f"{number}_{side}.nii.gz" for side in ("fixed", "moving")]
        for name, image in zip(names, (heart.fixed, heart.moving), strict=True):
            write_image(folder / name, image)
        rows.append(",".join(names))
    (folder / "pairs.csv").write_text("\n".join(rows) + "\n")
    return folder / "pairs.csv"


def measured(way: str, manifest: Path, model: str, output: Path) -> dict:
    engine, processes = WAYS[way]
    settings = Settings(model=model, load=load).prepared()
    tasks = make_tasks(read_manifest(manifest), output, settings)
    results = register_tasks(tasks, output, settings, engine)
    next(results)
    start, seconds, count = time.perf_counter(), 0.0, 0
    for result in results:
        seconds += float(result.numbers["seconds"])
        count += 1
        end = time.perf_counter()
    return {
        "way": way,
        "pairs_a_minute": 60 * count / (end - start),
        "registering": min(1.0, seconds / (end - start) / processes),
    }


if __name__ == "__main__":
    main()
