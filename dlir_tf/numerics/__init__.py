"""What does the arithmetic of a registration: NumPy and SciPy, or machine code.

The results are the same to about 1e-5 voxels. A model that runs without Keras has its
registrations computed without Numba, too, which takes a second to load.
"""

from dlir_tf.numerics.uncompiled import UNCOMPILED as UNCOMPILED
from dlir_tf.numerics.uncompiled import Numerics as Numerics
