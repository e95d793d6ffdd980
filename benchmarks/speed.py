"""How many times as fast as elastix is a registration, on the same pairs in one run?

python benchmarks/speed.py --pairs val.csv --model model --first 3

As `registration.py` times it, each pair and method in a process of its own, but seconds
alone: they don't depend on what a model has learned, so a few hundred steps of training
are enough, by which all its stages do good and are kept. `--rounds` takes medians.
"""

import argparse
import statistics
import sys
from pathlib import Path

from comparison.methods import METHODS
from machine import as_commands_do
from pages import markdown, put_into_page
from registration import chosen_methods, in_process_of_its_own
from timing import write_json

from dlir_tf.errors import InputError
from dlir_tf.pairs.manifest import read_manifest

_METHODS = "one-shot,refined,elastix-bspline"


def main() -> None:
    """Times all pairs, the methods in turn."""
    options = parse()
    try:
        contents = measure(options)
    except InputError as error:
        sys.exit(str(error))
    text = tables(contents)
    print(f"\n{text}")
    write_json(options.json, contents)
    if options.page:
        put_into_page(text, f"speed, {options.pairs.name}", options.page)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=Path, required=True, help="manifest of pairs")
    parser.add_argument("--first", type=int, default=3, help="only so many pairs")
    parser.add_argument("--methods", default=_METHODS, help="the first is compared to")
    parser.add_argument("--model", type=Path, help="folder of a trained model")
    parser.add_argument("--preset", help="preset or config, to refine without a model")
    parser.add_argument("--refine", type=int, default=60, help="steps, by a model")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--timeout", type=float, default=7200, help="seconds each")
    parser.add_argument("--json", type=Path, help="where the figures go")
    parser.add_argument("--page", type=Path, help="put the table into this page")
    return parser.parse_args()


def measure(options: argparse.Namespace) -> dict:
    """Medians of seconds and CPU seconds, by pair and method.

    Raises:
        InputError: If a method is unknown, lacks something, or fails.
    """
    names = chosen_methods(options)
    pairs = read_manifest(options.pairs)[: options.first]
    found: dict[str, dict[str, list[dict]]] = {}
    for _ in range(options.rounds):
        for index, pair in enumerate(pairs):
            for name in names:
                numbers = in_process_of_its_own(index, name, options)
                if numbers is None:
                    raise InputError(f"{name} failed; see above")
                print(
                    f"{pair.fixed.name} {name} {numbers['seconds']:.2f} s", flush=True
                )
                by_pair = found.setdefault(name, {})
                by_pair.setdefault(pair.fixed.name, []).append(numbers)
    rows = {
        name: {
            pair: {
                key: statistics.median(numbers[key] for numbers in rounds)
                for key in ("seconds", "cpu_seconds")
            }
            for pair, rounds in by_pair.items()
        }
        for name, by_pair in found.items()
    }
    return {"manifest": options.pairs.name, "threads": options.threads, "rows": rows}


def tables(contents: dict) -> str:
    """Means over the pairs, and how many times those of the first method they are."""
    rows = {
        name: [
            statistics.fmean(numbers[key] for numbers in by_pair.values())
            for key in ("seconds", "cpu_seconds")
        ]
        for name, by_pair in contents["rows"].items()
    }
    reference, *_ = rows.values()
    lines = (
        [
            METHODS[name].title,
            *(f"{value:.2f}" for value in values),
            *(
                f"{value / first:.0f}" if value > 10 * first else f"{value / first:.1f}"
                for value, first in zip(values, reference, strict=True)
            ),
        ]
        for name, values in rows.items()
    )
    number = len(next(iter(contents["rows"].values())))
    counted = f"mean over {number} pairs" if number > 1 else "1 pair"
    header = [counted, "seconds", "CPU seconds"]
    return markdown([*header, "times the first", "of CPU seconds"], lines)


if __name__ == "__main__":
    as_commands_do()
    main()
