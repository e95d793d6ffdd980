"""Pairs whose headers are in the wrong unit are told by their working grid."""

import numpy as np
import pytest

from dlir_tf import register
from dlir_tf.config import Config
from dlir_tf.errors import InputError
from dlir_tf.images import Image
from dlir_tf.pairs import size
from dlir_tf.pairs.preprocessing import prepare_pair
from dlir_tf.pairs.working_grid import working_grid

GIGA = 10**9


@pytest.fixture
def free(monkeypatch):
    """Sets how much memory is free."""

    def set_free(num_bytes):
        monkeypatch.setattr(size, "free_memory", lambda: num_bytes)

    return set_free


def image(spacing, shape=(48, 52, 10)):
    return Image(np.zeros(shape, np.float32), np.diag([*spacing, 1.0]))


def lay(fixed, spacing=(1.5, 1.5, None)):
    return working_grid(fixed.grid, spacing, (8, 8, 1))


def test_micrometres_taken_for_millimetres_are_refused_before_memory_is_gone(free):
    free(1000 * GIGA)
    with pytest.raises(InputError) as caught:
        lay(image((1500.0, 1400.0, 6000.0)))
    told = str(caught.value)
    assert "48000×48536×10 voxels" in told
    assert "932 GB of memory or more, of which 1e+03 GB are free" in told
    assert "voxels of 1500×1400×6000 mm" in told
    assert "works at 1.5×1.5×6000 mm" in told
    assert "take a config of a larger spacing" in told


def test_grids_beyond_what_integers_hold_are_refused_however_much_is_free(free):
    free(None)
    with pytest.raises(InputError, match=r"GB of memory or more: the fixed image is"):
        lay(image((1e9, 1e9, 1.0)))
    with pytest.raises(InputError, match="GB of memory or more"):
        lay(image((1e60, 1e60, 1e60)))


def test_what_is_free_decides(free):
    fixed = image((150.0, 150.0, 6.0), (48, 52, 10))
    # 4800×5200×10 voxels of 40 bytes.
    needs = 4800 * 5200 * 10 * 40
    free(needs - 1)
    with pytest.raises(
        InputError, match=r"9\.98 GB of memory or more, of which 9\.98 GB"
    ):
        lay(fixed)
    free(needs + 1)
    with pytest.warns(UserWarning, match=r"take 9.98 GB of the 9.98 GB .* 2 minutes"):
        assert lay(fixed).shape == (4800, 5200, 10)
    free(needs * 2 + 1)
    assert lay(fixed).shape == (4800, 5200, 10)


def config(spacing, downsample=1):
    stage = {"transform": "bspline", "downsample": downsample}
    stage |= {"control_point_spacing": downsample}
    return Config.model_validate({"ndim": 3, "spacing": spacing, "stages": [stage]})


def test_a_refinement_that_memory_cannot_hold_is_told_before_it_starts(
    free, rng, monkeypatch
):
    import dlir_tf.refinement

    def start(*_, **__):
        raise RuntimeError("it has started")

    monkeypatch.setattr(dlir_tf.refinement, "refine", start)
    pair = [image((1.5, 1.5, 6.0)).with_array(rng.random((48, 52, 10)))] * 2
    needs = 48 * 52 * 10 * 290
    free(needs - 1)
    with pytest.raises(InputError) as caught:
        register(*pair, config=config(None))
    assert str(caught.value) == (
        "the refinement needs 0.00724 GB of memory or more, of which 0.00724 GB are "
        "free, for a working grid of 48×52×10 voxels; close other programs, crop the "
        "images, or take a config of a larger spacing, or refine nothing, but take "
        "what a model says"
    )
    free(needs + 1)
    with (
        pytest.warns(UserWarning, match=r"needs 0\.00724 GB .*; if it runs out, close"),
        pytest.raises(RuntimeError, match="it has started"),
    ):
        register(*pair, config=config(None))
    free(2 * needs)
    with pytest.raises(RuntimeError, match="it has started"):
        register(*pair, config=config(None))


def test_only_the_voxels_that_a_refinement_sees_count_in_it(free):
    coarse = config(None, downsample=[2, 2, 1])
    free(100 * 290 // 4 - 1)
    with pytest.raises(InputError, match="the refinement needs"):
        size.check_work((10, 10, 1), coarse, refined=True)
    size.check_work((10, 10, 1), coarse, refined=False)
    free(100 * 44 - 1)
    with pytest.raises(InputError, match=r"the model needs 4\.4e-06 GB .* larger"):
        size.check_work((10, 10, 1), coarse, refined=False)


def test_a_grid_that_leaves_nothing_of_the_image_is_refused(rng):
    fixed = image((0.00245, 0.00245, 0.0098))
    fixed = fixed.with_array(rng.random(fixed.shape))
    with pytest.raises(InputError) as caught:
        prepare_pair(fixed, fixed, config([1.5, 1.5, None]))
    told = str(caught.value)
    assert "1×1×10 voxels, next to nothing of the image's 48×52×10" in told
    assert "the fixed image is 0.118×0.127×0.098 mm wide" in told
    assert "take a config of a smaller spacing" in told
    prepare_pair(fixed, fixed, config(None))


@pytest.mark.parametrize(
    ("spacing", "shape"),
    [
        ((1.0, 1.0, 1.0), (40, 40, 3)),  # a slab of few slices
        ((0.5, 0.5, 0.7), (8, 9, 1)),  # small, but not much coarser than it was
        ((0.5, 0.5, 0.5), (28, 28, 28)),
    ],
)
def test_small_images_that_stay_what_they_are_are_taken(spacing, shape, rng):
    fixed = image(spacing, shape)
    fixed = fixed.with_array(rng.random(shape))
    prepare_pair(fixed, fixed, config(2.0))


@pytest.mark.parametrize("unit", [1e-3, 1e-6, 1e-9])
def test_a_moving_image_that_is_a_speck_is_refused_at_once(unit, rng):
    """Its smoothing takes ten times as long for each zero: 32 s at a 100,000th."""
    fixed = image((1.5, 1.5, 6.0), (49, 51, 11))
    fixed = fixed.with_array(rng.random(fixed.shape))
    moving = Image(fixed.array, fixed.affine * np.array([unit] * 3 + [1])[:, None])
    with pytest.raises(InputError, match="the moving image covers") as caught:
        prepare_pair(fixed, moving, config([1.5, 1.5, None]))
    assert "if they aren't mm, mend the header" in str(caught.value)


def test_a_slice_without_a_thickness_is_refused_at_once(rng):
    thin = Image(rng.random((30, 30, 1)), np.diag([1.0, 1.0, 1e-7, 1.0]))
    with pytest.raises(InputError, match="the fixed image covers 30×30×1e-07 voxels"):
        prepare_pair(thin, thin, config([1.0, 1.0, 1.0]))
