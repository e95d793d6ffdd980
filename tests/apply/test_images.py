"""What `ImageCarrier` does beside what the command shows."""

from pathlib import Path

import numpy as np
import pytest
from itk_judge import random_image, random_parameters

from dlir_tf.apply import ImageCarrier, images
from dlir_tf.images import Frames
from dlir_tf.transforms import Transform

NAME = Path("a.nii")


@pytest.fixture
def pair(rng):
    parameters = random_parameters(rng, 3, 2)
    affine = parameters.grid.affine
    reference = random_image(rng, (13, 15, 5), affine)
    return parameters.ours(), random_image(rng, (14, 17, 6), affine), reference


@pytest.fixture
def computed(monkeypatch):
    """The shapes of the grids that a displacement was computed on."""
    shapes = []
    original = Transform.displacement

    def displacement(self, reference):
        shapes.append(reference.shape)
        return original(self, reference)

    monkeypatch.setattr(Transform, "displacement", displacement)
    return shapes


@pytest.mark.parametrize(
    ("num_images", "num_frames", "expected"), [(1, 1, 0), (1, 3, 1), (3, 1, 1)]
)
def test_one_displacement_serves_all(pair, computed, num_images, num_frames, expected):
    transform, image, reference = pair
    carrier = ImageCarrier(transform, reference, num_images=num_images)
    direct = transform.resample(image, reference).array
    for _ in range(num_images):
        moved = carrier.carry(NAME, Frames((image,) * num_frames))
        for frame in moved:
            np.testing.assert_allclose(frame.array, direct, atol=1e-2)
    assert computed == [reference.shape] * expected


def test_images_on_their_own_grids_have_displacements_of_their_own(pair, computed):
    transform, image, reference = pair
    carrier = ImageCarrier(transform, num_images=2)
    for one in (image, reference):
        (moved,) = carrier.carry(NAME, Frames((one,)))
        np.testing.assert_array_equal(moved.array, transform.resample(one, one).array)
        carrier.carry(NAME, Frames((one, one)))
    assert computed == [image.shape, reference.shape]


def test_a_displacement_that_takes_too_much_memory_is_not_kept(
    pair, computed, monkeypatch
):
    monkeypatch.setattr(images, "_LARGEST_FIELD_BYTES", 1000)
    transform, image, reference = pair
    moved = ImageCarrier(transform, reference).carry(NAME, Frames((image, image)))
    assert computed == []
    direct = transform.resample(image, reference).array
    np.testing.assert_array_equal(moved[1].array, direct)


def test_a_series_is_of_labels_only_if_all_frames_are(pair):
    transform, image, reference = pair
    empty = image.with_array(np.zeros_like(image.array))
    lines = []
    carrier = ImageCarrier(transform, reference, tell=lines.append)
    carrier.carry(NAME, Frames((empty, image)))
    assert lines == []
    (moved,) = carrier.carry(NAME, Frames((empty,)))
    assert "holds labels" in lines[0]
    assert not moved.array.any()


def test_much_work_is_announced(pair, monkeypatch):
    monkeypatch.setattr(images, "_MANY_VOXELS", 100)
    monkeypatch.setattr(images, "_MANY_VOXELS_TO_SOLVE", 100)
    transform, image, reference = pair
    for carried, line in (
        (transform, "a.nii: resampling 975 voxels takes a while"),
        (
            transform.inverse(),
            "a.nii: solving the inverse for 975 voxels takes a while",
        ),
    ):
        lines = []
        ImageCarrier(carried, reference, tell=lines.append).carry(
            NAME, Frames((image,))
        )
        assert lines[-1] == line
