"""A LiteRT file beside the model folder that it came from: start, and whole command.

python benchmarks/litert.py --precision int8
"""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

from machine import as_commands_do
from models import random_model
from timing import report, time_in_turn, write_json

READY = "import sys, dlir_tf; dlir_tf.load_model(sys.argv[1])"
WHOLE = "from dlir_tf.cli import main; main()"


def main() -> None:
    """Times fresh processes: until the model is ready, and a whole registration."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--preset", default="cardiac-cine")
    parser.add_argument("--size", type=int, nargs=3, default=(216, 256, 8))
    parser.add_argument("--spacing", type=float, nargs=3, default=(1.5, 1.5, 8.0))
    parser.add_argument("--precision", default="float32")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path, help="where the figures go")
    options = parser.parse_args()
    as_commands_do()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        num_bytes = prepare(folder, options)
        models = {"model folder": folder / "model", "file": folder / "model.tflite"}
        pair = [folder / "fixed.nii.gz", folder / "moving.nii.gz"]
        output = ["--output", folder / "moved.nii.gz", "--model"]
        seconds = {
            "until the model is ready": {
                kind: process(READY, path) for kind, path in models.items()
            },
            "the whole command `register`": {
                kind: process(WHOLE, "register", *pair, *output, path)
                for kind, path in models.items()
            },
        }
        title = f"{options.preset}, {options.precision}, a pair of {options.size}"
        results = {"convolutions": time_convolutions(folder, options)}
        results |= {
            what: report(f"{what}: {title}", time_in_turn(candidates, options.rounds))
            for what, candidates in seconds.items()
        }
    print(f"size of the file: {num_bytes / 1e6:.2f} MB")
    write_json(options.json, {**results, "bytes": num_bytes})


def prepare(folder: Path, options: argparse.Namespace) -> int:
    """Writes model, file and images; returns the size of the file."""
    from dlir_tf import load_config, write_image
    from dlir_tf.export.tflite.file import export_tflite
    from dlir_tf.models.folder import save_model
    from dlir_tf.pairs.working_grid import working_grid
    from dlir_tf.phantoms import beating_heart

    config = load_config(options.preset)
    model = random_model(config)
    heart = beating_heart(1, shape=options.size, spacing=options.spacing)
    write_image(folder / "fixed.nii.gz", heart.fixed)
    write_image(folder / "moving.nii.gz", heart.moving)
    save_model(folder / "model", model)
    grid = working_grid(heart.fixed.grid, config.spacing, config.multiple, config.axes)
    path = folder / "model.tflite"
    parity = export_tflite(model, path, shape=grid.shape, precision=options.precision)
    print(f"working grid {grid.shape}; largest differences: {parity}")
    return path.stat().st_size


def time_convolutions(folder: Path, options: argparse.Namespace) -> Any:
    """The signature `parameters` with planar convolutions, and with TFLite's own."""
    from dlir_tf import read_image
    from dlir_tf.export.tflite import graph
    from dlir_tf.export.tflite.convert import convert
    from dlir_tf.models.litert import LiteRTModel, load_litert
    from dlir_tf.models.litert_file import Card
    from dlir_tf.models.loading import load_model
    from dlir_tf.pairs.preprocessing import prepare_pair

    model, planar = load_model(folder / "model"), load_litert(folder / "model.tflite")
    card = Card(model.config, planar.shape, options.precision)
    with mock.patch.object(graph, "planar", lambda network: network):
        own = LiteRTModel(convert(model.network, card.shape, card.precision), card)
    images = [read_image(folder / f"{name}.nii.gz") for name in ("fixed", "moving")]
    pair = prepare_pair(*images, model.config, shape=card.shape)
    candidates = {
        "3-d, TFLite's own": lambda: own.predict(pair),
        "planar": lambda: planar.predict(pair),
    }
    seconds = time_in_turn(candidates, options.rounds)
    return report("convolutions of `parameters`", seconds)


def process(program: str, *arguments: object) -> Callable[[], object]:
    """A call that runs a program in a process of its own."""
    command = [sys.executable, "-c", program, *map(str, arguments)]
    return lambda: subprocess.run(command, check=True, capture_output=True)


if __name__ == "__main__":
    main()
