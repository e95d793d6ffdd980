"""Registering by a server that runs in a process of its own."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import pytest
from served_models import AFFINE, known_parameters

from dlir_tf.errors import InputError
from dlir_tf.images import Image
from dlir_tf.serving import Server, register_remotely
from dlir_tf.serving.address import parse_address
from dlir_tf.serving.answer import ServedModel
from dlir_tf.serving.failures import ServerError
from dlir_tf.serving.server import connect
from dlir_tf.transforms import Affine, DenseField, Transform
from dlir_tf.transforms.bspline import stage_bspline

# The model doesn't care whether its waves do any good.
remotely = partial(register_remotely, do_no_harm=False, fill_value=0.0)


def oblique(spacing, origin, angle=0.3):
    affine = np.diag([*spacing, 1.0])
    turn = np.eye(len(affine))
    cosine, sine = np.cos(angle), np.sin(angle)
    turn[:2, :2] = [[cosine, -sine], [sine, cosine]]
    affine = turn @ affine
    affine[:-1, -1] = origin
    return affine


@pytest.fixture
def pair(rng):
    fixed = rng.integers(-7, 1000, (16, 20, 5)).astype(np.int16)
    moving = rng.normal(300, 100, (26, 29, 7))
    return (
        Image(fixed, oblique((1.3, 1.7, 6.0), (-11.7, -12.45, -10.3))),
        Image(moving, oblique((1.5, 1.2, 7.0), (-17.1, -15.0, -19.3), angle=0.2)),
    )


@pytest.fixture(params=["grpc", "rest"])
def address(known, request):
    """Each way of asking."""
    return getattr(known, request.param)


def known_transform(fixed, moving):
    """What the model `known` says: the last stage first, the affine last."""
    affine, splines, grid = known_parameters(fixed.array, moving.array, fixed.affine)
    parts = [stage_bspline(*splines[number], grid) for number in (3, 2)]
    return Transform((*parts, Affine(affine)))


def test_the_transform_is_what_the_model_says(address, pair):
    fixed, moving = pair
    expected = known_transform(*pair)
    result = remotely(*pair, server=Server(address, "known"))
    truth = expected.displacement(fixed)
    np.testing.assert_allclose(result.displacement, truth, atol=2e-3)
    assert np.ptp(truth, axis=(0, 1, 2)).min() > 1.0, "a motion worth the name"
    moved = expected.resample(moving, fixed)
    assert np.mean(moved.array != 0) > 0.5
    np.testing.assert_allclose(result.moved.array, moved.array, atol=0.5)
    assert result.moved.array.dtype == moving.array.dtype
    assert np.array_equal(result.moved.affine, fixed.affine)
    assert result.seconds > 0


def test_masks_count_and_may_lie_on_grids_of_their_own(known, pair):
    fixed, _ = pair
    inside = np.zeros(fixed.shape, bool)
    inside[:8] = True
    halves = np.diag([0.5, 0.5, 0.5, 1])
    halves[:3, 3] = -0.25
    finer = Image(np.kron(inside, np.ones((2, 2, 2), bool)), fixed.affine @ halves)
    server = Server(known.grpc, "known")
    whole = remotely(*pair, server=server)
    own = remotely(*pair, server=server, fixed_mask=Image(inside, fixed.affine))
    with pytest.warns(UserWarning, match="fixed_mask: the mask lies on another grid"):
        other = remotely(*pair, server=server, fixed_mask=finer)
    assert own.report.masks == other.report.masks == ("fixed_mask",)
    assert own.report.similarity_after == other.report.similarity_after
    assert own.report.similarity_after != whole.report.similarity_after


@pytest.mark.parametrize(
    ("start", "told"),
    [
        (DenseField(np.ones((4, 4, 4, 3), np.float32), np.eye(4)), "but deforms;"),
        (Affine(np.eye(3)), "but is 2-d;"),
    ],
)
def test_only_a_matrix_can_be_gone_on_from(known, pair, start, told):
    server = Server(known.grpc, "known")
    with pytest.raises(InputError, match=f"matrix of 3-d space for a server, {told}"):
        remotely(*pair, server=server, initial_transform=Transform((start,)))


def test_what_a_server_says_is_refined_here(known, pair):
    result = remotely(*pair, server=Server(known.grpc, "known"), refine=5)
    refinement = result.report.refinement
    assert refinement.steps == 5
    assert refinement.loss_after < refinement.loss_before
    start = known_transform(*pair).displacement(pair[0])
    assert 0.01 < np.abs(result.displacement - start).max() < 10


def test_slices_stored_as_3d_images_go_to_a_2d_model(address, rng):
    affine = oblique((1.3, 1.7, 8.0), (-31.7, 12.45, 70.3))
    fixed = Image(rng.normal(size=(16, 20, 1)), affine)
    moving = Image(rng.normal(size=(16, 20, 1)), affine + np.eye(4, k=3) * 5)
    result = remotely(fixed, moving, server=Server(address, "known-2d"))
    assert result.displacement.shape == (16, 20, 1, 3)
    flat = [
        Image(i.array[..., 0], i.affine[np.ix_([0, 1, 3], [0, 1, 3])])
        for i in (fixed, moving)
    ]
    in_plane = known_transform(*flat).displacement(flat[0])
    np.testing.assert_allclose(result.displacement[:, :, 0, :2], in_plane, atol=1e-3)
    np.testing.assert_allclose(result.displacement[..., 2], 0.0, atol=1e-4)


def test_voxels_from_outside_get_the_fill_value(known, pair):
    fixed, moving = pair
    beside = Image(moving.array, moving.affine + np.eye(4, k=3) * 17)
    server = Server(known.grpc, "known")
    result = remotely(fixed, beside, server=server, fill_value=-5.0)
    expected = known_transform(fixed, beside).resample(beside, fixed, fill_value=-5.0)
    outside = expected.array == -5.0
    assert 0.1 < outside.mean() < 0.9
    np.testing.assert_array_equal(result.moved.array == -5.0, outside)


def test_several_clients_at_once_get_each_their_own(known, pair):
    fixed, moving = pair
    server = Server(known.grpc, "known")
    movings = [moving.with_array(moving.array * n) for n in (1, 0.9, 0.7, 0.5, 0.2)]
    with ThreadPoolExecutor(5) as threads:
        results = threads.map(
            lambda image: remotely(fixed, image, server=server), movings
        )
        for image, result in zip(movings, results, strict=True):
            truth = known_transform(fixed, image).displacement(fixed)
            np.testing.assert_allclose(result.displacement, truth, atol=5e-3)


def test_a_batch_of_pairs_gives_what_each_pair_gives(address, pair):
    fixed, moving = pair
    connection = connect(parse_address(address), "known", 60.0)
    one = {
        "fixed": fixed.array[None].astype(np.float32),
        "moving": moving.array[None].astype(np.float32),
        "fixed_affine": fixed.affine[None].astype(np.float32),
        "moving_affine": moving.affine[None].astype(np.float32),
    }
    other = {**one, "moving": one["moving"] * 3}
    both = {name: np.concatenate([one[name], other[name]]) for name in one}
    batch = connection.predict("parameters", both)
    for row, single in enumerate((one, other)):
        outputs = connection.predict("parameters", single)
        assert outputs.keys() == batch.keys()
        for name, array in outputs.items():
            assert array.dtype == np.float32 or name == "model_json"
            np.testing.assert_array_equal(batch[name][row], array[0], err_msg=name)
    assert not np.allclose(*batch["control_points_3"])
    np.testing.assert_allclose(batch["affine"][1], AFFINE[3], atol=1e-6)


def test_images_of_another_rank_are_refused_before_they_are_sent(address, pair):
    with pytest.raises(InputError, match=r"fixed image is 3-d.*'known-2d'.*2-d images"):
        remotely(*pair, server=Server(address, "known-2d"))
    flat = Image(pair[1].array[..., 0], np.eye(3))
    with pytest.raises(InputError, match=r"moving image is 2-d, of shape \(26, 29\)"):
        remotely(pair[0], flat, server=Server(address, "known"))


def test_voxels_without_a_value_are_not_sent(address, pair):
    fixed, moving = pair
    moving.array[3, 2, 1] = np.nan
    with pytest.raises(InputError, match=r"^the moving image has NaN voxels, which a"):
        remotely(fixed, moving, server=Server(address, "known"))


def test_what_the_model_refuses_is_told_in_its_own_words(address, pair):
    fixed, moving = pair
    moving.array[3, 2, 1] = np.inf
    with pytest.raises(InputError) as error:
        remotely(fixed, moving, server=Server(address, "known"))
    assert str(error.value) == "the 'moving' image has NaN [or infinite] voxels"
    assert not isinstance(error.value, ServerError)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("absent", r"no model 'absent' on this server.*dlir-tf export --name absent"),
        ("other", r"'other' doesn't have the signature 'parameters' of dlir-tf"),
        ("../other", r"no model '../other' on this server"),
    ],
)
def test_a_model_that_is_missing_or_another_one_is_named(address, pair, name, told):
    with pytest.raises(ServerError, match=told):
        remotely(*pair, server=Server(address, name))


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("slow", "'slow' isn't ready, it's being loaded; ask again"),
        ("broken", "'broken' couldn't be loaded there: "),
    ],
)
def test_a_model_that_is_not_ready_is_told_from_a_missing_one(
    known, address, pair, name, told
):
    if not known.own:
        pytest.skip("a real server doesn't stay in this state, or doesn't start")
    with pytest.raises(ServerError, match=told):
        remotely(*pair, server=Server(address, name))


def test_weights_that_give_no_numbers_are_refused(known, pair):
    """Heights beyond float32 in the model's arithmetic."""
    fixed, moving = pair
    signs = np.where(np.arange(moving.array.size).reshape(moving.shape) % 2, 1, -1)
    huge = moving.with_array(3.4e38 * signs)
    low = fixed.with_array(np.where(fixed.array > 500, 3.4e38, -3.4e38))
    with pytest.raises(InputError, match="numbers that aren't finite"):
        remotely(low, huge, server=Server(known.grpc, "known"))


def test_the_report_is_made_here_and_stages_that_do_harm_are_left_out(known, pair):
    server = Server(known.grpc, "known")
    result = register_remotely(*pair, server=server)
    assert [stage.number for stage in result.report.stages] == [1, 2, 3]
    assert not all(stage.kept for stage in result.report.stages)
    assert result.report.model == "ab"
    assert result.report.seconds == result.seconds
    assert all(stage.kept for stage in remotely(*pair, server=server).report.stages)


def test_a_server_that_works_on_another_grid_is_not_believed(known, pair):
    """The model of the test says that it works on the fixed image's own grid."""
    fixed, moving = pair
    server = Server(known.grpc, "known")
    flip = np.diag([-1.0, 1, 1, 1])
    flip[0, 3] = fixed.shape[0] - 1
    flipped = Image(fixed.array[::-1], fixed.affine @ flip)
    with pytest.raises(ServerError, match="another working grid"):
        remotely(flipped, moving, server=server)
    padded = Image(fixed.array[3:], fixed.affine)
    with pytest.raises(ServerError, match="another working grid"):
        remotely(padded, moving, server=server)


@pytest.mark.parametrize(
    "text", ["", "{}", '{"config": {"ndim": 3, "magic": 1}, "provenance": {}}']
)
def test_a_config_that_cannot_be_read_is_said_to_be_of_another_version(text):
    with pytest.raises(ServerError, match=r"^there: .* use the version that exported"):
        ServedModel({"model_json": np.array(text)}, "there")


def test_requests_and_answers_may_be_larger_than_grpc_would_let_pass(known, rng):
    """Its own limit is 4 MB; a volume has more, and so have many control points."""
    fixed = rng.random((1, 200, 208, 64), np.float32)
    pair = {
        "fixed": fixed,
        "moving": np.zeros((1, 5, 4, 3), np.float32),
        "fixed_affine": np.eye(4, dtype=np.float32)[None],
        "moving_affine": np.eye(4, dtype=np.float32)[None],
    }
    connection = connect(parse_address(known.grpc), "known", 60.0)
    points = connection.predict("parameters", pair)["control_points_3"]
    assert points.shape == (1, 54, 108, 68, 3)
    assert fixed.nbytes > 2**22 < points.nbytes
