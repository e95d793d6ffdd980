"""Models that move images, though they never saw one: their weights are random.

An untrained model is the identity, which agrees with any other and with most faults.
"""

import numpy as np


def affine(feature_spacing, downsample=1, **fields):
    """An affine stage of few weights, as a config has it."""
    small = {"filters": [3], "dense_units": [4]}
    grid = {"downsample": downsample, "feature_spacing": feature_spacing}
    return {"transform": "affine", **grid, **small, **fields}


def spline(control_point_spacing, downsample=1, **fields):
    """A deformable stage of few weights, as a config has it."""
    small = {"filters": [3], "lattice_filters": 3}
    grid = {"downsample": downsample, "control_point_spacing": control_point_spacing}
    return {"transform": "bspline", **grid, **small, **fields}


def random_model(config, rng, scale=None, *, added=True, provenance=None):
    """A model of a config, or of the dictionary that one is made of.

    Args:
        config: Of the model.
        rng: Draws the weights.
        scale: How wide they are drawn; without one, so that the output of a layer is
            about as large as its input.
        added: Whether to the initial weights; or else they replace them.
        provenance: Of the model.
    """
    import keras

    from dlir_tf.config import Config
    from dlir_tf.models.folder import make_model
    from dlir_tf.models.model import build_model

    # Fixtures of a wide scope come before the one that does this for every test.
    keras.utils.set_random_seed(20190701)
    config = config if isinstance(config, Config) else Config.model_validate(config)
    network = build_model(config)
    for weight in network.weights:
        fan_in = np.prod(weight.shape[:-1]) or 1
        width = 1 / np.sqrt(fan_in) if scale is None else scale
        value = weight.numpy() * added + rng.normal(0, width, weight.shape)
        weight.assign(np.abs(value) if "variance" in weight.path else value)
    return make_model(config, network, provenance)


def write_random_model(folder, *arguments, **options):
    """Writes a random model's folder; returns its path."""
    from dlir_tf.models.folder import save_model

    save_model(folder, random_model(*arguments, **options))
    return folder
