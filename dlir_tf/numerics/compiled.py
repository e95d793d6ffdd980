"""Numerics by kernels, which Numba compiles once for images of any size."""

import numpy as np

from dlir_tf.kernels import sampling
from dlir_tf.kernels.volume import change_of_volume
from dlir_tf.numerics.compiled_bspline import CompiledBSpline
from dlir_tf.numerics.uncompiled import Numerics


def warp(image: np.ndarray, displacement: np.ndarray) -> np.ndarray:
    """Warps an image; see `Numerics`."""
    return sampling.warp(image[..., None], _channels_last(displacement))[..., 0]


def compose(outer: np.ndarray, inner: np.ndarray) -> np.ndarray:
    """Composes two fields; see `Numerics`."""
    total = sampling.compose(_channels_last(outer), _channels_last(inner))
    return np.ascontiguousarray(np.moveaxis(total, -1, 0))


def _channels_last(field: np.ndarray) -> np.ndarray:
    """As kernels take it."""
    return np.ascontiguousarray(np.moveaxis(field, 0, -1))


COMPILED = Numerics(CompiledBSpline, warp, compose, change_of_volume)
