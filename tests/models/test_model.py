"""The chain: identity at first, SimpleITK's composite transform ever after."""

import keras
import numpy as np
import pytest
import SimpleITK as sitk
import tensorflow as tf
from scipy import ndimage

from dlir_tf.compute.compilation import without_islands
from dlir_tf.config import Config
from dlir_tf.layers import BSplineTransformer, Warp
from dlir_tf.layers.pooling import average_pool
from dlir_tf.models.model import (
    build_model,
    parameters_model,
    partial_model,
    training_model,
)

SMALL = {"filters": [3, 4], "normalization": "batch"}


def _affine(downsample, feature_spacing):
    return {
        "transform": "affine",
        "downsample": downsample,
        "feature_spacing": feature_spacing,
        "dense_units": [6],
        **SMALL,
    }


def _bspline(downsample, control_point_spacing, **options):
    return {
        "transform": "bspline",
        "downsample": downsample,
        "control_point_spacing": control_point_spacing,
        "lattice_filters": 4,
        **SMALL,
        **options,
    }


CONFIGS = {
    2: Config(
        ndim=2,
        spacing=(0.7, 1.9),
        stages=(
            _affine([2, 2], [8, 8]),
            _bspline([2, 2], [8, 8]),
            _bspline([1, 2], [8, 4]),
            _bspline([1, 1], [4, 2], injective=False),
        ),
    ),
    3: Config(
        ndim=3,
        spacing=(1.5, 1.2, 8),
        stages=(
            _affine([2, 2, 1], [8, 8, 1]),
            _bspline([4, 2, 1], [8, 8, 1]),
            _bspline([2, 2, 1], [4, 8, 1]),
            _bspline([1, 1, 1], [4, 4, 1]),
        ),
    ),
}
SIZES = {2: (32, 24), 3: (24, 16, 7)}
BATCH = 2


def _inputs(ndim):
    rng = np.random.default_rng(5)
    shape = (BATCH, *SIZES[ndim], 1)
    spacing = np.asarray([CONFIGS[ndim].spacing, CONFIGS[ndim].spacing], "float32")
    spacing[1] *= 1.25
    return {
        "fixed": rng.random(shape, dtype="float32"),
        "moving": rng.random(shape, dtype="float32"),
        "spacing": spacing,
    }


def _randomise(model, config):
    """Random heads, so that every stage moves voxels by about as much as it may."""
    rng = np.random.default_rng(7)
    for index in range(len(config.stages)):
        head = model.get_layer(config.network_names[index]).layers[-1]
        kernel, bias = head.get_weights()
        assert not np.any(kernel)
        strength = 0.1 if index == 0 else 0.3
        kernel = rng.normal(0, strength, kernel.shape)
        head.set_weights([kernel, rng.normal(0, strength / 2, bias.shape)])


@pytest.fixture(scope="module", params=[2, 3], ids=["2-d", "3-d"])
def ndim(request):
    return request.param


@pytest.fixture(scope="module")
def untrained(ndim):
    keras.utils.set_random_seed(1)
    return build_model(CONFIGS[ndim])


@pytest.fixture(scope="module")
def trained(ndim):
    """Stands for a trained model, and what comes out of it."""
    keras.utils.set_random_seed(2)
    model = build_model(CONFIGS[ndim])
    _randomise(model, CONFIGS[ndim])
    outputs = model(_inputs(ndim), training=False)
    return model, {name: tensor.numpy() for name, tensor in outputs.items()}


def test_untrained_model_is_exactly_the_identity(ndim, untrained):
    inputs = _inputs(ndim)
    outputs = untrained(inputs)
    np.testing.assert_array_equal(outputs["moved"], inputs["moving"])
    np.testing.assert_array_equal(outputs["ddf"], np.zeros((BATCH, *SIZES[ndim], ndim)))
    np.testing.assert_array_equal(outputs["affine"], [np.eye(ndim, ndim + 1)] * BATCH)
    for index in (2, 3, 4):
        assert not np.any(outputs[f"control_points_{index}"])


def test_lattices_have_two_cells_more_on_every_side(ndim, trained):
    _, outputs = trained
    for number, stage in enumerate(CONFIGS[ndim].stages[1:], start=2):
        pairs = zip(SIZES[ndim], stage.control_point_spacing, strict=True)
        cells = [size // spacing + 4 for size, spacing in pairs]
        shape = outputs[f"control_points_{number}"].shape
        assert shape == (BATCH, *cells, ndim)


def test_only_injective_stages_bound_their_control_points():
    limit = {2: 2.0464, 3: 2.4795}
    for injective in (True, False):
        stage = _bspline([1, 1], [4, 2], injective=injective)
        config = Config(ndim=2, spacing=1, stages=(stage,))
        model = build_model(config)
        head = model.get_layer("stage_1_bspline").layers[-1]
        kernel, _ = head.get_weights()
        head.set_weights([kernel, np.array([100, -100])])
        with without_islands():
            points = model(_inputs(2))["control_points_1"][0, 3, 3].numpy()
        bounded = np.array([4, -2]) / limit[2]
        expected = bounded if injective else [400, -200]
        np.testing.assert_allclose(points, expected, rtol=1e-5)


def _itk_spline(control_points, steps, spacing):
    """On the lattice of the design; axes and mm are those of the grid."""
    ndim = len(steps)
    first = [((s - 1) / 2 - 2 * s) * h for s, h in zip(steps, spacing, strict=True)]
    transform = sitk.BSplineTransform(ndim, 3)
    transform.SetFixedParameters(
        [
            *map(float, control_points.shape[:-1]),
            *map(float, first),
            *(np.asarray(steps) * spacing).astype(float),
            *np.eye(ndim).ravel(),
        ]
    )
    in_mm = control_points.astype(float) * spacing
    transform.SetParameters(
        np.concatenate([in_mm[..., a].ravel(order="F") for a in range(ndim)])
    )
    return transform


def _itk_transforms(outputs, sample, config, spacing):
    """The stages in the order affine, u_1, …, in mm."""
    ndim = config.ndim
    matrix = outputs["affine"][sample].astype(float)
    affine = sitk.AffineTransform(ndim)
    affine.SetMatrix((matrix[:, :-1] * spacing[:, None] / spacing).ravel())
    affine.SetTranslation(matrix[:, -1] * spacing)
    splines = [
        _itk_spline(
            outputs[f"control_points_{number}"][sample],
            config.stages[number - 1].control_point_spacing,
            spacing,
        )
        for number in range(2, len(config.stages) + 1)
    ]
    return [affine, *splines]


def _stays_inside(transforms, point, extent):
    """Beyond the grid, ITK's splines end and ours repeat their border."""
    for transform in reversed(transforms[1:]):
        point = np.asarray(transform.TransformPoint(point))
        if np.any(point < 0) or np.any(point > extent):
            return False
    return True


def test_field_is_the_composite_transform_of_itk(ndim, trained):
    """Filled in the order affine, u_1, …, u_K: the last is applied to a point first.

    Linear interpolation of dense fields is what the small tolerance is for.
    """
    config, (_, outputs) = CONFIGS[ndim], trained
    errors, moved = [], []
    for sample in range(BATCH):
        spacing = _inputs(ndim)["spacing"][sample].astype(float)
        transforms = _itk_transforms(outputs, sample, config, spacing)
        composite = sitk.CompositeTransform(ndim)
        for transform in transforms:
            composite.AddTransform(transform)
        extent = (np.asarray(SIZES[ndim]) - 1) * spacing
        for voxel in list(np.ndindex(*SIZES[ndim]))[::3]:
            point = voxel * spacing
            if not _stays_inside(transforms, point, extent):
                continue
            displacement = np.asarray(composite.TransformPoint(point)) / spacing - voxel
            errors.append(outputs["ddf"][(sample, *voxel)] - displacement)
            moved.append(displacement)
    assert len(errors) > 200
    assert np.abs(moved).mean() > 1
    assert np.abs(errors).max() < 0.15
    assert np.abs(errors).mean() < 0.01


def test_affine_is_not_the_identity_and_acts_on_each_sample_by_itself(ndim, trained):
    matrices = trained[1]["affine"]
    assert np.abs(matrices - np.eye(ndim, ndim + 1)).max() > 0.05
    assert np.abs(matrices[0] - matrices[1]).max() > 1e-3


def test_moved_is_the_moving_image_warped_once_by_the_field(ndim, trained):
    inputs, outputs = _inputs(ndim), trained[1]
    moved = Warp()(inputs["moving"], outputs["ddf"])
    np.testing.assert_allclose(outputs["moved"], moved, atol=1e-5)
    grid = np.moveaxis(np.indices(SIZES[ndim], dtype=float), 0, -1)
    for sample in range(BATCH):
        points = np.moveaxis(grid + outputs["ddf"][sample], -1, 0)
        image = inputs["moving"][sample, ..., 0].astype(float)
        expected = ndimage.map_coordinates(image, points, order=1, mode="nearest")
        np.testing.assert_allclose(
            outputs["moved"][sample, ..., 0], expected, atol=1e-4
        )


def test_batch_of_two_is_two_batches_of_one(ndim, trained):
    model, outputs = trained
    for sample in range(BATCH):
        one = {k: v[sample : sample + 1] for k, v in _inputs(ndim).items()}
        with without_islands():
            alone = model(one, training=False)
        for name, expected in outputs.items():
            np.testing.assert_allclose(
                alone[name][0], expected[sample], atol=2e-3, err_msg=name
            )


def test_parameters_alone_are_the_same(ndim, trained):
    model, outputs = trained
    with without_islands():
        parameters = parameters_model(model)(_inputs(ndim), training=False)
    names = {"affine", "control_points_2", "control_points_3", "control_points_4"}
    assert set(parameters) == names
    for name in names:
        np.testing.assert_allclose(parameters[name], outputs[name], atol=2e-3)


@pytest.mark.parametrize("num_stages", [1, 2, 4])
def test_partial_model_ends_after_its_stages(ndim, num_stages, trained):
    """Stages see nothing of later ones, so their control points are the same."""
    model, outputs = trained
    with without_islands():
        part = partial_model(model, CONFIGS[ndim], num_stages)(
            _inputs(ndim), training=False
        )
    numbers = range(2, num_stages + 1)
    assert set(part) == {"moved", "ddf", *(f"control_points_{n}" for n in numbers)}
    for number in numbers:
        name = f"control_points_{number}"
        np.testing.assert_allclose(part[name], outputs[name], atol=2e-3)
    same = np.allclose(part["ddf"], outputs["ddf"], atol=5e-3)
    assert same == (num_stages == 4)


@pytest.mark.parametrize(("num_frozen", "num_stages"), [(0, 1), (1, 2), (2, 4)])
def test_gradients_reach_only_the_stages_that_train(
    ndim, num_frozen, num_stages, trained
):
    """Every weight of those, through the warp alone; none of the frozen ones."""
    config, (model, _) = CONFIGS[ndim], trained
    before = model.get_weights()
    view = training_model(model, config, num_frozen, num_stages)
    stages = [model.get_layer(config.network_names[i]) for i in range(num_stages)]
    frozen = [weight for stage in stages[:num_frozen] for weight in stage.weights]
    frozen_before = [weight.numpy() for weight in frozen]
    with without_islands(), tf.GradientTape() as tape:
        result = view(_inputs(ndim), training=True)
        loss = tf.reduce_mean(tf.square(result["fixed"] - result["moved"]))
    gradients = tape.gradient(
        loss, [[weight.value for weight in stage.trainable_weights] for stage in stages]
    )
    frozen_after = [weight.numpy() for weight in frozen]
    model.set_weights(before)
    for index, stage in enumerate(gradients):
        reached = [g is not None and bool(np.any(g)) for g in stage]
        assert any(reached) == all(reached) == (index >= num_frozen)
    # Nor do moving averages of frozen stages change while others train.
    for old, new in zip(frozen_before, frozen_after, strict=True):
        np.testing.assert_array_equal(new, old)


@pytest.mark.parametrize(("num_frozen", "num_stages"), [(1, 2), (3, 4)])
def test_training_sees_what_use_sees(ndim, num_frozen, num_stages, trained):
    """At the resolution of its last stage, with the frozen stages as they are."""
    config, (model, _) = CONFIGS[ndim], trained
    view = training_model(model, config, num_frozen, num_stages)
    with without_islands():
        whole = model(_inputs(ndim), training=False)
        part = view(_inputs(ndim), training=False)
    name = f"control_points_{num_stages}"
    assert set(part) == {"fixed", "moved", "ddf", name}
    np.testing.assert_allclose(part[name], whole[name], atol=2e-3)
    factor = config.stages[num_stages - 1].downsample
    fixed = average_pool(_inputs(ndim)["fixed"], factor)
    np.testing.assert_array_equal(part["fixed"], fixed)
    assert part["moved"].shape == fixed.shape
    assert part["ddf"].shape == (*fixed.shape[:-1], ndim)
    if factor == (1,) * ndim and num_stages == len(config.stages):
        np.testing.assert_allclose(part["moved"], whole["moved"], atol=5e-3)
        np.testing.assert_allclose(part["ddf"], whole["ddf"], atol=2e-2)


def test_training_may_begin_with_an_image_that_is_warped_already(ndim, trained):
    """Then the stages before need not run, and the next one sees the same."""
    config, (model, _) = CONFIGS[ndim], trained
    inputs = _inputs(ndim)
    with without_islands():
        before = partial_model(model, config, 3)(inputs, training=False)["moved"]
        before = before.numpy()
        view = training_model(model, config, 3, 4, first=3)
        rest = view({**inputs, "moving": before}, training=False)
        whole = training_model(model, config, 3, 4)(inputs, training=False)
    name = "control_points_4"
    np.testing.assert_allclose(rest[name], whole[name], atol=2e-3)
    alone = Warp()(
        before, BSplineTransformer(config.stages[3].cell_spacing)(rest[name])
    )
    np.testing.assert_allclose(rest["moved"], alone, atol=1e-4)


@pytest.mark.parametrize(
    ("stage", "parameters"),
    [
        (_affine([2, 4], [8, 8]), [0.05, -0.04, 0.15, 0.1, -0.2, 0.2]),
        (_bspline([2, 4], [8, 8]), [0.3, 0.1]),
    ],
    ids=["affine", "bspline"],
)
def test_coarse_field_is_the_fine_one_pooled(stage, parameters):
    """On an image so smooth that pooling and warping change places."""
    config = Config(ndim=2, spacing=(1, 2), stages=(stage,))
    model = build_model(config)
    head = model.get_layer(config.network_names[0]).layers[-1]
    head.set_weights([head.get_weights()[0], np.array(parameters)])
    rows, columns = np.indices((32, 32), dtype="float32") / 10
    ramp = (rows + 2 * columns)[None, ..., None]
    inputs = {"fixed": 0 * ramp, "moving": ramp, "spacing": np.float32([[1, 2]])}
    with without_islands():
        fine = model(inputs)["moved"]
        coarse = training_model(model, config, 0, 1)(inputs)["moved"]
    pooled = average_pool(fine, (2, 4)).numpy()
    assert np.abs(pooled - average_pool(ramp, (2, 4))).mean() > 0.05
    inside = (slice(None), slice(4, -4), slice(2, -2))
    np.testing.assert_allclose(coarse[inside], pooled[inside], atol=1e-4)


def test_two_affine_stages_compose_last_one_first():
    config = Config(
        ndim=2, spacing=1, stages=(_affine([1, 1], [4, 4]), _affine([1, 1], [4, 4]))
    )
    model = build_model(config)
    _randomise(model, config)
    inputs = _inputs(2)
    with without_islands():
        both = model(inputs, training=False)
        second = model.get_layer("stage_2_affine").layers[-1]
        second.set_weights([0 * w for w in second.get_weights()])
        first = model(inputs, training=False)
    grid = np.moveaxis(np.indices(SIZES[2], dtype=float), 0, -1)
    for sample in range(BATCH):
        outer, total = (np.eye(3) for _ in range(2))
        outer[:2], total[:2] = first["affine"][sample], both["affine"][sample]
        inner = np.linalg.solve(outer, total)
        # Each is near the identity, and the field is that of their product.
        assert 0.01 < np.abs(inner - np.eye(3))[:2, :2].max() < 0.5
        points = grid @ total[:2, :2].T + total[:2, 2]
        np.testing.assert_allclose(both["ddf"][sample], points - grid, atol=1e-4)


def test_model_without_affine_stage_has_the_identity_as_affine():
    config = Config(ndim=3, spacing=1, stages=(_bspline([1, 1, 1], [4, 2, 1]),))
    with without_islands():
        outputs = build_model(config)(_inputs(3))
    np.testing.assert_array_equal(outputs["affine"], [np.eye(3, 4)] * BATCH)


def test_size_that_is_no_multiple_is_named(ndim, untrained):
    inputs = {k: v[:, :-2] if k != "spacing" else v for k, v in _inputs(ndim).items()}
    with pytest.raises(ValueError, match="multiples of"), without_islands():
        untrained(inputs)


def test_saved_weights_fit_a_model_built_again(ndim, trained, tmp_path):
    model, _ = trained
    model.save_weights(tmp_path / "model.weights.h5")
    again = build_model(CONFIGS[ndim])
    again.load_weights(tmp_path / "model.weights.h5")
    for weight, other in zip(model.weights, again.weights, strict=True):
        np.testing.assert_array_equal(weight.numpy(), other.numpy())
