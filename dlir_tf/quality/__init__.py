"""Whether a registration did any good: stage by stage, and as a verdict.

NumPy and SciPy only, on a pair and the parameters of its transform, so that it's the
same whatever found these: a Keras model, an exported one, a refinement.
"""

from dlir_tf.quality.report import RefinementOutcome as RefinementOutcome
from dlir_tf.quality.report import Report as Report
from dlir_tf.quality.report import write_report as write_report
