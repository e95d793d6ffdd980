"""Registering by a server that has the model, TensorFlow Serving.

The server finds the parameters of the transform, a few kilobytes; the stages are judged
and the images resampled here, by the same code that registration with a model of one's
own runs. Nothing here needs TensorFlow.
"""

from dlir_tf.serving.registration import register_remotely as register_remotely
from dlir_tf.serving.server import Server as Server
