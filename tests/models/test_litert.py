"""A LiteRT model gives what the model does that it was made from."""

import sys
from dataclasses import replace

import keras
import numpy as np
import pytest
from scipy import ndimage

import dlir_tf
from dlir_tf.errors import InputError
from dlir_tf.images import Image
from dlir_tf.models.litert import LiteRTModel, load_litert
from dlir_tf.models.litert_file import Card, pack, read_model_file
from dlir_tf.models.world import build_transform
from dlir_tf.pairs.preprocessing import prepare_pair
from dlir_tf.transforms import Affine, Transform

# Of the fixed image; with the config's spacing the working grid is 20 x 24 x 6.
SIZE, SPACING = (29, 21, 6), (2.0, 2.8, 6.0)


def image(seed, size, *, flip=False):
    """Blobs on an oblique grid."""
    rng = np.random.default_rng(seed)
    array = ndimage.gaussian_filter(rng.normal(size=size), 2)
    angle = np.deg2rad(11.0)
    rotation = np.array(
        [
            [np.cos(angle), -np.sin(angle), 0],
            [np.sin(angle), np.cos(angle), 0],
            [0, 0, -1 if flip else 1],
        ]
    )
    affine = np.eye(4)
    affine[:3, :3] = rotation * SPACING
    affine[:3, 3] = (-20.0, 33.0, 7.0 * seed)
    return Image(array.astype("float32"), affine)


@pytest.fixture
def pair():
    return image(1, SIZE), image(2, (27, 25, 7), flip=True)


def test_the_same_parameters(exported, pair):
    model, litert = exported.model, exported.load()
    working = prepare_pair(*pair, model.config, shape=litert.shape)
    assert working.grid.shape == litert.shape
    expected, received = (m.predict(working).named() for m in (model, litert))
    assert set(received) == set(expected)
    for name, values in expected.items():
        assert received[name].shape == values.shape
        np.testing.assert_allclose(received[name], values, atol=2e-5)
    assert np.abs(received["control_points_2"]).max() > 0.01


def test_a_card_of_another_shape_than_the_model_is_refused(exported, tmp_path):
    """As an older file's could be, which has no digest of its card."""
    flatbuffer, card = read_model_file(exported.path)
    with pytest.raises(
        InputError, match=r"\(20, 24, 12\), but the model .*\(20, 24, 6\)"
    ):
        LiteRTModel(flatbuffer, replace(card, shape=(20, 24, 12)))


def test_register_pads_smaller_images_to_the_models_shape(exported, pair):
    small = image(1, (17, 13, 5))
    model = exported.model
    result = dlir_tf.register(small, pair[1], model=exported.load(), do_no_harm=False)
    working = prepare_pair(small, pair[1], model.config, shape=(20, 24, 6))
    expected = build_transform(
        working, model.predict(working), model.config, model.numerics.bspline
    )
    assert np.abs(expected.displacement(small)).max() > 1
    np.testing.assert_allclose(
        result.transform.displacement(small), expected.displacement(small), atol=1e-3
    )
    assert result.moved.shape == small.shape


def test_masks_count_and_may_lie_on_grids_of_their_own(exported, pair):
    fixed, moving = pair
    inside = np.zeros(fixed.shape, bool)
    inside[:14] = True
    halves = np.diag([0.5, 0.5, 0.5, 1])
    halves[:3, 3] = -0.25
    finer = Image(np.kron(inside, np.ones((2, 2, 2), bool)), fixed.affine @ halves)
    model = exported.load()
    whole = dlir_tf.register(fixed, moving, model=model)
    own = dlir_tf.register(
        fixed, moving, model=model, fixed_mask=Image(inside, fixed.affine)
    )
    with pytest.warns(UserWarning, match="fixed_mask: the mask lies on another grid"):
        other = dlir_tf.register(fixed, moving, model=model, fixed_mask=finer)
    assert own.report.masks == other.report.masks == ("fixed_mask",)
    assert own.report.similarity_after == other.report.similarity_after
    assert own.report.similarity_after != whole.report.similarity_after


def test_it_goes_on_from_a_transform(exported, pair):
    """As if the moving image had lain there in the first place."""
    fixed, moving = pair
    shift = np.eye(4)
    shift[:3, 3] = 60, -45, 30
    away = Image(moving.array, shift @ moving.affine)
    start = Transform((Affine(shift),))
    options = {"model": exported.load(), "do_no_harm": False}
    plain = dlir_tf.register(fixed, moving, initial_alignment="header", **options)
    begun = dlir_tf.register(fixed, away, initial_transform=start, **options)
    points = fixed.grid.points().reshape(-1, 3)[::37]
    expected = plain.transform.map_points(points)
    found = begun.transform.map_points(points) - shift[:3, 3]
    np.testing.assert_allclose(found, expected, atol=1e-2)
    own = begun.beyond_initial.map_points(points)
    np.testing.assert_allclose(own, expected, atol=1e-2)


def test_the_report_names_what_the_result_comes_from(exported, pair):
    """Not what else the process has loaded, as other tests have."""
    always = {"dlir_tf", "python", "numpy", "scipy"}
    by_keras = always | {"numba", "keras", keras.backend.backend()}
    for model, refine, expected in (
        (exported.load(), None, always | {"ai_edge_litert"}),
        (exported.load(), 2, by_keras | {"ai_edge_litert"}),
        (exported.model, None, by_keras),
    ):
        report = dlir_tf.register(*pair, model=model, refine=refine).report
        assert set(report.versions) == expected


def test_register_refuses_larger_images(exported, pair):
    large = image(1, (29, 21, 9))
    with pytest.raises(InputError, match=r"--shape 20,24,9"):
        dlir_tf.register(large, pair[1], model=exported.load())


def test_a_grid_of_another_shape(exported, pair):
    working = prepare_pair(*pair, exported.model.config, shape=(24, 24, 6))
    with pytest.raises(InputError, match=r"\(20, 24, 6\).*Received: \(24, 24, 6\)"):
        exported.load().predict(working)


def test_it_says_what_it_is(exported):
    litert = dlir_tf.load_model(exported.path)
    assert isinstance(litert, dlir_tf.LiteRTModel)
    assert litert.config == exported.model.config
    assert litert.precision == "float32"
    assert litert.provenance == exported.model.provenance


def test_without_its_runtime(exported, monkeypatch):
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    with pytest.raises(InputError, match=r"pip install dlir-tf\[litert\]"):
        load_litert(exported.path)


def test_what_the_runtime_cant_run(exported, tmp_path):
    path = tmp_path / "other.tflite"
    path.write_bytes(
        pack(b"no model" * 9, Card(exported.model.config, (4, 4, 4), "int8"))
    )
    with pytest.raises(InputError, match=r"other.tflite: this version of ai-edge"):
        load_litert(path)
