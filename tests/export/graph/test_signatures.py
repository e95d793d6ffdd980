"""The signatures must give what `register` gives, for whatever a scanner stores."""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from random_models import affine, spline

from dlir_tf.compute.compilation import without_islands
from dlir_tf.export.comparison import compare, expected_outputs
from dlir_tf.export.graph.signatures import build_signatures
from dlir_tf.export.pairs import TrialPair, single, trial_batches
from dlir_tf.export.parity import inputs_of
from dlir_tf.images import read_image
from dlir_tf.pairs.manifest import read_manifest

LIMITS = {
    "displacement_mm": 1e-3,
    "moved": 1e-4,
    "affine_mm": 2e-3,  # float32, 2 m from the origin
    "control_points_mm": 1e-3,
    "labels": 0.0,
    "quality": 1e-4,
}


def signatures_of(model):
    with without_islands(in_blocks=True):
        signatures = build_signatures(model)
        return {name: f.get_concrete_function() for name, f in signatures.items()}


@pytest.fixture(scope="module")
def thick(thick_model):
    return signatures_of(thick_model)


@pytest.fixture(scope="module")
def flat(flat_model):
    return signatures_of(flat_model)


def call(function, pairs, **changed):
    """Calls a signature with pairs as a batch; `changed` replaces inputs."""
    inputs = {**inputs_of(pairs), **changed}
    specs, _ = function.structured_input_signature
    given = [tf.constant(inputs[spec.name]) for spec in specs]
    return {name: tensor.numpy() for name, tensor in function(*given).items()}


def assert_like_register(signatures, batch, model):
    outputs: dict[str, Any] = {}
    for name in ("serving_default", "moved_labels", "quality"):
        outputs |= call(signatures[name], batch)
    for index, pair in enumerate(batch):
        received = {name: array[index] for name, array in outputs.items()}
        single = call(signatures["parameters"], [pair])
        received |= {name: array[0] for name, array in single.items()}
        expected, transform = expected_outputs(pair, model)
        # Which says something only because the model does something.
        field = expected["displacement"].reshape(-1, model.config.ndim)
        assert np.std(field, axis=0).min() > 0.3
        assert 0 < np.mean(expected["moved"] == 0) < 0.9
        found = compare(pair, expected, transform, received, model.config)
        assert found.keys() == LIMITS.keys()
        assert {n: v for n, v in found.items() if not v <= LIMITS[n]} == {}


def test_batch_of_oblique_pairs_is_registered_like_one_by_one(thick, thick_model):
    """Fixed and moving on different grids, one pair 1.9 m from the origin."""
    assert_like_register(thick, trial_batches(3)[0], thick_model)


def test_axes_in_another_order(thick, thick_model):
    assert_like_register(thick, trial_batches(3)[1], thick_model)


def test_slices(flat, flat_model):
    for batch in trial_batches(2):
        assert_like_register(flat, batch, flat_model)


@pytest.mark.parametrize("ndim", [2, 3])
def test_a_grid_that_is_fitted_to_the_image(make_random_model, ndim):
    """As of a general model: its spacing comes from the longest axis of each image."""
    model = make_random_model(
        ndim=ndim,
        spacing=None,
        longest_axis=26,
        initial_alignment="centers",
        stages=[affine([4, 4, 2][:ndim], max_rotation_degrees=12.0), spline(4)],
    )
    signatures = signatures_of(model)
    for batch in trial_batches(ndim):
        assert_like_register(signatures, batch, model)
        affines = call(signatures["parameters"], batch[:1])["grid_affine"]
        extent = batch[0].fixed.grid.extent.max()
        steps = np.linalg.norm(affines[0][:-1, :-1], axis=0)
        np.testing.assert_allclose(steps, extent / 26, rtol=1e-5)


@pytest.mark.parametrize("kind", ["rigid", "similarity"])
@pytest.mark.parametrize("ndim", [2, 3])
def test_what_keeps_lengths_or_angles_does_so_in_the_world(
    make_random_model, kind, ndim
):
    """Like `register`, as far as single precision goes."""
    steps = [4, 2, 1][:ndim]
    stage = affine(steps, transform=kind, max_rotation_degrees=12.0)
    spacing = [2.0, None, None][:ndim]
    model = make_random_model(ndim=ndim, spacing=spacing, stages=[stage, stage])
    signatures = signatures_of(model)
    batch = trial_batches(ndim)[0]
    outputs = call(signatures["serving_default"], batch)
    for index, pair in enumerate(batch):
        found = call(signatures["parameters"], [pair])["affine"][0]
        linear = found[:-1, :-1].astype(float)
        assert np.abs(linear - np.eye(ndim)).max() > 0.01
        size = np.abs(np.linalg.det(linear)) ** (1 / ndim)
        np.testing.assert_allclose(linear.T @ linear, size**2 * np.eye(ndim), atol=1e-6)
        assert (abs(size - 1) < 1e-6) == (kind == "rigid")
        expected, transform = expected_outputs(pair, model)
        matrix = transform.affine_part[:-1, :-1]
        np.testing.assert_allclose(linear, matrix, atol=1e-6)
        apart = np.abs(outputs["displacement"][index] - expected["displacement"])
        assert apart.max() < LIMITS["displacement_mm"]


def test_axes_that_are_not_perpendicular_cant_be_turned(make_random_model):
    stage = affine([4, 2], transform="rigid")
    signatures = signatures_of(make_random_model(ndim=2, spacing=2.0, stages=[stage]))
    pair = trial_batches(2)[0][0]
    inputs = inputs_of([pair])
    tilted = inputs["fixed_affine"].copy()
    tilted[0, :2, 1] += 0.1 * tilted[0, :2, 0]
    with pytest.raises(tf.errors.InvalidArgumentError, match="must have axes that are"):
        call(signatures["parameters"], [pair], fixed_affine=tilted)


def test_xla_compiles_what_the_plain_graph_spells_out(flat, flat_model):
    def num_compiled(function):
        graph = function.graph.as_graph_def()
        nodes = [n for f in graph.library.function for n in (f, *f.node_def)]
        return sum(node.attr["_XlaMustCompile"].b for node in [*nodes, *graph.node])

    compiled = build_signatures(flat_model)
    assert num_compiled(compiled["quality"].get_concrete_function()) > 3
    assert [num_compiled(function) for function in flat.values()] == [0, 0, 0, 0]


def altered(pair, what):
    """The inputs of a pair, with something wrong about them."""
    inputs = inputs_of([pair])
    if what == "nan":
        inputs["moving"][0, 3, 5] = np.nan
    elif what == "infinite":
        inputs["fixed"][0, 0, 0] = np.inf
    elif what == "constant":
        inputs["fixed"][:] = 7
    elif what == "singular":
        inputs["fixed_affine"][0, :2, 1] = 2 * inputs["fixed_affine"][0, :2, 0]
    elif what == "zero":
        inputs["moving_affine"][0, :2, 0] = 0
    elif what == "nan affine":
        inputs["moving_affine"][0, 0, 2] = np.nan
    elif what == "transposed":
        inputs["fixed_affine"] = inputs["fixed_affine"].swapaxes(1, 2)
    elif what == "batch":
        inputs["moving"] = np.concatenate([inputs["moving"]] * 2)
    elif what == "affines":
        inputs["fixed_affine"] = np.concatenate([inputs["fixed_affine"]] * 3)
    elif what == "empty":
        inputs["moving"] = inputs["moving"][:, :0]
    elif what == "labels":
        inputs["moving_labels"] = inputs["moving_labels"][:, 1:]
    return inputs


@pytest.mark.parametrize(
    ("what", "signature", "sentence"),
    [
        ("nan", "serving_default", "pair 0 of the batch: the moving image has NaN"),
        ("infinite", "quality", "pair 0 of the batch: the fixed image has NaN or inf"),
        ("constant", "parameters", "pair 0 of the batch: the fixed image is constant"),
        (
            "singular",
            "serving_default",
            "fixed_affine: must be a voxel-to-world matrix",
        ),
        ("zero", "parameters", "moving_affine: must be a voxel-to-world matrix"),
        ("nan affine", "quality", "moving_affine: must be a voxel-to-world matrix"),
        ("transposed", "moved_labels", "with the last row 0 0 1"),
        ("batch", "serving_default", "moving: must have as many rows as fixed"),
        ("affines", "parameters", "fixed_affine: must have as many rows as fixed"),
        ("empty", "serving_default", "moving: must hold at least one image"),
        ("labels", "moved_labels", "moving_labels: must have the shape of moving"),
    ],
)
def test_bad_input_fails_with_a_sentence(flat, what, signature, sentence):
    pair = trial_batches(2)[0][0]
    with pytest.raises(tf.errors.InvalidArgumentError, match=sentence):
        call(flat[signature], [pair], **altered(pair, what))


def test_images_that_lie_apart_fail_with_a_sentence(make_random_model):
    model = make_random_model(ndim=2, spacing=4.0, stages=[spline(4)])
    registered = signatures_of(model)["parameters"]
    pair = trial_batches(2)[0][1]
    inputs = inputs_of([pair])
    inputs["moving_affine"][0, 0, 2] += 1e4
    with pytest.raises(tf.errors.InvalidArgumentError, match="do not overlap"):
        call(registered, [pair], **inputs)


def test_parameters_of_unlike_grids_cant_be_stacked(flat):
    pairs = trial_batches(2)[0]
    inputs = inputs_of(pairs)
    inputs["fixed_affine"][1, :2, :2] *= 1.5
    with pytest.raises(tf.errors.InvalidArgumentError, match="grids of one shape"):
        call(flat["parameters"], pairs, **inputs)
    assert call(flat["serving_default"], pairs, **inputs)["affine"].shape == (2, 3, 3)
    stacked = call(flat["parameters"], [pairs[0]] * 2)
    assert np.array_equal(*stacked["control_points_2"])


def test_real_pair_of_a_heart(shared_data, thick, thick_model):
    """Of ACDC, as the scanner made it."""
    row = read_manifest(shared_data / "acdc_val.csv")[0]
    assert row.moving_labels is not None
    files = (row.fixed, row.moving, row.moving_labels)
    pair = TrialPair(*(single(read_image(file)) for file in files))
    assert_like_register(thick, [pair], thick_model)
