"""Trains a general model on one GPU under JAX, within some minutes, and measures it.

KERAS_BACKEND=jax python benchmarks/gpu.py --output general-3d --atlases atlases

First it times a few steps, then trains for as many as fit into the minutes that are
left; a model that was trained before is gone on with by --initial-weights. At last it
measures milliseconds a pair: one shot of this model, of `cardiac-cine` and of
`brain-mr` on a brain of 160x192x160, and the refinement of the latter. The two presets
have random weights: these take as long as others. TensorFlow isn't needed.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pages import markdown
from timing import write_json

# Of the minutes, for compiling once more, validation and what can't be foreseen.
SHARE_OF_STEPS = 0.8
BRAIN, HEART = (160, 192, 160), (256, 224, 10)


def main() -> None:
    """Trains, writes the model folder, and prints what it measured."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", default="general", help="preset or file")
    parser.add_argument("--output", type=Path, required=True, help="model folder")
    parser.add_argument("--atlases", type=Path, help="folder of label images")
    parser.add_argument("--initial-weights", type=Path, help="model to go on with")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rounds", type=int, default=5, help="of each timing")
    parser.add_argument("--refine", type=int, default=100, help="steps")
    parser.add_argument(
        "--shrink", type=int, default=1, help="divides the images' sizes, for a test"
    )
    parser.add_argument("--json", type=Path, help="where the figures go")
    options = parser.parse_args()
    results = run(options)
    print(tables(results))
    write_json(options.json, results)


def run(options: argparse.Namespace) -> dict[str, Any]:
    """Trains and measures; returns the figures."""
    started = time.monotonic()
    import keras

    from dlir_tf.config import load_config
    from dlir_tf.models.folder import load_model
    from dlir_tf.synthesis.atlases import read_atlases
    from dlir_tf.training import train

    config = with_batch_size(load_config(options.config), options.batch_size)
    atlases = read_atlases(options.atlases, config.ndim) if options.atlases else []
    first = load_model(options.initial_weights) if options.initial_weights else None
    rate = steps_per_second(config, atlases)
    left = 60 * options.minutes - (time.monotonic() - started)
    steps = max(2, int(SHARE_OF_STEPS * left * rate))
    config = for_steps(config, steps)
    model = train(
        config, [], options.output, seed=options.seed, initial=first, atlases=atlases
    )
    return {
        "backend": keras.backend.backend(),
        "devices": list(keras.distribution.list_devices()),
        "config": options.config,
        "batch_size": options.batch_size,
        "steps": steps,
        "steps_per_second": rate,
        "pairs_per_second": rate * options.batch_size,
        "training_seconds": model.provenance["training_seconds"],
        "milliseconds": times_of_pairs(model, options),
    }


def with_batch_size(config: Any, batch_size: int) -> Any:
    """The config with other batches."""
    training = config.training.model_copy(update={"batch_size": batch_size})
    return config.model_copy(update={"training": training})


def for_steps(config: Any, steps: int) -> Any:
    """The config with so many steps, all stages together, and about 20 rows of log."""
    changes = {
        "steps": 0,
        "joint_steps": steps,
        "validate_every": max(1, min(config.training.validate_every, steps // 20)),
    }
    training = config.training.model_copy(update=changes)
    stages = tuple(s.model_copy(update={"steps": None}) for s in config.stages)
    return config.model_copy(update={"training": training, "stages": stages})


def steps_per_second(config: Any, atlases: Any, most_steps: int = 40) -> float:
    """How fast training goes once everything is compiled."""
    from dlir_tf.models.model import build_model
    from dlir_tf.training.optimizer import make_optimizer
    from dlir_tf.training.phases import training_phases
    from dlir_tf.training.synthetic import SyntheticSource

    (phase,) = training_phases(for_steps(config, most_steps))
    source = SyntheticSource(config, 1, atlases)
    network = build_model(config)
    seconds = []
    for step in source.steps(network, phase, make_optimizer("float32"), 0, 0):
        start = time.perf_counter()
        float(step()["loss"])  # waits until the device is done
        seconds.append(time.perf_counter() - start)
    # Those that compile take far longer than the others.
    return 1 / statistics.median(seconds)


def times_of_pairs(model: Any, options: argparse.Namespace) -> dict[str, float]:
    """Milliseconds of registrations, by what they are of."""
    from dlir_tf.config import load_config
    from dlir_tf.models.folder import make_model
    from dlir_tf.models.model import build_model

    def fresh(name: str) -> Any:
        config = load_config(name)
        return make_model(config, build_model(config))

    brain, heart = (
        tuple(max(8, n // options.shrink) for n in size) for size in (BRAIN, HEART)
    )
    size = brain[: model.config.ndim]
    shots = {
        f"{options.config}, {by(size)}": (model, size, None),
        f"cardiac-cine, {by(heart)}": (fresh("cardiac-cine"), heart, None),
        f"brain-mr, {by(brain)}": (fresh("brain-mr"), brain, None),
        f"brain-mr, {by(brain)}, {options.refine} steps of refinement": (
            fresh("brain-mr"),
            brain,
            options.refine,
        ),
    }
    return {
        name: milliseconds(registration(*shot), options.rounds)
        for name, shot in shots.items()
    }


def registration(
    model: Any, size: tuple[int, ...], refine: int | None
) -> Callable[[], object]:
    """Returns a function that registers two blurred noises."""
    import numpy as np
    from scipy import ndimage

    from dlir_tf import Image, register

    rng = np.random.default_rng(0)
    affine = np.eye(len(size) + 1)
    if len(size) == 3 and size[2] < size[0] // 4:
        affine[2, 2] = 8.0  # thick slices
    images = [
        Image(ndimage.gaussian_filter(rng.random(size, np.float32), 2.0), affine)
        for _ in range(2)
    ]
    return lambda: register(*images, model=model, refine=refine, do_no_harm=False)


def milliseconds(function: Callable[[], object], rounds: int) -> float:
    """The median of some rounds, after one that compiles."""
    seconds = []
    for _ in range(rounds + 1):
        start = time.perf_counter()
        function()
        seconds.append(time.perf_counter() - start)
    return 1000 * statistics.median(seconds[1:])


def by(size: tuple[int, ...]) -> str:
    """A size as it's read."""
    return "×".join(map(str, size))


def tables(results: dict[str, Any]) -> str:
    """What was measured, for a page."""
    training = markdown(
        ["training", "steps a second", "pairs a second", "steps", "seconds"],
        [
            [
                f"{results['config']}, batches of {results['batch_size']}",
                f"{results['steps_per_second']:.1f}",
                f"{results['pairs_per_second']:.1f}",
                str(results["steps"]),
                f"{results['training_seconds']:.0f}",
            ]
        ],
    )
    pairs = markdown(
        ["a pair", "ms"],
        ([name, f"{ms:.0f}"] for name, ms in results["milliseconds"].items()),
    )
    return f"{training}\n{pairs}"


if __name__ == "__main__":
    main()
