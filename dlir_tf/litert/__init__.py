"""Models as LiteRT (TFLite) files: one file is a model, TensorFlow isn't needed."""

from dlir_tf.litert.model import LiteRTModel as LiteRTModel
from dlir_tf.litert.model import load_litert as load_litert

__all__ = ["LiteRTModel", "load_litert"]
