"""Models that move images, though they never saw one: their weights are random.

An untrained model is the identity, which agrees with any other and with most faults.
"""

import numpy as np


def random_model(config, rng, scale=None, *, added=True, provenance=None):
    """A model of a config, or of the dictionary that one is made of.

    `rng` draws the weights around the initial ones, or around zero unless `added`;
    without a `scale`, so wide that a layer's output is about as large as its input.
    """
    from dlir_tf.config import Config
    from dlir_tf.models.folder import make_model
    from dlir_tf.models.model import build_model

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
