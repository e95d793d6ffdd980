"""Refinement: gradient descent on the parameters of one pair's own transform."""

from dlir_tf.refinement.refine import Refined as Refined
from dlir_tf.refinement.refine import refine as refine
