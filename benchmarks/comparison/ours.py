"""dlir-tf itself: by a trained model, refined, refined from nothing, or told nothing.

And nothing at all, to compare with. The model is loaded and the registration run once
before the clock starts, a refinement with a few steps, as in a program that registers
one pair after another; what is compiled for the shape of a pair isn't timed.
"""

import numpy as np

from comparison.methods import NO_MASKS, Masks, Prepared
from dlir_tf.images import Image
from dlir_tf.transforms import Affine, Transform


def prepare(
    fixed: Image, moving: Image, settings: dict, masks: Masks = NO_MASKS
) -> Prepared:
    """Loads the model and warms up."""
    if settings.get("kind") == "identity":
        identity = Transform((Affine(np.eye(fixed.ndim + 1)),))
        return Prepared(lambda: None, lambda nothing: identity)
    import dlir_tf

    if settings["start"] == "model":
        model = dlir_tf.load_model(settings["model"])
        config, options = model.config, {"model": model}
    elif settings["start"] == "preset":
        config = dlir_tf.load_config(settings["preset"])
        options = {"config": config}
    else:
        options = {}
    steps = None
    if settings["start"] == "preset":
        steps = config.refinement.steps
    elif settings.get("refined"):
        steps = settings["refine"]

    def run(steps=steps):
        return dlir_tf.register(
            fixed,
            moving,
            refine=steps,
            fixed_mask=masks[0],
            moving_mask=masks[1],
            **options,
        )

    if options:  # at least one step in each phase
        run(steps and min(steps, 2 * (len(config.stages) + 1)))
    else:
        run(10)
    return Prepared(run, lambda result: result.transform)
