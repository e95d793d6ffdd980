"""What is given from Python in the place of something else is said in a sentence."""

import numpy as np
import pytest

from dlir_tf import load_config, register, register_pairs, track
from dlir_tf.errors import InputError
from dlir_tf.images import Frames, Image
from dlir_tf.pairs.arguments import check_images, check_means

IMAGE = Image(np.random.default_rng(0).uniform(size=(9, 8)), np.eye(3))


@pytest.mark.parametrize(
    ("fixed", "options", "told"),
    [
        ("fixed.nii.gz", {}, "fixed: must be an image.*Received: str 'fixed.nii.gz'"),
        (IMAGE.array, {}, "fixed: must be an image.*Received: ndarray"),
        (None, {}, "fixed: must be an image.*Received: NoneType"),
        (IMAGE.with_array(IMAGE.array > 0.5), {}, "fixed: voxels must be real numbers"),
        (IMAGE.with_array(IMAGE.array * 1j), {}, "type complex128"),
        (IMAGE, {"fixed_mask": IMAGE.array > 0.5}, "fixed_mask: must be an image"),
        (IMAGE, {"model": "cardiac-cine"}, "dlir_tf.load_model.*str 'cardiac-cine'"),
        (IMAGE, {"config": "rigid-2d"}, "dlir_tf.load_config.*str 'rigid-2d'"),
        (IMAGE, {"initial_transform": "t.h5"}, "dlir_tf.read_transform.*str 't.h5'"),
        (IMAGE, {"refine": 1.5}, "refine: must be a whole number of steps.*1.5"),
    ],
)
def test_register_says_what_was_given_instead(fixed, options, told):
    with pytest.raises(InputError, match=told):
        register(fixed, IMAGE, **options)


def test_track_says_what_was_given_instead():
    with pytest.raises(InputError, match=r"frames: must be a series.*Received: list"):
        track([IMAGE, IMAGE])
    with pytest.raises(InputError, match=r"frame 1: must be an image.*ndarray"):
        track(Frames((IMAGE, IMAGE.array)))
    with pytest.raises(InputError, match="mask: must be an image"):
        track(Frames((IMAGE, IMAGE)), mask="mask.nii.gz")


def test_register_pairs_says_what_was_given_instead(tmp_path):
    with pytest.raises(InputError, match=r"pairs: must be a manifest.*Received: tuple"):
        register_pairs([("fixed.nii.gz", "moving.nii.gz")], tmp_path)
    with pytest.raises(InputError, match=r"model: must be a folder.*Received: Image"):
        register_pairs([], tmp_path, model=IMAGE)
    with pytest.raises(InputError, match=r"config: must be.*Received: dict"):
        register_pairs([], tmp_path, config={"ndim": 2})


def test_what_fits_passes():
    check_images(fixed=IMAGE, moving_mask=IMAGE.with_array(IMAGE.array > 0.5))
    check_images(fixed_mask=None, mask=None)
    check_means(config=load_config("rigid-2d"), refine=np.int64(3))
