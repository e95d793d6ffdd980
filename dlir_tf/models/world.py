"""From what a model gives for a pair to a transform of the world."""

from dlir_tf.config import Config
from dlir_tf.models.parameters import Parameters, check_finite
from dlir_tf.pairs.rigidity import exact_matrix
from dlir_tf.pairs.working_pair import WorkingPair
from dlir_tf.transforms import Affine, BSpline, Transform


def build_transform(
    pair: WorkingPair,
    parameters: Parameters,
    config: Config,
    bspline: type[BSpline] = BSpline,
) -> Transform:
    """Makes the world transform from what a model gives for a pair.

    Args:
        pair: On its working grid.
        parameters: Of the transform there.
        config: The model's.
        bspline: The class of the splines.

    Raises:
        InputError: If the parameters aren't finite.
    """
    check_finite(parameters)
    splines = [
        (points, spline.stage.cell_spacing)
        for spline, points in reversed(parameters.splines(config))
    ]
    matrix = exact_matrix(parameters.matrix, pair.grid, config)
    transform = pair.to_world(matrix, splines, bspline)
    if config.keeps and transform.is_affine:
        # With the initial alignment one motion, and one in a file.
        transform = Transform((Affine(transform.affine_part),))
    return transform
