"""Synthetic beating hearts whose motion is known: for demos, tests and training."""

from dlir_tf.phantoms.files import write_phantoms as write_phantoms
from dlir_tf.phantoms.heart import Phantom as Phantom
from dlir_tf.phantoms.heart import beating_heart as beating_heart

__all__ = ["Phantom", "beating_heart", "write_phantoms"]
