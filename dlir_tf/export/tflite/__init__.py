"""A model as one TFLite file, for LiteRT: no TensorFlow, no dlir_tf needed to run."""
