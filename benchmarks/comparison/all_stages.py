"""Pairs registered by all stages of a model, measured, in a process of their own.

python benchmarks/comparison/all_stages.py --pairs val.csv --model model --output a.csv

`dlir-tf evaluate` registers as users do: a stage that does a pair harm is left out. A
stage that folds would be left out as well, and what keeps it from folding would seem
to bring nothing but accuracy. Here every stage stays, whatever it does.
"""

import argparse
import sys
import warnings
from pathlib import Path

import numpy as np

from dlir_tf.cli.work.quiet import load_keras
from dlir_tf.errors import InputError
from dlir_tf.evaluation.measures import measure, measure_registration
from dlir_tf.images import SpacingWarning
from dlir_tf.pairs.loading import load_pair, located
from dlir_tf.pairs.manifest import Pair, read_manifest
from dlir_tf.transforms import Affine, Transform


def main() -> None:
    """Writes the same columns as `dlir-tf evaluate`."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=Path, required=True, help="manifest")
    parser.add_argument("--model", type=Path, required=True, help="its folder")
    parser.add_argument("--refine", type=int, help="steps of refinement")
    parser.add_argument("--output", type=Path, required=True, help="CSV file")
    options = parser.parse_args()
    load_keras()  # as commands do: see there
    from dlir_tf import load_model
    from dlir_tf.evaluation.report import write_csv

    try:
        pairs, model = read_manifest(options.pairs), load_model(options.model)
        evaluations = [evaluated(pair, model, options.refine) for pair in pairs]
        write_csv(options.output, evaluations)
    except InputError as error:
        sys.exit(str(error))


def evaluated(pair: Pair, model, refine: int | None = None):
    """A `PairEvaluation` of what all stages make of a pair.

    Raises:
        InputError: If the pair is faulty or doesn't suit the model.
    """
    from dlir_tf import register
    from dlir_tf.evaluation.evaluate import PairEvaluation

    with located(pair), warnings.catch_warnings():
        warnings.simplefilter("ignore", SpacingWarning)
        loaded = load_pair(pair)
        result = register(
            loaded.fixed,
            loaded.moving,
            model=model,
            refine=refine,
            fixed_mask=loaded.fixed_mask,
            moving_mask=loaded.moving_mask,
            do_no_harm=False,
        )
    identity = Transform((Affine(np.eye(loaded.fixed.ndim + 1)),))
    after = measure_registration(loaded, result)
    return PairEvaluation(pair, measure(loaded, identity), after, result.report)


if __name__ == "__main__":
    main()
