"""What each part of the method brings: a config, trained again without it.

python benchmarks/ablation.py --config brain-2d --pairs train.csv --validation val.csv

Every variant is trained by the command that users have. It is evaluated with all its
stages: those that fold would be left out otherwise, and none seem to. All that is made
lies in one folder: an interrupted run goes on from there, a training from its last
checkpoint.
"""

import argparse
import csv
import json
import subprocess
import sys
from pathlib import Path

import yaml
from comparison.ablation_table import COLUMNS, table
from comparison.store import digest
from comparison.variants import VARIANTS, variant_config
from machine import as_commands_do, thread_environment
from pages import put_into_page

from dlir_tf.config import Config, load_config
from dlir_tf.errors import InputError
from dlir_tf.files import replacing
from dlir_tf.models.folder_files import CHECKPOINT_FILE, PROVENANCE_FILE
from dlir_tf.pairs.digests import data_digest
from dlir_tf.pairs.manifest import read_manifest

# What a process is started with.
_PROGRAMS = {
    "train": ["-m", "dlir_tf", "train"],
    "evaluate": [str(Path(__file__).parent / "comparison" / "all_stages.py")],
}
# What results are bound to beside their data: how models are evaluated.
_EVALUATION = "all stages"


def main() -> None:
    """Trains and evaluates what isn't there yet, then shows all."""
    options = parse()
    try:
        contents = run(options)
        text = table(contents["results"])
        print(f"\n{text}")
        if options.page:
            mark = f"ablation, {contents['bound']['name']}"
            put_into_page(text, mark, options.page)
    except InputError as error:
        sys.exit(str(error))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", required=True, help="preset or config file")
    parser.add_argument("--pairs", type=Path, required=True, help="to train on")
    parser.add_argument("--validation", type=Path, required=True, help="to evaluate on")
    parser.add_argument("--steps", type=int, help="as of dlir-tf train")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--refine", type=int, default=40, help="steps of refinement")
    parser.add_argument(
        "--variants", help=f"comma-separated, of {', '.join(VARIANTS)}; default: all"
    )
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--output", type=Path, default=Path("ablation"), help="folder")
    parser.add_argument("--page", type=Path, help="put the table into this page")
    return parser.parse_args()


def run(options: argparse.Namespace) -> dict:
    """Trains and evaluates variant after variant; returns all results."""
    config = load_config(options.config)
    names = options.variants.split(",") if options.variants else list(VARIANTS)
    for name in names:
        if name not in VARIANTS:
            raise InputError(
                f"--variants: no variant is called {name!r}; choose from "
                f"{', '.join(VARIANTS)}"
            )
    file = options.output / "results.json"
    contents = read_results(file, bound_to(config, options))
    for name in names:
        changed = variant_config(config, name)
        if changed is None or name in contents["results"]:
            continue
        contents["results"][name] = measure(name, changed, options)
        write_results(file, contents)
    return contents


def bound_to(config: Config, options: argparse.Namespace) -> dict:
    """All that the results depend on."""
    return {
        "name": Path(options.config).stem,
        "config": digest(config.model_dump(mode="json")),
        "steps": options.steps,
        "seed": options.seed,
        "refine": options.refine,
        "evaluation": _EVALUATION,
        "pairs": data_digest(read_manifest(options.pairs)),
        "validation": data_digest(read_manifest(options.validation)),
    }


def read_results(file: Path, bound: dict) -> dict:
    """What an earlier run found.

    Raises:
        InputError: If it was about something else.
    """
    if not file.exists():
        contents = {"bound": bound, "results": {}}
        write_results(file, contents)  # so that no model is taken for another run's
        return contents
    contents = json.loads(file.read_text("utf-8"))
    for key, value in bound.items():
        if contents["bound"].get(key) != value:
            raise InputError(
                f"{file}: was made with another `{key}`; choose another --output"
            )
    return contents


def write_results(file: Path, contents: dict) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with replacing(file) as unfinished:
        unfinished.write_text(json.dumps(contents, indent=1) + "\n", "utf-8")


def measure(name: str, config: Config, options: argparse.Namespace) -> list[dict]:
    """Evaluates a variant, whose model is trained first if it isn't there."""
    refined = VARIANTS[name].refined
    model = train("all" if refined else name, config, options)
    file = options.output / f"{name}.csv"
    extra = ["--refine", str(options.refine)] if refined else []
    shared = ["--pairs", str(options.validation), "--model", str(model)]
    call("evaluate", [*shared, "--output", str(file), *extra], options.threads)
    wanted = [
        column.replace("after", side)
        for column, _ in COLUMNS.values()
        for side in ("before", "after")
    ]
    with file.open(newline="", encoding="utf-8") as stream:
        return [
            {column: float(row[column]) for column in wanted if row.get(column)}
            for row in csv.DictReader(stream)
        ]


def train(name: str, config: Config, options: argparse.Namespace) -> Path:
    """Trains a variant, or goes on with it, unless it is trained already."""
    model, file = options.output / name, options.output / f"{name}.yaml"
    if (model / PROVENANCE_FILE).is_file():
        return model
    with replacing(file) as unfinished:
        text = yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False)
        unfinished.write_text(text, "utf-8")
    given = {
        "--config": file,
        "--pairs": options.pairs,
        "--validation": options.validation,
        "--seed": options.seed,
        "--output": model,
    }
    arguments = [str(word) for item in given.items() for word in item]
    if options.steps:
        arguments += ["--steps", str(options.steps)]
    if (model / CHECKPOINT_FILE).is_file():
        arguments.append("--resume")
    call("train", arguments, options.threads)
    return model


def call(command: str, arguments: list[str], threads: int) -> None:
    """Trains or evaluates in a process of its own, whose progress is seen."""
    print(f"{command} {' '.join(arguments)}", flush=True)
    done = subprocess.run(
        [sys.executable, *_PROGRAMS[command], *arguments],
        env=thread_environment(threads),
        stdout=subprocess.DEVNULL,
        check=False,
    )
    if done.returncode:
        raise InputError(f"{command} ended with {done.returncode}; see above")


if __name__ == "__main__":
    as_commands_do()
    main()
