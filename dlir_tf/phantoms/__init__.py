"""Synthetic images whose motion is known: beating hearts and breathing lungs.

For demos, tests and training.
"""

from dlir_tf.phantoms.beat import Heartbeat as Heartbeat
from dlir_tf.phantoms.beat import heartbeat as heartbeat
from dlir_tf.phantoms.breathing import BreathingPair as BreathingPair
from dlir_tf.phantoms.breathing import breathe as breathe
from dlir_tf.phantoms.breathing import breathing_pair as breathing_pair
from dlir_tf.phantoms.breathing_files import Thorax as Thorax
from dlir_tf.phantoms.breathing_files import (
    write_breathing_pairs as write_breathing_pairs,
)
from dlir_tf.phantoms.chest import chest_ct as chest_ct
from dlir_tf.phantoms.files import write_phantoms as write_phantoms
from dlir_tf.phantoms.heart import Phantom as Phantom
from dlir_tf.phantoms.heart import beating_heart as beating_heart

__all__ = [
    "BreathingPair",
    "Heartbeat",
    "Phantom",
    "Thorax",
    "beating_heart",
    "breathe",
    "breathing_pair",
    "chest_ct",
    "heartbeat",
    "write_breathing_pairs",
    "write_phantoms",
]
