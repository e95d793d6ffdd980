"""Rigid and similarity models on a server: the same transform as in a model folder."""

import numpy as np
import pytest
from random_models import affine, write_random_model
from served_exports import served_exports

from dlir_tf.errors import InputError
from dlir_tf.images import Image
from dlir_tf.models.folder import load_model
from dlir_tf.phantoms import beating_heart
from dlir_tf.registration import register
from dlir_tf.serving import Server, register_remotely
from dlir_tf.transforms import Affine, Transform

KINDS = ("rigid", "similarity")


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    for seed, kind in enumerate(KINDS):
        config = {
            "ndim": 3,
            "spacing": 4.0,
            "initial_alignment": "mass",
            "stages": [affine([2, 2, 2], [2, 2, 2], transform=kind)],
        }
        rng = np.random.default_rng(seed)
        write_random_model(folder / kind, config, rng, 0.3, provenance={"seed": seed})
    return folder


@pytest.fixture(scope="module")
def server(folders, tmp_path_factory):
    models = {kind: folders / kind for kind in KINDS}
    with served_exports(models, tmp_path_factory.mktemp("exported")) as server:
        yield server


@pytest.mark.parametrize("kind", KINDS)
def test_server_and_model_folder_find_the_same_pose(folders, server, kind):
    heart = beating_heart(3, shape=(31, 28, 9), spacing=(4.1, 3.7, 7.5))
    # As single precision holds them, because that's what a server gets.
    pair = [
        Image(image.array, image.affine.astype(np.float32).astype(np.float64))
        for image in (heart.fixed, heart.moving)
    ]
    # A random model does harm, and is asked to.
    model = load_model(folders / kind)
    expected = register(*pair, model=model, do_no_harm=False)
    remote = Server(server.grpc, model_name=kind)
    found = register_remotely(*pair, server=remote, do_no_harm=False)
    linear = found.transform.affine_part[:3, :3]
    size = np.cbrt(np.linalg.det(linear))
    np.testing.assert_allclose(linear @ linear.T, size**2 * np.eye(3), atol=1e-5)
    assert (abs(size - 1) < 1e-5) == (kind == "rigid")
    corners = pair[0].grid.corners
    there, here = (result.transform.map_points(corners) for result in (found, expected))
    assert np.linalg.norm(here - corners, axis=1).max() > 1.0
    np.testing.assert_allclose(there, here, atol=1e-2)


def test_a_model_that_aligns_images_itself_goes_on_from_nothing(server):
    heart = beating_heart(3, shape=(31, 28, 9), spacing=(4.1, 3.7, 7.5))
    there = Transform((Affine(np.eye(4) + 3 * np.eye(4, k=3)),))
    remote = Server(server.grpc, model_name="rigid")
    with pytest.raises(InputError, match=r"itself \(initial_alignment: mass\).*carry"):
        register_remotely(
            heart.fixed, heart.moving, server=remote, initial_transform=there
        )
