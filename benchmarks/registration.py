"""dlir-tf beside elastix and ANTs, on a manifest: accuracy, seconds, memory.

python benchmarks/registration.py --pairs val.csv --model model --output results.json

Every pair and method runs in a process of its own, and its result is kept in the file
of results: a run can be interrupted and goes on from there. Seconds are those of the
registration alone: images are read and taken to the program before, the model is
loaded and warmed up, and nothing is written but the transforms that ANTs keeps in
files. All transforms are measured by the same code, dlir-tf's own.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from comparison.methods import METHODS, installed_versions
from comparison.plot import plot
from comparison.single import measure_request
from comparison.store import Store, folder_digest
from comparison.table import mean_of, tables
from machine import as_commands_do, thread_environment
from pages import put_into_page

import dlir_tf
from dlir_tf.config import load_config
from dlir_tf.errors import InputError
from dlir_tf.pairs.digests import data_digest
from dlir_tf.pairs.manifest import Pair, read_manifest


def main() -> None:
    """Measures what isn't measured yet, then shows all."""
    options = parse()
    try:
        if options.request:
            measure_request(options.request)
            return
        contents = (
            json.loads(options.show.read_text()) if options.show else run(options)
        )
    except InputError as error:
        sys.exit(str(error))
    text = tables(contents)
    print(f"\n{contents['manifest']}\n\n{text}")
    if options.plot:
        plot(contents, options.plot)
    if options.page:
        put_into_page(text, contents["manifest"], options.page)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--pairs", type=Path, help="manifest of pairs")
    source.add_argument("--show", type=Path, help="show a file of results, only")
    source.add_argument("--request", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--first", type=int, help="only so many pairs")
    parser.add_argument(
        "--methods",
        default=None,
        help=f"comma-separated, of {', '.join(METHODS)}; default: all peers and what "
        "--model, --preset and --refine allow",
    )
    parser.add_argument("--model", type=Path, help="folder of a trained model")
    parser.add_argument("--preset", help="preset or config, to refine without a model")
    parser.add_argument("--refine", type=int, help="steps of refinement by a model")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--timeout", type=float, default=7200, help="seconds each")
    parser.add_argument("--fresh", action="store_true", help="measure all again")
    parser.add_argument("--output", type=Path, default=Path("results.json"))
    parser.add_argument("--plot", type=Path, help="accuracy against seconds, PNG")
    parser.add_argument("--page", type=Path, help="put the table into this page")
    return parser.parse_args()


def run(options: argparse.Namespace) -> dict:
    """Measures pair by pair, all methods in turn; returns all results."""
    names = chosen_methods(options)
    bindings = {name: binding(name, options) for name in names}
    pairs = read_manifest(options.pairs)[: options.first]
    store = Store(options.output, options.pairs.name)
    for index, pair in enumerate(pairs):
        title = title_of(pair)
        data = data_digest([pair])[:16]
        for name in names:
            bound = (title, name, bindings[name], data)
            result = None if options.fresh else store.find(*bound)
            if result is None:
                numbers = in_process_of_its_own(index, name, options)
                if numbers is None:
                    continue
                result = store.add(*bound, numbers)
            print(line(title, result), flush=True)
    return store.contents


def chosen_methods(options: argparse.Namespace) -> list[str]:
    """Checks the names, and that all is there that they need."""
    given = {need for need in ("model", "preset", "refine") if getattr(options, need)}
    if options.model and not options.model.is_dir():
        raise InputError(f"--model: no such folder: {options.model}; train a model")
    if options.methods is None:
        return [name for name in METHODS if given >= set(METHODS[name].needs)]
    names = options.methods.split(",")
    for name in names:
        if name not in METHODS:
            raise InputError(
                f"--methods: no method is called {name!r}; choose from "
                f"{', '.join(METHODS)}"
            )
        for need in set(METHODS[name].needs) - given:
            raise InputError(f"--methods: {name} needs --{need}; give it as well")
    return names


def binding(name: str, options: argparse.Namespace) -> dict:
    """All that a method's results depend on, beside the pair."""
    method = METHODS[name]
    bound = {
        "settings": method.settings,
        "versions": installed_versions(name, method),
        "threads": options.threads,
    }
    if "start" in method.settings:
        bound["source"] = folder_digest(Path(dlir_tf.__file__).parent, "*.py")
    if "model" in method.needs:
        bound["model"] = folder_digest(options.model, "*.*")
    if "preset" in method.needs:
        bound["preset"] = load_config(options.preset).model_dump(mode="json")
    if "refine" in method.needs:
        bound["refine"] = options.refine
    return bound


def in_process_of_its_own(index: int, name: str, options) -> dict | None:
    """Measures one pair by one method; says so if that fails."""
    with tempfile.TemporaryDirectory() as folder:
        request = Path(folder) / "request.json"
        wanted = {
            "manifest": str(options.pairs),
            "index": index,
            "method": name,
            "threads": options.threads,
            "options": {
                "model": str(options.model),
                "preset": options.preset,
                "refine": options.refine,
            },
        }
        request.write_text(json.dumps(wanted))
        try:
            done = subprocess.run(
                [sys.executable, __file__, "--request", str(request)],
                env=thread_environment(options.threads),
                capture_output=True,
                text=True,
                errors="replace",
                timeout=options.timeout,
                check=False,
            )
        except subprocess.TimeoutExpired:
            problem = f"took more than {options.timeout:g} s"
        else:
            if done.returncode == 0:
                return json.loads(request.read_text())
            last = done.stderr.strip().splitlines()[-1:] or ["no message"]
            problem = f"ended with {done.returncode}: {last[0]}"
    print(f"{name}, pair {index + 1}: {problem}", file=sys.stderr, flush=True)
    return None


def line(title: str, result: dict) -> str:
    """What is said of a result at once."""
    words = [f"{title:44} {result['method']:18} {result['seconds']:8.2f} s"]
    words.append(f"CPU {result['cpu_seconds']:8.2f} s {result['peak_gb']:6.2f} GB")
    for key, unit in (("dice", "Dice"), ("landmark_errors", "mm")):
        if (value := mean_of(result.get(key))) is not None:
            words.append(f"{value:.4f} {unit}")
    return "  ".join([*words, f"folded {result['folded_percent']:.3g} %"])


def title_of(pair: Pair) -> str:
    """What results call a pair."""
    return f"{name_of(pair.fixed)}, {name_of(pair.moving)}"


def name_of(path: Path) -> str:
    """A file's name without what all names end with."""
    return path.name.removesuffix(".gz").removesuffix(".nii")


if __name__ == "__main__":
    as_commands_do()
    main()
