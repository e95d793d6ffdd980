"""The settings of refinement."""

from dlir_tf.config.similarity import Similarity
from dlir_tf.config.stages import BSplineStage, Flag, Frozen, Positive, PositiveInt


class Refinement(Frozen):
    """How a pair's own transform is improved by gradient descent.

    `steps` are those of a refinement that starts from nothing; `learning_rate` is in
    control point spacings per step. `stages` are further deformable stages, which no
    network predicts: they come after those of the networks, and can be finer; without
    `networks_lattices`, they come instead of these. `similarity` is maximised instead
    of the config's.
    """

    steps: PositiveInt = 150
    learning_rate: Positive = 0.03
    networks_lattices: Flag = True
    stages: tuple[BSplineStage, ...] = ()
    similarity: Similarity | None = None
