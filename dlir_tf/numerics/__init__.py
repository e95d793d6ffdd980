"""What does the arithmetic of a registration: NumPy and SciPy, or a compiled backend.

The results are the same to about 1e-5 voxels. A model that runs without Keras has its
registrations computed without it as well.
"""

from dlir_tf.numerics.uncompiled import UNCOMPILED as UNCOMPILED
from dlir_tf.numerics.uncompiled import Numerics as Numerics
