"""How good a registration is: overlap, surfaces, landmarks, smoothness.

NumPy and SciPy only, for 2-d and 3-d alike. Arrays are fixed first, then moved.
"""

from dlir_tf.metrics.jacobian import folded_percent as folded_percent
from dlir_tf.metrics.jacobian import jacobian_determinant as jacobian_determinant
from dlir_tf.metrics.jacobian import std_log_jacobian as std_log_jacobian
from dlir_tf.metrics.landmarks import landmark_errors as landmark_errors
from dlir_tf.metrics.overlap import dice as dice
from dlir_tf.metrics.surface import SurfaceDistances as SurfaceDistances
from dlir_tf.metrics.surface import surface_distances as surface_distances
