"""Breathing lungs in files: training reads them, and they hold the truth."""

import numpy as np
import pytest

from dlir_tf.errors import InputError
from dlir_tf.images import read_image, read_points
from dlir_tf.pairs.loading import load_pair
from dlir_tf.pairs.manifest import read_manifest
from dlir_tf.phantoms import Thorax, breathing_pair, chest_ct, write_breathing_pairs

SMALL = {"shape": (59, 47, 53), "spacing": (5.6, 5.1, 6.0)}


@pytest.fixture(scope="module")
def chests():
    """Two of them: with the mask of its lungs, and without."""
    first, second = (chest_ct(seed, **SMALL) for seed in (1, 2))
    return [
        Thorax("first.nii.gz", lambda: first),
        Thorax("second.nii.gz", lambda: (second[0], None)),
    ]


@pytest.fixture(scope="module")
def folder(chests, tmp_path_factory):
    folder = tmp_path_factory.mktemp("deep") / "new" / "lungs"
    manifest = write_breathing_pairs(folder, num_pairs=3, thoraxes=chests, seed=5)
    assert manifest == folder / "pairs.csv"
    return folder


def test_manifest_names_all_files_and_nothing_else_is_there(folder):
    pairs = read_manifest(folder / "pairs.csv")
    assert len(pairs) == 3
    listed = {path.name for pair in pairs for path in pair.files}
    assert {path.name for path in folder.iterdir()} == {*listed, "pairs.csv"}
    for pair in pairs:
        loaded = load_pair(pair)
        assert loaded.fixed_mask.array.any()
        assert loaded.moving_mask.array.any()
        assert loaded.fixed.array.dtype == np.int16
    assert [path.name for path in folder.parent.iterdir()] == ["lungs"]


def test_points_in_the_files_lie_on_the_same_tissue(folder):
    """Lungs on lungs, and as light there as the breaths make them."""
    for pair in read_manifest(folder / "pairs.csv"):
        lightness = []
        for side in ("fixed", "moving"):
            points = read_points(getattr(pair, f"{side}_points"))
            assert len(points) == 100
            image = read_image(getattr(pair, side))
            mask = read_image(getattr(pair, f"{side}_mask"))
            voxels = np.rint(image.grid.to_voxels(points)).astype(int)
            voxels = tuple(np.clip(voxels, 0, np.array(image.shape) - 1).T)
            assert (mask.array[voxels] > 0).mean() > 0.97
            lightness.append(image.array[voxels])
        assert np.corrcoef(lightness)[0, 1] > 0.6


def test_images_are_taken_in_turn_each_time_with_other_breaths(chests, folder):
    seeds = np.random.SeedSequence(5).generate_state(6)[:3]
    for number, pair in enumerate(read_manifest(folder / "pairs.csv")):
        image, mask = chests[number % 2].read()
        expected = breathing_pair(image, int(seeds[number]), mask=mask)
        found = read_image(pair.fixed)
        np.testing.assert_array_equal(found.array, expected.fixed.image.array)
        np.testing.assert_allclose(found.affine, expected.fixed.image.affine, atol=1e-3)
        np.testing.assert_allclose(
            read_points(pair.moving_points), expected.landmarks(100)[1], atol=1e-5
        )


def test_chests_are_generated_where_there_are_none(tmp_path, monkeypatch):
    monkeypatch.setattr(
        "dlir_tf.phantoms.breathing_files.chest_ct",
        lambda seed: chest_ct(seed, **SMALL),
    )
    for name in ("first", "again"):
        write_breathing_pairs(tmp_path / name, num_pairs=2)
    files = sorted(path.name for path in (tmp_path / "first").iterdir())
    assert len(files) == 13
    for name in files:
        if not name.endswith(".gz"):  # which hold the time
            first, again = (tmp_path / n / name for n in ("first", "again"))
            assert first.read_bytes() == again.read_bytes()
    one, other = read_manifest(tmp_path / "first" / "pairs.csv")
    assert read_image(one.fixed).shape != read_image(other.fixed).shape


def test_a_bad_image_is_named_and_nothing_is_left(chests, tmp_path):
    image, _ = chests[0].read()
    magnitude = image.with_array(image.array + 1000)
    bad = Thorax("mr.nii.gz", lambda: (magnitude, None))
    with pytest.raises(InputError, match=r"mr\.nii\.gz: a CT .*Hounsfield units"):
        write_breathing_pairs(
            tmp_path / "lungs", num_pairs=2, thoraxes=[chests[0], bad]
        )
    assert not list(tmp_path.iterdir())


def test_folders_in_use_and_too_few_pairs_are_refused(chests, tmp_path):
    (tmp_path / "lungs").mkdir()
    with pytest.raises(InputError, match="lungs: is there already"):
        write_breathing_pairs(tmp_path / "lungs", num_pairs=1)
    with pytest.raises(InputError, match="1 pairs of 2 images"):
        write_breathing_pairs(tmp_path / "new", num_pairs=1, thoraxes=chests)
    (tmp_path / "file").write_text("mine")
    with pytest.raises(InputError, match="file"):
        write_breathing_pairs(tmp_path / "file" / "new", num_pairs=1)
    assert {path.name for path in tmp_path.iterdir()} == {"lungs", "file"}
