"""Numerics on the backend of Keras: the layers by which a chain computes its stages.

On the grid of the last stage, where results are judged, these have been compiled for
the chain already.
"""

import numpy as np
from keras import ops

from dlir_tf.layers.compose import Compose
from dlir_tf.layers.warp import Warp
from dlir_tf.numerics.compiled_bspline import CompiledBSpline
from dlir_tf.numerics.uncompiled import Numerics


def warp(image: np.ndarray, displacement: np.ndarray) -> np.ndarray:
    """Warps an image; see `Numerics`."""
    moved = Warp()(image[None, ..., None], _channels_last(displacement))
    return np.asarray(ops.convert_to_numpy(moved)[0, ..., 0])


def compose(outer: np.ndarray, inner: np.ndarray) -> np.ndarray:
    """Composes two fields; see `Numerics`."""
    total = Compose()(_channels_last(outer), _channels_last(inner))
    return np.ascontiguousarray(np.moveaxis(ops.convert_to_numpy(total)[0], -1, 0))


def _channels_last(field: np.ndarray) -> np.ndarray:
    """As layers take it, a batch of one."""
    return np.ascontiguousarray(np.moveaxis(field, 0, -1))[None]


COMPILED = Numerics(CompiledBSpline, warp, compose)
