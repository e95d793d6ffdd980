"""What images look like: CT, masks, labels, pictures; and how that is told."""

import numpy as np
import pytest
from scipy import ndimage

from dlir_tf.automatic.looks import BODY_WINDOW, LUNG_WINDOW, looks_of, looks_of_pair
from dlir_tf.images import Image


def _image(array):
    return Image(array, np.eye(array.ndim + 1))


def _ct(rng, lungs):
    """A body in air; where it's a chest, a third of it is lung tissue."""
    array = rng.normal(-1000, 10, (30, 30, 30))
    array[5:25, 5:25, 5:25] = rng.normal(30, 20, (20, 20, 20))
    if lungs:
        array[8:22, 8:22, 8:22] = rng.normal(-800, 60, (14, 14, 14))
    return _image(array.astype(np.int16))


def test_every_kind_is_told(rng):
    picture = _image(ndimage.gaussian_filter(rng.normal(size=(20, 20)), 2))
    mask = _image((picture.array > 0).astype(np.uint8))
    labels = _image(np.repeat(np.repeat(np.arange(16).reshape(4, 4), 5, 0), 5, 1))
    assert looks_of(picture) == "picture"
    assert looks_of(mask) == "mask"
    assert looks_of(labels) == "labels"
    assert looks_of(_ct(rng, lungs=False)) == "ct"


@pytest.mark.parametrize(
    ("lungs", "window"), [(True, LUNG_WINDOW), (False, BODY_WINDOW)]
)
def test_lungs_and_bodies_have_windows_of_their_own(rng, lungs, window):
    ct = _ct(rng, lungs)
    found = looks_of_pair(ct, ct, (None, None))
    assert found.are_ct
    assert not found.differ
    assert found.intensity.clip_values == window


def test_a_mask_says_whether_it_is_about_lungs(rng):
    """Of the whole body, they are next to nothing; inside of the mask, all."""
    ct = _ct(rng, lungs=False)
    ct.array[14:17, 14:17, 14:17] = -800
    inside = np.zeros(ct.shape, bool)
    inside[14:17, 14:17, 14:17] = True
    assert not looks_of_pair(ct, ct, (None, None)).has_lungs
    assert looks_of_pair(ct, ct, (_image(inside), None)).has_lungs is False
    assert looks_of_pair(ct, ct, (_image(inside), _image(inside))).has_lungs


def test_two_kinds_differ(rng):
    picture = _image(rng.normal(size=(30, 30, 30)))
    assert looks_of_pair(_ct(rng, lungs=False), picture, (None, None)).differ
