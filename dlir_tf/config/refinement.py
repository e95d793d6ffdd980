"""The settings of refinement."""

from dlir_tf.config.stages import Flag, Frozen, Positive, PositiveInt


class Refinement(Frozen):
    """How a pair's own transform is improved by gradient descent.

    `steps` are those of a refinement that starts from nothing; `learning_rate` is in
    control point spacings per step. With `full_resolution`, the last phase compares the
    images on the working grid itself, however coarse the last stage sees them.
    """

    steps: PositiveInt = 150
    learning_rate: Positive = 0.03
    full_resolution: Flag = False
