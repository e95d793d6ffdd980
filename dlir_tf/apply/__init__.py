"""Carries along what belongs to an image: labels, channels, series, landmarks.

Images travel from the moving to the fixed world: a `Transform` pulls back, so every
voxel of the result is told where in the moving image its value is. Landmarks travel
with the arrow: from the fixed to the moving world. The inverse swaps the two.
"""

from dlir_tf.apply.images import ImageCarrier as ImageCarrier
from dlir_tf.apply.outputs import check_distinct as check_distinct
from dlir_tf.apply.outputs import output_paths as output_paths
from dlir_tf.apply.outputs import write_results as write_results
from dlir_tf.apply.points import carry_points as carry_points
from dlir_tf.apply.points import turn_normals as turn_normals
