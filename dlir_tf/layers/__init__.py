"""Keras layers: from transform parameters to warped images.

They use `keras.ops` only, work in 2-d and 3-d with dynamic spatial sizes, and
compute coordinates in float32 whatever the mixed-precision policy is.
"""

from dlir_tf.layers.affine import AffineMatrix as AffineMatrix
from dlir_tf.layers.affine import AffineTransformer as AffineTransformer
from dlir_tf.layers.bspline import BSplineTransformer as BSplineTransformer
from dlir_tf.layers.compose import Compose as Compose
from dlir_tf.layers.warp import Warp as Warp
