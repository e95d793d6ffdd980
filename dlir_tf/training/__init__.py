"""Training without ground truth: pairs of images in, a model folder out."""

from dlir_tf.training.trainer import train as train
