"""Models that take as long as trained ones."""

from typing import Any


def random_model(config: Any, scale: float = 0.02) -> Any:
    """A `Model` of a config with random weights.

    Random heads too: a field of zeros is not a fair workload for warps and splines.
    """
    import numpy as np

    from dlir_tf import build_model
    from dlir_tf.models.folder import make_model

    network, rng = build_model(config), np.random.default_rng(0)
    network.set_weights([rng.normal(0, scale, w.shape) for w in network.get_weights()])
    return make_model(config, network)
