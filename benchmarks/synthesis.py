"""What each part of the synthesis brings to a general model, on real images.

python benchmarks/synthesis.py --config general-2d --atlases atlases --steps 3000
    --pairs brain2d_val.csv --output synthesis

One model is trained for each row of `VARIANTS`, of which each widens the one before, by
the command that users have; then all are evaluated, in one shot, on every manifest.
What is there already isn't made again, and an interrupted training is gone on with.
"""

import argparse
import csv
import statistics
import subprocess
import sys
from pathlib import Path

from machine import thread_environment
from pages import markdown
from timing import write_json

from dlir_tf.config import Config, dump_config, load_config
from dlir_tf.errors import InputError
from dlir_tf.files import replacing
from dlir_tf.models.folder_files import CHECKPOINT_FILE, PROVENANCE_FILE

# What scanners do to images.
_ACQUISITION = {"bias": 0.0, "blur": 0.0, "noise": 0.0, "slice_thickness": 1.0}
_ONE_CONTRAST = {"same_contrast": 1.0}
_WHOLE = {"field_of_view": 0.0}
# What each variant switches off, from the least that is trained on to all of it.
VARIANTS = {
    "shapes": {"atlases": 0.0, **_ONE_CONTRAST, **_WHOLE, **_ACQUISITION},
    "and atlases": {**_ONE_CONTRAST, **_WHOLE, **_ACQUISITION},
    "and contrasts": {**_WHOLE, **_ACQUISITION},
    "and scanners": _WHOLE,
    "and fields of view": {},
}
MEASURES = {"dice": "Dice", "landmark_error": "landmarks (mm)"}


def main() -> None:
    """Trains and evaluates what isn't there yet, then shows all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", default="general-2d", help="preset or file")
    parser.add_argument("--atlases", type=Path, required=True, help="folder")
    parser.add_argument(
        "--pairs", type=Path, nargs="+", required=True, help="manifests"
    )
    parser.add_argument("--steps", type=int, required=True, help="of every training")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--output", type=Path, default=Path("synthesis"), help="folder")
    parser.add_argument("--json", type=Path, help="where the figures go")
    options = parser.parse_args()
    try:
        rows = run(options)
    except InputError as error:
        sys.exit(str(error))
    print(table(rows))
    write_json(options.json, {"config": options.config, "rows": rows})


def run(options: argparse.Namespace) -> dict[str, dict[str, float]]:
    """Returns the means of every variant, by manifest and measure; identity first."""
    config, rows = load_config(options.config), {}
    if config.training.synthesis is None:
        raise InputError(f"{options.config}: has no training.synthesis to take apart")
    for name in VARIANTS:
        model = train(name, variant_config(config, name), options)
        found = {}
        for manifest in options.pairs:
            results = evaluate(model, manifest, options)
            for measure, said in MEASURES.items():
                for side in ("before", "after"):
                    values = means(results, f"{measure}_{side}")
                    key = f"{manifest.stem}, {said}"
                    if values and side == "before":
                        rows.setdefault("no registration", {})[key] = values
                    elif values:
                        found[key] = values
        rows[name] = found
    return rows


def variant_config(config: Config, name: str) -> Config:
    """The config with a narrower synthesis."""
    synthesis = config.training.synthesis.model_copy(update=VARIANTS[name])
    training = config.training.model_copy(update={"synthesis": synthesis})
    return config.model_copy(update={"training": training})


def train(name: str, config: Config, options: argparse.Namespace) -> Path:
    """Trains a variant, or goes on with it, unless it is trained already."""
    stem = name.replace(" ", "-")
    model, file = options.output / stem, options.output / f"{stem}.yaml"
    if (model / PROVENANCE_FILE).is_file():
        return model
    options.output.mkdir(parents=True, exist_ok=True)
    with replacing(file) as unfinished:
        unfinished.write_text(dump_config(config), "utf-8")
    given = {
        "--config": file,
        "--atlases": options.atlases,
        "--steps": options.steps,
        "--seed": options.seed,
        "--output": model,
    }
    arguments = [str(word) for item in given.items() for word in item]
    if (model / CHECKPOINT_FILE).is_file():
        arguments.append("--resume")
    call(["train", *arguments], options.threads)
    return model


def evaluate(model: Path, manifest: Path, options: argparse.Namespace) -> Path:
    """Registers all pairs of a manifest in one shot."""
    file = options.output / f"{model.name}-{manifest.stem}.csv"
    if not file.is_file():
        shared = ["--pairs", str(manifest), "--model", str(model)]
        call(["evaluate", *shared, "--output", str(file)], options.threads)
    return file


def means(file: Path, column: str) -> float | None:
    """The mean of a column, if there is one."""
    with file.open(newline="", encoding="utf-8") as stream:
        values = [row.get(column) for row in csv.DictReader(stream)]
    numbers = [float(value) for value in values if value]
    return statistics.fmean(numbers) if numbers else None


def call(arguments: list[str], threads: int) -> None:
    """Runs a command of the package in a process of its own."""
    print(f"dlir-tf {' '.join(arguments)}", flush=True)
    done = subprocess.run(
        [sys.executable, "-m", "dlir_tf", *arguments],
        env=thread_environment(threads),
        stdout=subprocess.DEVNULL,
        check=False,
    )
    if done.returncode:
        raise InputError(f"{arguments[0]} ended with {done.returncode}; see above")


def table(rows: dict[str, dict[str, float]]) -> str:
    """A line for each variant, a column for each set of images."""
    columns = list(dict.fromkeys(key for row in rows.values() for key in row))
    lines = (
        [name, *(f"{row[key]:.3f}" if key in row else "" for key in columns)]
        for name, row in rows.items()
    )
    return markdown(["trained on", *columns], lines)


if __name__ == "__main__":
    main()
