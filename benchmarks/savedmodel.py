"""An exported model, plain and with XLA, beside `dlir_tf.register` on the same pair.

python benchmarks/savedmodel.py --preset brain-mr --size 160 192 160 --spacing 1 1 1
"""

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from machine import as_commands_do
from models import random_model
from timing import report, time_in_turn, write_json


def main() -> None:
    """Times whole answers and parameters alone, in this process."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--preset", default="cardiac-cine")
    parser.add_argument("--size", type=int, nargs=3, default=(216, 256, 8))
    parser.add_argument("--spacing", type=float, nargs=3, default=(1.5, 1.5, 8.0))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path, help="where the figures go")
    options = parser.parse_args()
    as_commands_do()

    from dlir_tf import load_config, register
    from dlir_tf.phantoms import beating_heart

    config = load_config(options.preset)
    model = random_model(config)
    heart = beating_heart(1, shape=options.size, spacing=options.spacing)
    exported = {
        "plain": signatures_of(model, xla=False),
        "XLA": signatures_of(model, xla=True),
    }
    inputs = as_inputs(heart)
    candidates = {
        "dlir_tf.register": lambda: register(
            heart.fixed, heart.moving, model=model, do_no_harm=False
        )
    }
    for name in ("serving_default", "parameters"):
        for kind, signatures in exported.items():
            candidates[f"{name}, {kind}"] = call(signatures[name], inputs)
    seconds = time_in_turn(candidates, options.rounds)
    title = f"{options.preset}, a pair of {tuple(options.size)}"
    results = {"size": tuple(options.size), "export": report(title, seconds)}
    write_json(options.json, results)


def signatures_of(model: Any, *, xla: bool) -> Any:
    """The signatures of an exported model, loaded again."""
    import tensorflow as tf

    from dlir_tf.export.savedmodel import write_savedmodel

    with tempfile.TemporaryDirectory() as folder:
        write_savedmodel(Path(folder), model, xla=xla)
        loaded = tf.saved_model.load(folder)
    # The functions live as long as what they came from.
    return {name: (loaded, function) for name, function in loaded.signatures.items()}


def as_inputs(heart: Any) -> dict[str, Any]:
    """The pair as a batch of one, raw."""
    import tensorflow as tf

    arrays = {
        "fixed": heart.fixed.array,
        "moving": heart.moving.array,
        "fixed_affine": heart.fixed.affine,
        "moving_affine": heart.moving.affine,
    }
    return {
        k: tf.constant(array[np.newaxis], tf.float32) for k, array in arrays.items()
    }


def call(signature: Any, inputs: dict[str, Any]) -> Any:
    """A call without arguments that waits for all outputs."""
    _, function = signature
    return lambda: [output.numpy() for output in function(**inputs).values()]


if __name__ == "__main__":
    main()
