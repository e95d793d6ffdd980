"""A rigid model learns a turn and a shift, and is the same model in a file."""

import numpy as np
import pytest
from scipy import ndimage

from dlir_tf.config import Augmentation, Config
from dlir_tf.export.tflite.file import export_tflite
from dlir_tf.images import Image, read_image, write_image
from dlir_tf.models.loading import load_model
from dlir_tf.pairs.manifest import Pair
from dlir_tf.registration import register
from dlir_tf.training import train

SHAPE, SPACING = (40, 32), (1.5, 2.0)
OFF = Augmentation(rotation_degrees=0, scale=0, translation=0, gamma=0, noise=0)
STAGE = {"transform": "rigid", "downsample": 1, "feature_spacing": 8}


def _motion():
    """7 degrees about the middle of the image, and some mm."""
    cos, sin = np.cos(np.radians(7)), np.sin(np.radians(7))
    middle = (np.array(SHAPE) - 1) / 2 * SPACING
    matrix = np.eye(3)
    matrix[:2, :2] = [[cos, -sin], [sin, cos]]
    matrix[:2, 2] = middle + np.array([3.0, -4.0]) - matrix[:2, :2] @ middle
    return matrix


def _pair(folder, seed):
    noise = np.random.default_rng(seed).normal(size=[n + 32 for n in SHAPE])
    scene = ndimage.gaussian_filter(noise, 3.0)
    to_world = np.diag([*SPACING, 1.0])
    in_voxels = np.linalg.inv(to_world) @ _motion() @ to_world
    files = {}
    for side, matrix in (("fixed", in_voxels), ("moving", np.eye(3))):
        places = np.indices(SHAPE).reshape(2, -1)
        seen = matrix[:2, :2] @ places + matrix[:2, 2:] + 16
        array = ndimage.map_coordinates(scene, seen, order=3).reshape(SHAPE)
        files[side] = folder / f"{seed}_{side}.nii"
        write_image(files[side], Image(array.astype(np.float32), to_world))
    return Pair(place=f"pair {seed}", **files)


@pytest.mark.slow
def test_a_turn_is_learned_and_exported(tmp_path):
    pairs = [_pair(tmp_path, seed) for seed in range(4)]
    training = {"steps": 250, "learning_rate": 3e-3, "augmentation": OFF.model_dump()}
    config = Config.model_validate(
        {"ndim": 2, "spacing": None, "stages": [STAGE], "training": training}
    )
    train(config, pairs, tmp_path / "model", validation=pairs[:1], seed=4)
    model = load_model(tmp_path / "model")
    images = read_image(pairs[1].fixed), read_image(pairs[1].moving)
    result = register(*images, model=model)
    corners = images[0].grid.corners
    expected = corners @ _motion()[:2, :2].T + _motion()[:2, 2]
    error = np.linalg.norm(result.transform.map_points(corners) - expected, axis=1)
    before = np.linalg.norm(corners - expected, axis=1)
    assert error.max() < 0.25 * before.max()
    linear = result.transform.affine_part[:2, :2]
    np.testing.assert_allclose(linear.T @ linear, np.eye(2), atol=1e-12)
    refined = register(*images, model=model, refine=60)
    found = refined.transform.map_points(corners)
    assert np.linalg.norm(found - expected, axis=1).max() < 0.2
    export_tflite(model, tmp_path / "model.tflite", shape=(40, 32))
    in_file = register(*images, model=load_model(tmp_path / "model.tflite"))
    again = in_file.transform.map_points(corners)
    np.testing.assert_allclose(again, result.transform.map_points(corners), atol=1e-3)
    linear = in_file.transform.affine_part[:2, :2]
    np.testing.assert_allclose(linear.T @ linear, np.eye(2), atol=1e-12)
