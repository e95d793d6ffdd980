"""Kernels of similarities and their derivatives, against the losses."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import ndimage

from dlir_tf.kernels.mutual_information import MutualInformation
from dlir_tf.kernels.similarity import mse_loss, ncc_loss
from dlir_tf.kernels.windowed import WindowedNCC
from dlir_tf.kernels.windows import window_sums
from dlir_tf.losses import similarity_loss
from dlir_tf.losses.mutual_information import sampled_voxels

SIZES = [(19, 24), (11, 15, 6)]
KINDS = [
    {"kind": "ncc"},
    {"kind": "mse"},
    {"kind": "windowed_ncc", "window": 5},
    {"kind": "windowed_ncc", "window": 4},
    {"kind": "nmi", "bins": 12},
    {"kind": "nmi", "bins": 12, "samples": 150},
]


def measured(settings, fixed, moved, weights):
    """By the kernel of that kind."""
    if settings["kind"] == "ncc":
        return ncc_loss(fixed, moved, weights)
    if settings["kind"] == "mse":
        return mse_loss(fixed, moved, weights)
    if settings["kind"] == "windowed_ncc":
        return WindowedNCC(fixed, weights, settings["window"])(moved)
    chosen = sampled_voxels(fixed.size, settings.get("samples", 2**17))
    return MutualInformation(fixed, weights, settings["bins"], chosen)(moved)


def judged(settings, fixed, moved, weights):
    """By the loss, differentiated by Keras' backend."""
    fixed, moved, weights = (
        tf.constant(array[None, ..., None]) for array in (fixed, moved, weights)
    )
    with tf.GradientTape() as tape:
        tape.watch(moved)
        loss = similarity_loss(**settings)(fixed, moved, mask=weights)[0]
    return float(loss), tape.gradient(loss, moved)[0, ..., 0].numpy()


@pytest.mark.parametrize("settings", KINDS)
@pytest.mark.parametrize("size", SIZES)
def test_loss_and_derivative_are_those_of_the_loss(rng, size, settings):
    fixed, other = (
        ndimage.gaussian_filter(rng.normal(size=size), 1).astype("float32")
        for _ in range(2)
    )
    moved = 0.6 * fixed + other
    weights = (rng.random(size) < 0.8).astype("float32")
    expected, gradient = judged(settings, fixed, moved, weights)
    loss, slopes = measured(settings, fixed, moved, weights)
    assert loss == pytest.approx(expected, abs=1e-5)
    assert np.abs(gradient).max() > 1e-5
    np.testing.assert_allclose(slopes, gradient, atol=2e-4 * np.abs(gradient).max())


@pytest.mark.parametrize("settings", KINDS)
def test_images_that_say_nothing_pull_nowhere(settings):
    """One of a single intensity, or where nothing counts."""
    flat, wave = np.zeros((8, 9), "float32"), np.sin(np.arange(72.0)).reshape(8, 9)
    wave = wave.astype("float32")
    for moved, weights in ((flat, flat + 1), (wave, flat)):
        loss, slopes = measured(settings, wave, moved, weights)
        expected, _ = judged(settings, wave, moved, weights)
        assert loss == pytest.approx(expected, abs=1e-5)
        assert np.isfinite(slopes).all()


@pytest.mark.parametrize("settings", KINDS)
def test_arrays_may_lie_in_memory_in_any_order(rng, settings):
    arrays = rng.random((3, 9, 14, 5), dtype="float32")
    loss, slopes = measured(settings, *arrays)
    again, other = measured(settings, *map(np.asfortranarray, arrays))
    assert again == pytest.approx(loss, rel=1e-5)
    np.testing.assert_allclose(other, slopes, rtol=1e-3, atol=1e-9)


# Of the last, a plane is gone through in several parts.
@pytest.mark.parametrize("size", [(13, 4, 17), (3, 40, 70)])
@pytest.mark.parametrize(("window", "before"), [(3, 1), (4, 2), (4, 1), (30, 15)])
def test_windows_are_summed_up_with_zeros_outside(rng, size, window, before):
    values = rng.normal(size=(2, *size)).astype("float32")
    after = window - 1 - before
    padded = np.pad(values, [(0, 0)] + [(before, after)] * 3).astype(float)
    for axis in (1, 2, 3):
        padded = np.lib.stride_tricks.sliding_window_view(padded, window, axis).sum(-1)
    found = window_sums(values, window, before)
    np.testing.assert_allclose(found, padded, atol=1e-4)


def test_sums_do_not_depend_on_how_many_cores_there_are(rng, monkeypatch):
    fixed, moved, weights = rng.random((3, 40, 50), dtype="float32")
    few = ncc_loss(fixed, moved, weights)  # in one block, in this thread
    monkeypatch.setattr("dlir_tf.kernels.compiling._FEW", 0)
    results = [ncc_loss(fixed, moved, weights)]
    for cores in (1, 3, 99):
        monkeypatch.setattr("dlir_tf.kernels.compiling.num_cores", lambda n=cores: n)
        results.append(ncc_loss(fixed, moved, weights))
    monkeypatch.setattr(
        "dlir_tf.kernels.compiling.in_threads", lambda work, *a: list(map(work, *a))
    )
    results.append(ncc_loss(fixed, moved, weights))
    for loss, slopes in results[1:]:
        assert loss == results[0][0]
        np.testing.assert_array_equal(slopes, results[0][1])
    assert few[0] == pytest.approx(results[0][0], rel=1e-12)
    np.testing.assert_allclose(few[1], results[0][1], rtol=1e-6, atol=1e-12)


def test_few_numbers_are_not_handed_to_other_threads(rng, monkeypatch):
    def never(*_):
        raise AssertionError("threads")

    monkeypatch.setattr("dlir_tf.kernels.compiling.in_threads", never)
    few = rng.random((3, 40, 50), dtype="float32")
    ncc_loss(*few)
    with pytest.raises(AssertionError, match="threads"):
        ncc_loss(*rng.random((3, 40, 100, 100), dtype="float32"))
