"""Series: all frames of a cine or 4-d scan registered to one of them, and what follows.

The motion-corrected images, labels and landmarks in every frame, volumes, ejection
fractions and strain.
"""

from dlir_tf.series.tracking import Tracking as Tracking
from dlir_tf.series.tracking import track as track
