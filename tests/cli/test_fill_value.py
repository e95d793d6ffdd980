"""What `register` and `transform` write where nothing of the image is."""

import nibabel as nib
import numpy as np
import pytest
from register_desk import PAIR, outputs, refused

from dlir_tf.cli import main
from dlir_tf.images import read_image
from dlir_tf.transforms import read_transform

MOVED, TRANSFORM = "out/moved.nii.gz", "out/transform.npz"
CARRY = ("transform", "--transform", TRANSFORM, "--reference", "fixed.nii.gz")


@pytest.fixture
def ct(here):
    """The pair as CTs of air and water that nothing surrounds; fixed is the wider."""
    for name, margin in (("fixed.nii.gz", 8), ("moving.nii.gz", 0)):
        stored = nib.load(name)
        grey = np.asarray(stored.dataobj).astype(float)
        steps = np.quantile(grey, [0, 0.4, 0.6, 1])
        hounsfield = np.interp(grey, steps, [-995, -985, 5, 60])
        hounsfield += np.indices(grey.shape).sum(axis=0) % 7  # no two faces are even
        wide = np.pad(hounsfield, ((0, margin), (0, 0), (0, 0)), mode="reflect")
        nib.save(nib.Nifti1Image(wide.astype(np.int16), stored.affine), name)
    return here


def outside_voxels():
    """Which voxels of the moved image come from outside the moving one."""
    fixed, moving = read_image("fixed.nii.gz"), read_image("moving.nii.gz")
    voxels = np.argwhere(np.ones(fixed.shape))
    points = read_transform(TRANSFORM).map_points(fixed.grid.to_world(voxels))
    places = moving.grid.to_voxels(points)
    size = np.array(moving.shape)
    # Those just at the border may count as either.
    far = np.any((places < -0.6) | (places > size - 0.4), axis=1)
    return voxels[far]


@pytest.mark.parametrize(
    ("options", "expected"),
    [([], -1024), (["--fill-value", "auto"], -1024), (["--fill-value", "12"], 12)],
)
def test_nothing_around_a_ct_is_taken_for_water(ct, capsys, options, expected):
    main([*PAIR, "--transform", TRANSFORM, *options])
    told = capsys.readouterr().err
    assert ("what comes from outside it is -1024" in told) == (expected == -1024)
    moved = np.asarray(nib.load(MOVED).dataobj)
    outside = outside_voxels()
    assert len(outside) > 100
    assert (moved[tuple(outside.T)] == expected).all()

    main([*CARRY, "moving.nii.gz", "--output", "out/again.nii.gz", *options])
    again = np.asarray(nib.load("out/again.nii.gz").dataobj)
    np.testing.assert_array_equal(again, moved)


def test_labels_of_a_ct_are_0_outside(ct, capsys):
    main([*PAIR, "--transform", TRANSFORM])
    main([*CARRY, "labels.nii.gz", "--output", "out/labels.nii.gz"])
    labels = np.asarray(nib.load("out/labels.nii.gz").dataobj)
    assert (labels[tuple(outside_voxels().T)] == 0).all()


def test_a_fill_value_must_be_one_of_the_images_type(ct, capsys):
    problem = refused(capsys, ct, *PAIR, "--fill-value", "0.5")
    assert "a fill value of 0.5 doesn't exist in the image's type int16" in problem
    assert outputs(ct) == []


def test_a_fill_value_is_a_number_or_auto(ct, capsys):
    with pytest.raises(SystemExit) as ended:
        main([*PAIR, "--fill-value", "air"])
    assert ended.value.code == 2
    assert "'air' is neither a number nor auto" in capsys.readouterr().err
