"""A pair through an affine and three B-spline stages, warmed up, in memory.

python benchmarks/chain.py --size 160 192 160
"""

import argparse
from pathlib import Path

import numpy as np
from machine import as_commands_do
from models import random_model
from timing import report, time_in_turn, write_json


def main() -> None:
    """Times the model at full resolution, and its parameters alone."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, nargs=3, default=(160, 192, 160))
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", type=Path, help="where the figures go")
    options = parser.parse_args()
    as_commands_do()

    import tensorflow as tf

    from dlir_tf.compute.compilation import compiled_graph
    from dlir_tf.config import Config
    from dlir_tf.models.model import parameters_model

    stages = [{"transform": "affine", "downsample": 4, "feature_spacing": 32}]
    stages += [
        {
            "transform": "bspline",
            "downsample": downsample,
            "control_point_spacing": spacing,
            "filters": [16, 32, 32],
        }
        for downsample, spacing in ((4, 32), (2, 16), (2, 8))
    ]
    config = Config.model_validate({"ndim": 3, "spacing": 1.0, "stages": stages})
    network = random_model(config, 0.05).network
    rng = np.random.default_rng(0)
    shape = (1, *options.size, 1)
    pair = {
        "fixed": tf.constant(rng.random(shape, dtype=np.float32)),
        "moving": tf.constant(rng.random(shape, dtype=np.float32)),
        "spacing": tf.ones((1, 3)),
    }
    whole = compiled_graph(lambda inputs: network(inputs, training=False))
    parameters = parameters_model(network)
    alone = compiled_graph(lambda inputs: parameters(inputs, training=False))
    seconds = time_in_turn(
        {
            "moved image and field": lambda: whole(pair)["moved"].numpy(),
            "parameters alone": lambda: alone(pair)["affine"].numpy(),
        },
        options.rounds,
    )
    title = f"a pair of {tuple(options.size)} through affine + three splines"
    results = {"size": tuple(options.size), "chain": report(title, seconds)}
    write_json(options.json, results)


if __name__ == "__main__":
    main()
