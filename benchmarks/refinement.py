"""Refinement, without a model or of its answer, beside another version of this package.

python benchmarks/refinement.py --pairs val.csv --preset liver-mr --beside ../older
python benchmarks/refinement.py --pairs val.csv --model cardiac-cine --refine 60

A model without `--refine` registers in one shot. Pair by pair, each version registers
in a process that it keeps, in turn: so a machine that gets slower meanwhile slows both
down. The first pair is registered once more at the beginning, which doesn't count: what
is compiled there is told by the command from the shell, `dlir-tf register`, whose wall
time is measured in a new process.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from machine import as_commands_do, load_average, peak_bytes, thread_environment
from pages import markdown
from timing import write_json

from dlir_tf.pairs.manifest import read_manifest

HERE = Path(__file__).resolve()
THIS = "this version"
BESIDE = "beside it"


def main() -> None:
    """Measures all versions, or registers pairs for one in this process."""
    options = parse()
    if options.serve:
        serve(options)
        return
    sources = {THIS: HERE.parents[1]}
    if options.beside:
        sources[BESIDE] = options.beside.resolve()
    rows = {name: [] for name in sources}
    count = min(options.first, len(read_manifest(options.pairs)))
    workers = {name: start(source, options) for name, source in sources.items()}
    for number in range(count):
        for name, worker in workers.items():
            worker.stdin.write(f"{number}\n")
            worker.stdin.flush()
            rows[name].append(json.loads(worker.stdout.readline()))
            print(f"{name:14}", rows[name][-1], flush=True)
    for worker in workers.values():
        worker.communicate()
    results = {
        name: {"pairs": rows[name], "command_seconds": command(source, options)}
        for name, source in sources.items()
    }
    print(f"\n{table(results)}")
    about = {"manifest": options.pairs.name, **dict([chosen(options)])}
    write_json(options.json, about | {"load": load_average(), "versions": results})


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=Path, required=True, help="manifest")
    by = parser.add_mutually_exclusive_group(required=True)
    by.add_argument("--preset", help="preset or config")
    by.add_argument("--model", help="name or folder, instead of a preset")
    parser.add_argument("--refine", type=int, help="steps; default those of the preset")
    parser.add_argument("--first", type=int, default=2, help="only so many pairs")
    parser.add_argument("--beside", type=Path, help="checkout of another version")
    parser.add_argument("--json", type=Path, help="where the figures go")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def chosen(options: argparse.Namespace) -> tuple[str, str]:
    """Which is given, and its value."""
    return ("model", options.model) if options.model else ("preset", options.preset)


def start(source: Path, options: argparse.Namespace) -> subprocess.Popen:
    """A process that registers pairs by the package of a checkout."""
    kind, value = chosen(options)
    arguments = ["--serve", "--pairs", str(options.pairs), f"--{kind}", value]
    if options.refine:
        arguments += ["--refine", str(options.refine)]
    return subprocess.Popen(
        [sys.executable, str(HERE), *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment(source),
    )


def environment(source: Path) -> dict[str, str]:
    return {**thread_environment(os.cpu_count() or 1), "PYTHONPATH": str(source)}


def serve(options: argparse.Namespace) -> None:
    """Reads numbers of pairs, writes what came of them."""
    as_commands_do()
    from dlir_tf import load_config, load_model, register
    from dlir_tf.evaluation.measures import measure_registration
    from dlir_tf.pairs.loading import load_pair

    pairs = read_manifest(options.pairs)
    kind, value = chosen(options)
    how = {"model": load_model(value)} if kind == "model" else {}
    how = how or {"config": load_config(value)}
    how["refine"] = options.refine
    for line in sys.stdin:
        pair = load_pair(pairs[int(line)])
        masks = {"fixed_mask": pair.fixed_mask, "moving_mask": pair.moving_mask}
        if int(line) == 0:
            register(pair.fixed, pair.moving, **masks, **how)
        began = time.process_time()
        result = register(pair.fixed, pair.moving, **masks, **how)
        seconds = time.process_time() - began
        after = measure_registration(pair, result)
        print(json.dumps(row(result.report, after, seconds)), flush=True)


def row(report, after, cpu_seconds):
    """What is told of a pair; CPU seconds are those of `register` alone."""
    told = {"cpu_seconds": cpu_seconds, "seconds": report.seconds}
    told |= {"folded_percent": after.folded_percent, "peak_gb": peak_bytes() / 1e9}
    if after.dice:
        told["dice"] = float(np.mean(list(after.dice.values())))
        told["hd95"] = float(np.mean([one.hd95 for one in after.surface.values()]))
    if after.landmark_errors is not None and len(after.landmark_errors):
        told["landmark_error"] = float(np.mean(after.landmark_errors))
    return {name: round(float(value), 4) for name, value in told.items()}


def command(source: Path, options: argparse.Namespace) -> list[float]:
    """Wall seconds of `dlir-tf register` in a new process, twice."""
    pair = read_manifest(options.pairs)[0]
    seconds = []
    with tempfile.TemporaryDirectory() as folder:
        files = [str(path.resolve()) for path in (pair.fixed, pair.moving)]
        kind, value = chosen(options)
        arguments = [*files, f"--{kind}", value]
        if options.refine:
            arguments += ["--refine", str(options.refine)]
        for number in range(2):
            output = ["--output", str(Path(folder) / f"moved_{number}.nii.gz")]
            began = time.perf_counter()
            subprocess.run(
                [sys.executable, "-m", "dlir_tf", "register", *arguments, *output],
                check=True,
                capture_output=True,
                env=environment(source),
                cwd=folder,  # Python would look for the package here first
            )
            seconds.append(round(time.perf_counter() - began, 2))
    return seconds


def table(results: dict) -> str:
    """Means over the pairs, a line for each version."""
    measures = list(
        dict.fromkeys(k for one in results.values() for k in one["pairs"][0])
    )
    rows = []
    for name, one in results.items():
        means = [np.mean([pair[k] for pair in one["pairs"]]) for k in measures]
        cold = " and ".join(f"{s:.1f}" for s in one["command_seconds"])
        rows.append([name, *(f"{mean:.3f}" for mean in means), cold])
    return markdown(["", *measures, "command, wall seconds (twice)"], rows)


if __name__ == "__main__":
    main()
