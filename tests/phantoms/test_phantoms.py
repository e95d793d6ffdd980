"""The synthetic heart: its truth must be true, in the images and in the files."""

import csv

import nibabel as nib
import numpy as np
import pytest

from dlir_tf.errors import InputError
from dlir_tf.images import read_image
from dlir_tf.phantoms import beating_heart, write_phantoms


@pytest.fixture(scope="module", params=[(3, 3), (2, 4)], ids=["3d", "2d"])
def phantom(request):
    """A subject on an odd grid, in 3-d and in 2-d."""
    ndim, seed = request.param
    shape, spacing = (83, 97, 7)[:ndim], (2.1, 1.7, 9.0)[:ndim]
    return beating_heart(seed, shape=shape, spacing=spacing, ndim=ndim)


def _world(image, voxels):
    return voxels @ image.affine[:-1, :-1].T + image.affine[:-1, -1]


def _carried(phantom, voxels):
    """Moving voxels (rounded) to which the true motion takes fixed voxels."""
    points = _world(phantom.fixed, voxels)
    points = points + phantom.displacement(points)
    affine = np.linalg.inv(phantom.moving.affine)
    places = np.rint(points @ affine[:-1, :-1].T + affine[:-1, -1]).astype(int)
    inside = ((places >= 0) & (places < phantom.moving.shape)).all(axis=1)
    return places, inside


def test_grid_is_as_asked(phantom):
    ndim = phantom.fixed.ndim
    assert phantom.fixed.shape == phantom.moving.shape == (83, 97, 7)[:ndim]
    np.testing.assert_allclose(phantom.fixed.spacing, (2.1, 1.7, 9.0)[:ndim])
    assert phantom.fixed_labels.array.dtype == np.uint8
    assert set(np.unique(phantom.fixed_labels.array)) == {0, 1, 2, 3}
    assert set(np.unique(phantom.moving_labels.array)) == {0, 1, 2, 3}


@pytest.mark.parametrize("label", [1, 2, 3])
def test_displacement_carries_each_label_onto_itself(phantom, label):
    voxels = np.argwhere(phantom.fixed_labels.array == label)
    places, inside = _carried(phantom, voxels)
    found = phantom.moving_labels.array[tuple(places[inside].T)]
    still = phantom.moving_labels.array[tuple(voxels.T)]
    # Rounding to voxels of 9 mm costs some; without motion much more is lost.
    assert (found == label).mean() > 0.8
    assert label == 2 or (found == label).mean() > (still == label).mean() + 0.05


def test_texture_moves_with_the_tissue(phantom):
    voxels = np.argwhere(phantom.fixed_labels.array > 0)
    places, inside = _carried(phantom, voxels)
    fixed = phantom.fixed.array[tuple(voxels[inside].T)]
    moved = phantom.moving.array[tuple(places[inside].T)]
    still = phantom.moving.array[tuple(voxels[inside].T)]
    after = np.corrcoef(fixed, moved)[0, 1]
    assert after > 0.85
    assert after > np.corrcoef(fixed, still)[0, 1] + 0.1


def test_blood_is_brighter_than_muscle(phantom):
    for image, labels in (
        (phantom.fixed, phantom.fixed_labels),
        (phantom.moving, phantom.moving_labels),
    ):
        blood = np.median(image.array[labels.array == 3])
        muscle = np.median(image.array[labels.array == 2])
        assert blood > 1.6 * muscle


def test_field_is_the_displacement_at_every_voxel(phantom):
    field = phantom.displacement_field()
    voxels = np.random.default_rng(0).integers(
        0, phantom.fixed.shape, (40, field.ndim - 1)
    )
    expected = phantom.displacement(_world(phantom.fixed, voxels))
    np.testing.assert_allclose(field[tuple(voxels.T)], expected, atol=1e-9)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("ndim", [2, 3])
def test_inverse_undoes_the_motion(seed, ndim):
    phantom = beating_heart(seed, ndim=ndim, shape=(9, 11, 5)[:ndim])
    rng = np.random.default_rng(seed)
    points = phantom.scanner.origin + rng.uniform(-90, 90, (4000, ndim))
    points[0] = phantom.scanner.origin
    there = points + phantom.displacement(points)
    back = there + phantom.inverse_displacement(there)
    np.testing.assert_allclose(back, points, atol=1e-6)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("ndim", [2, 3])
def test_motion_is_one_to_one(seed, ndim):
    """Central differences of the map, all over the chest."""
    phantom = beating_heart(seed, ndim=ndim, shape=(9, 11, 5)[:ndim])
    rng = np.random.default_rng(seed)
    points = phantom.scanner.origin + rng.uniform(-90, 90, (20000, ndim))
    columns = []
    for step in 1e-4 * np.eye(ndim):
        ahead, behind = (
            phantom.displacement(points + step),
            phantom.displacement(points - step),
        )
        columns.append((ahead - behind) / 2e-4)
    jacobian = np.linalg.det(np.eye(ndim) + np.stack(columns, axis=-1))
    assert jacobian.min() > 0.2
    assert jacobian.max() < 2.0


@pytest.mark.parametrize("seed", range(5))
def test_heart_beats_and_the_chest_rests(seed):
    phantom = beating_heart(seed)
    size = np.linalg.norm(phantom.displacement_field(), axis=-1)
    labels = phantom.fixed_labels.array
    assert 6.0 < size[labels > 0].max() < 12.0
    corners = size[:: size.shape[0] - 1, :: size.shape[1] - 1]
    assert corners.max() < 1.0
    diastole, systole = (labels == 3).sum(), (phantom.moving_labels.array == 3).sum()
    assert 0.4 < 1 - systole / diastole < 0.8


def test_wall_keeps_its_volume():
    phantom = beating_heart(1, spacing=(1.5, 1.5, 4.0), shape=(120, 120, 40))
    before = (phantom.fixed_labels.array == 2).sum()
    after = (phantom.moving_labels.array == 2).sum()
    assert 0.9 < after / before < 1.15


def test_seed_decides_everything():
    first, again, other = (beating_heart(seed) for seed in (5, 5, 6))
    np.testing.assert_array_equal(first.fixed.array, again.fixed.array)
    np.testing.assert_array_equal(first.moving.array, again.moving.array)
    np.testing.assert_array_equal(first.fixed.affine, again.fixed.affine)
    assert not np.allclose(first.fixed.affine, other.fixed.affine)
    shapes = {beating_heart(seed, ndim=2).fixed.shape for seed in range(6)}
    assert len(shapes) > 1


def test_wrong_grids_are_refused():
    with pytest.raises(InputError, match="ndim must be 2 or 3"):
        beating_heart(0, ndim=4)
    with pytest.raises(InputError, match="shape must be 2 positive"):
        beating_heart(0, ndim=2, shape=(8, 8, 8))
    with pytest.raises(InputError, match="spacing must be 3 positive"):
        beating_heart(0, spacing=(1.0, 0.0, 8.0))
    with pytest.raises(InputError, match="shape must be 3 positive whole"):
        beating_heart(0, shape=(8.5, 8, 8))


def test_manifests_name_complete_pairs(tmp_path):
    train, test = write_phantoms(tmp_path / "new", num_train=2, num_test=1, seed=7)
    rows = {}
    for path, count in ((train, 2), (test, 1)):
        with path.open(newline="", encoding="utf-8") as file:
            rows[path.stem] = list(csv.DictReader(file))
        assert len(rows[path.stem]) == count
        for row in rows[path.stem]:
            assert list(row) == ["fixed", "moving", "fixed_labels", "moving_labels"]
            images = [read_image(path.parent / name) for name in row.values()]
            assert len({image.shape for image in images}) == 1
    fixed = read_image(test.parent / rows["test"][0]["fixed"])
    field = nib.load(test.parent / "test001_displacement.nii.gz")
    assert field.shape == (*fixed.shape, 1, 3)
    # Sizes don't care which way the file's axes point.
    size = np.linalg.norm(np.asarray(field.dataobj), axis=-1)
    assert 6.0 < size.max() < 12.0


def test_test_subjects_stay_the_same_and_apart(tmp_path):
    few, _ = write_phantoms(tmp_path / "few", num_train=1, num_test=1)
    write_phantoms(tmp_path / "many", num_train=2, num_test=1)
    images = {
        name: read_image(tmp_path / f"{name}_fixed.nii.gz").array
        for name in ("few/train001", "few/test001", "many/test001", "many/train002")
    }
    np.testing.assert_array_equal(images["few/test001"], images["many/test001"])
    for name in ("few/train001", "many/train002"):
        other = images[name]
        assert not np.array_equal(other, images["few/test001"])
    assert few.read_text().startswith("fixed,moving,fixed_labels,moving_labels\n")


def test_negative_numbers_of_subjects_are_refused(tmp_path):
    with pytest.raises(InputError, match="must not be negative"):
        write_phantoms(tmp_path, num_train=-1, num_test=1)
