"""What a pair's files hold, read in one place, each with the image it belongs to."""

from dataclasses import replace

import numpy as np
import pytest

from dlir_tf.errors import InputError
from dlir_tf.images import Image, write_image
from dlir_tf.pairs.loading import for_each_pair, load_pair
from dlir_tf.pairs.manifest import Pair

AFFINE = {"fixed": np.diag([1.5, -2.0, 4.0, 1.0]), "moving": np.diag([1.0, 1, 3, 1])}
SHAPE = {"fixed": (7, 5, 3), "moving": (4, 6, 5)}
POINTS = {"fixed": "x,y,z\n1,2,3\n4,5,6\n", "moving": "x,y,z\n1,2,4\n4,5,7\n"}


@pytest.fixture
def pair(rng, tmp_path):
    """Every file that a pair can have; labels are 3 and 8, masks without a value 0."""
    files = {}
    for side, shape in SHAPE.items():
        arrays = {
            side: rng.normal(size=shape).astype(np.float32),
            f"{side}_labels": rng.choice([3, 8], shape).astype(np.int16),
            f"{side}_mask": rng.integers(0, 5, shape, np.uint8),
        }
        for name, array in arrays.items():
            files[name] = tmp_path / f"{name}.nii.gz"
            write_image(files[name], Image(array, AFFINE[side]))
        files[f"{side}_points"] = tmp_path / f"{side}.csv"
        files[f"{side}_points"].write_text(POINTS[side])
    return Pair(place="pairs.csv, line 2", **files)


def test_everything_comes_with_the_image_it_belongs_to(pair):
    loaded = load_pair(pair)
    assert loaded.labels == (loaded.fixed_labels, loaded.moving_labels)
    for side in ("fixed", "moving"):
        mask, labels = (
            getattr(loaded, f"{side}_{kind}") for kind in ("mask", "labels")
        )
        for image in (getattr(loaded, side), labels, mask):
            assert image.shape == SHAPE[side]
            np.testing.assert_allclose(image.affine, AFFINE[side])
        assert set(np.unique(labels.array)) == {3, 8}
        assert mask.array.dtype == bool
        assert 0.5 < mask.array.mean() < 1
    np.testing.assert_array_equal(loaded.points[1] - loaded.points[0], [[0, 0, 1]] * 2)


def test_what_is_not_there_or_not_wanted_is_none(pair):
    masked = replace(pair, fixed_mask=None, fixed_labels=None, moving_points=None)
    loaded = load_pair(masked)
    assert loaded.fixed_mask is loaded.labels is loaded.points is None
    assert loaded.moving_mask.array.any()
    assert loaded.moving_labels.array.any()  # as for a registration that moves them
    # Training may have no use for files that are damaged.
    pair.fixed_labels.write_text("no image")
    pair.moving_points.write_text("no points")
    loaded = load_pair(pair, with_labels=False, with_points=False)
    assert loaded.fixed_labels is loaded.moving_labels is loaded.points is None


def test_a_channel_is_of_an_image_that_has_several(pair, rng):
    with pytest.raises(InputError, match=r"--channel 2 .*: neither .*fixed\.nii\.gz"):
        load_pair(pair, channel=2)
    colours = rng.integers(0, 255, (*SHAPE["moving"], 3), np.uint8)
    grey = Image(colours[..., 0], AFFINE["moving"], channels=colours)
    write_image(pair.moving, grey)
    loaded = load_pair(pair, channel=2)
    np.testing.assert_array_equal(loaded.moving.array, colours[..., 1])


def test_landmarks_must_suit_their_images_and_each_other(pair):
    pair.moving_points.write_text("x,y,z\n1,2,3\n")
    with pytest.raises(InputError, match=r"as many\. Received: 2 and 1"):
        load_pair(pair)
    pair.fixed_points.write_text("x,y\n1,2\n")
    with pytest.raises(InputError, match=r"fixed.csv: .* have 3 coord.* Received: 2"):
        load_pair(pair)


def test_landmarks_of_the_same_names_must_be_in_one_order(pair):
    """They correspond by their order, so two that are exchanged go astray unseen."""
    pair.fixed_points.write_text("x,y,z,name\n1,2,3,apex\n4,5,6,base\n")
    pair.moving_points.write_text("name,x,y,z\napex,1,2,3\nbase,4,5,6\n")
    assert load_pair(pair).point_names == ("apex", "base")
    pair.moving_points.write_text("name,x,y,z\nbase,1,2,3\napex,4,5,6\n")
    with pytest.raises(InputError, match="number 1 is apex in one and base in the ot"):
        load_pair(pair)
    for names in (("one", "two"), ("base", "base")):  # which say nothing
        rows = (f"{name},1,2,3\n" for name in names)
        pair.moving_points.write_text("name,x,y,z\n" + "".join(rows))
        assert load_pair(pair).point_names == ("apex", "base")


def test_landmarks_that_lie_in_their_image_by_lps_alone_are_warned_of(pair):
    pair.moving_points.write_text("x,y,z\n-1,-2,4\n-3,-5,7\n")
    with pytest.warns(UserWarning, match="moving.csv: 2 of 2 .* only 0 would; .*signs"):
        load_pair(pair)


def test_every_faulty_pair_is_named_in_order(pair):
    pairs = [replace(pair, place=f"pairs.csv, line {n}") for n in range(2, 7)]
    done = []

    def refuse_odd(index):
        if index % 2:
            raise InputError(f"number {index}")

    with pytest.raises(InputError) as caught:
        for_each_pair(pairs, refuse_odd, done.append)
    lines = ["pairs.csv, line 3: number 1", "pairs.csv, line 5: number 3"]
    assert str(caught.value).splitlines() == lines
    assert done == [1, 2, 3, 4, 5]
    for_each_pair(pairs, lambda index: index)
