"""Many pairs: registered one after another, by several processes, on a cluster."""

from dlir_tf.cohort.registering import register_pairs as register_pairs
from dlir_tf.cohort.result import PairResult as PairResult
from dlir_tf.cohort.settings import Settings as Settings
