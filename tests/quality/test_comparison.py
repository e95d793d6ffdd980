"""What a candidate does, held against the layers and losses of training."""

from typing import get_args

import numpy as np
import pytest

from dlir_tf.config import Similarity
from dlir_tf.images import Image
from dlir_tf.layers import BSplineTransformer, Compose, Warp
from dlir_tf.layers.affine import rescale_matrix
from dlir_tf.layers.pooling import average_pool
from dlir_tf.losses import similarity_loss
from dlir_tf.metrics.similarity import most_alike
from dlir_tf.pairs.preprocessing import prepare_pair
from dlir_tf.quality.comparison import MAX_VOXELS, Comparison, comparison_factor

from .conftest import make_config, make_images, uniform


def _random_parameters(ndim, config, rng):
    linear = np.eye(ndim) + 0.05 * rng.normal(size=(ndim, ndim))
    matrix = np.column_stack([linear, rng.normal(size=ndim)])
    points = [
        1.5 * rng.normal(size=uniform(config, number, np.zeros(ndim)).shape)
        for number in (2, 3)
    ]
    return matrix, points


def _candidate(comparison, config, matrix, points):
    candidate = comparison.with_matrix(comparison.start(), matrix)
    for stage, values in zip(config.stages[1:], points, strict=True):
        candidate = comparison.with_spline(candidate, values, stage.cell_spacing)
    return candidate


def _by_layers(config, matrix, points, factor):
    """The total field on the pooled grid, as the chain computes it."""
    total = None
    for stage, values in zip(config.stages[1:], points, strict=True):
        spacing = [s // f for s, f in zip(stage.cell_spacing, factor, strict=True)]
        field = BSplineTransformer(tuple(spacing))(
            (values / np.array(factor)).astype("float32")[None]
        )
        total = field if total is None else Compose()(total, field)
    coarse = rescale_matrix(matrix.astype("float32")[None], factor)
    return Compose()(coarse, total)


KINDS = get_args(Similarity.model_fields["kind"].annotation)


@pytest.mark.parametrize("masked", [False, True], ids=["whole", "masked"])
@pytest.mark.parametrize("kind", KINDS)
def test_similarity_is_the_best_minus_the_loss_of_training(rng, ndim, kind, masked):
    config = make_config(ndim, similarity={"kind": kind, "window": 5})
    fixed, moving = make_images(ndim)
    masks = {}
    if masked:
        for name, image, first in (
            ("fixed_mask", fixed, 3),
            ("moving_mask", moving, 6),
        ):
            inside = np.zeros(image.shape, bool)
            inside[first:-4, 2:-first] = True
            masks[name] = Image(inside, image.affine)
    pair = prepare_pair(fixed, moving, config, **masks)
    comparison = Comparison(pair, config)
    factor = config.stages[-1].downsample
    assert comparison.factor == factor
    matrix, points = _random_parameters(ndim, config, rng)
    judged = comparison.judge(_candidate(comparison, config, matrix, points))
    ddf = _by_layers(config, matrix, points, factor)

    def pooled(array):
        return average_pool(array.astype("float32")[None, ..., None], factor)

    weights = pooled(pair.mask)
    if masked:
        weights = weights * (np.asarray(pooled(pair.fixed_mask)) >= 0.999)
        inside = (np.asarray(pooled(pair.moving_mask)) >= 0.999).astype("float32")
        weights = weights * (np.asarray(Warp()(inside, ddf)) >= 0.999)
        assert 0.3 < float(np.mean(weights)) < 0.8
    loss = similarity_loss(kind, 5)(
        pooled(pair.fixed), Warp()(pooled(pair.moving), ddf), weights
    )
    assert judged.similarity < most_alike(kind) - 0.01
    expected = most_alike(kind) - float(loss[0])
    assert judged.similarity == pytest.approx(expected, abs=2e-5)


def test_folds_are_found_where_the_images_are_compared(ndim, pair):
    """Determinants against those of a field made by hand."""
    config = make_config(ndim, downsample=1)
    comparison = Comparison(pair, config)
    points = np.array(uniform(config, 2, np.zeros(ndim)))
    slope = np.linspace(-1, 1, points.shape[0]).reshape([-1] + [1] * (ndim - 1))
    points[..., 0] = 60.0 * slope**2
    candidate = comparison.with_spline(
        comparison.start(), points, config.stages[1].cell_spacing
    )
    judged = comparison.judge(candidate)
    along = candidate.deformation[0]
    determinant = 1 + np.gradient(along, axis=0)
    assert judged.smallest_jacobian == pytest.approx(determinant.min(), abs=1e-5)
    assert judged.smallest_jacobian < 0
    share = 100 * np.mean(determinant <= 0)
    assert judged.folded_percent == pytest.approx(share)
    scaled = comparison.with_matrix(candidate, np.eye(ndim + 1)[:-1] * 1.5)
    assert comparison.judge(scaled).smallest_jacobian == pytest.approx(
        1.5**ndim * determinant.min(), abs=1e-4
    )


def test_nothing_to_compare_is_no_similarity(ndim):
    """A mask so thin that no average of voxels is wholly inside."""
    config = make_config(ndim)
    fixed, moving = make_images(ndim)
    thin = np.zeros(fixed.shape, bool)
    thin[5] = True
    pair = prepare_pair(fixed, moving, config, fixed_mask=Image(thin, fixed.affine))
    comparison = Comparison(pair, config)
    judged = comparison.judge(comparison.start())
    assert np.isnan(judged.similarity)
    assert judged.folded_percent == 0


@pytest.mark.parametrize(
    ("shape", "spacing", "downsample", "expected"),
    [
        ((256, 224, 10), (1.5, 1.5, 10.0), (2, 2, 1), (2, 2, 1)),
        ((320, 320, 320), (1.0, 1.0, 1.0), (1, 1, 1), (8, 4, 4)),
        ((512, 512, 16), (0.5, 0.5, 5.0), (1, 1, 1), (4, 4, 1)),
        ((1023, 1024, 3), (1.0, 1.0, 9.0), (1, 1, 1), (1, 16, 1)),
        ((4096, 4096), (0.1, 0.2), (2, 2), (16, 4)),
    ],
)
def test_large_grids_are_compared_on_coarser_ones(shape, spacing, downsample, expected):
    """Where voxels are smallest first, as far as sizes can be halved."""
    factor = comparison_factor(shape, spacing, downsample)
    assert factor == expected
    assert np.prod([n // f for n, f in zip(shape, factor, strict=True)]) <= MAX_VOXELS


def test_the_config_s_window_counts(ndim, pair):
    """A wider window sees other coefficients."""
    values = set()
    for window in (3, 9):
        config = make_config(ndim).model_copy(
            update={"similarity": Similarity(kind="windowed_ncc", window=window)}
        )
        comparison = Comparison(pair, config)
        values.add(round(comparison.judge(comparison.start()).similarity, 3))
    assert len(values) == 2


def test_similarity_alone_is_that_of_the_whole_judgement(rng):
    """With masks of both images, which interpolation mixes with their outside."""
    config = make_config(2)
    fixed, moving = make_images(2)
    masks = {
        name: image.with_array(rng.uniform(size=image.shape) > 0.1)
        for name, image in (("fixed_mask", fixed), ("moving_mask", moving))
    }
    comparison = Comparison(prepare_pair(fixed, moving, config, **masks), config)
    alone = comparison.similarity_at_start
    assert alone == comparison.judge(comparison.start()).similarity
    assert alone == comparison.at_start.similarity


def test_borders_alone_make_nothing_alike(rng, ndim):
    """Noise on a grid that is padded by half a block, which is 0 in both images."""
    config = make_config(ndim, similarity={"kind": "windowed_ncc", "window": 5})
    sizes = [size - 2 for size in (48, 40, 12)[:ndim]]
    fixed, moving = (
        Image(rng.normal(size=sizes).astype(np.float32), np.eye(ndim + 1))
        for _ in range(2)
    )
    pair = prepare_pair(fixed, moving, config)
    assert pair.grid.shape != fixed.shape
    judged = Comparison(pair, config).at_start
    assert abs(judged.similarity) < 0.05
    assert judged.told_share < 0.05
