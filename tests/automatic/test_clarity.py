"""Pairs that are alike because light falls from one side, with known motion or none."""

import numpy as np
import pytest
from scipy import ndimage

from dlir_tf.automatic.choice import Choice
from dlir_tf.automatic.coarse import make_coarse
from dlir_tf.automatic.looks import PairLooks
from dlir_tf.automatic.modality import SAME, correlation
from dlir_tf.automatic.starts import Start
from dlir_tf.config import Intensity, load_config
from dlir_tf.images import Image
from dlir_tf.pairs.slices import common_plane
from dlir_tf.registration import register
from dlir_tf.transforms import Affine, Transform

_SHAPE = (64, 56)
_STILL = Transform((Affine(np.eye(3)),))


def _texture(rng, shape=_SHAPE):
    noise = ndimage.gaussian_filter(rng.normal(size=shape), 1.0)
    return noise / noise.std()


def _bend():
    """In voxels along the first axis, at most 2."""
    return 2.0 * np.sin(np.pi * np.indices(_SHAPE)[1] / _SHAPE[1])


def _bent(texture):
    places = np.indices(_SHAPE) + np.stack([_bend(), 0 * _bend()])
    return ndimage.map_coordinates(texture, places, order=1, mode="nearest")


def _lit(texture):
    """Brighter and brighter along the first axis of the image, whatever it shows."""
    lit = np.linspace(0, 1, len(texture))[:, None] + 0.1 * texture
    return Image((lit - lit.min()).astype(np.float32), np.diag([2.0, 2.0, 1.0]))


def test_light_makes_no_two_textures_clear(rng):
    one, other = _lit(_texture(rng)), _lit(_texture(rng))
    wrong, right = (make_coarse(one, each, Intensity()) for each in (other, one))
    assert correlation(wrong, _STILL) > SAME
    assert abs(wrong.clarity(_STILL)) < 0.2
    assert right.clarity(_STILL) == pytest.approx(1)


def test_what_is_not_seen_is_not_unclear(rng):
    one = _lit(_texture(rng))
    far = Image(one.array, one.affine + np.eye(3, k=2) * 500.0)
    assert np.isnan(make_coarse(one, far, Intensity()).clarity(_STILL))


@pytest.mark.parametrize("is_right", [True, False])
def test_another_texture_in_the_same_light_is_told(rng, is_right):
    texture = _texture(rng)
    moving = _lit(texture)
    fixed = _lit(_bent(texture) if is_right else _texture(rng))
    result = register(fixed, moving)
    told = [reason for reason in result.report.reasons if "what surrounds" in reason]
    if is_right:
        truth = 2.0 * np.stack([_bend(), 0 * _bend()], axis=-1)
        off = (result.displacement - truth)[8:-8, 8:-8]
        assert np.linalg.norm(off, axis=-1).mean() < 1.0
        assert result.report.clarity > 0.6
        assert result.report.verdict == "PASS"
        assert told == []
    else:
        assert result.report.clarity < 0.45
        assert result.report.verdict == "WARN"
        assert len(told) == 1


def _choice(coarse, plane, look="picture"):
    start = Start(_STILL, "header", "")
    config, looks = load_config("demo"), PairLooks(look, look)
    return Choice(config, start, looks, (), (), coarse, plane)


def test_slices_in_space_are_as_clear_as_in_their_plane(rng):
    texture = _texture(rng)
    one, other = _lit(_bent(texture)), _lit(texture)
    placed = np.array([[0, 0, 3.0, 9], [2, 0, 0, 5], [0, 2, 0, 7], [0, 0, 0, 1]])
    slices = [Image(each.array[..., None], placed) for each in (one, other)]
    plane = common_plane(slices[0].grid, slices[1].grid)
    coarse = make_coarse(*map(plane.flatten, slices), Intensity())
    shift = np.eye(4)
    shift[1, 3] = 2.0
    found = _choice(coarse, plane).clarity(Transform((Affine(shift),)))
    flat_shift = np.eye(3)
    flat_shift[0, 2] = 2.0
    expected = make_coarse(one, other, Intensity())
    assert found == pytest.approx(expected.clarity(Transform((Affine(flat_shift),))))


def test_it_is_left_unsaid_of_labels(rng):
    image = _lit(_texture(rng))
    coarse = make_coarse(image, image, Intensity())
    assert np.isnan(_choice(coarse, None, "labels").clarity(_STILL))
