"""How far an affine part may take two images apart."""

import numpy as np
import pytest

from dlir_tf.refinement.drift import leads_apart


@pytest.mark.parametrize(
    ("stretch", "by_any", "by_context"),
    [
        (1.2, False, False),
        (1.8, False, True),
        (2.2, True, True),
    ],
)
def test_self_similarities_may_stretch_less_of_an_image_away(
    stretch, by_any, by_context
):
    """Along one axis, about the middle: the share that stays is its inverse."""
    mask, still = np.ones((60, 20, 20), bool), np.eye(3, 4)
    matrix = np.diag([stretch, 1.0, 1.0])
    middle = (np.array(mask.shape) - 1) / 2
    matrix = np.column_stack([matrix, middle - matrix @ middle])
    assert leads_apart(matrix, still, mask) is by_any
    assert leads_apart(matrix, still, mask, by_context=True) is by_context
