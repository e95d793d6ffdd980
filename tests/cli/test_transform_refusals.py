"""What `dlir-tf transform` refuses or warns of, and that nothing is left behind."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from itk_judge import random_image
from transform_desk import MOVE, REFERENCE, T, landmarks, refused, transform, write_csv

from dlir_tf.cli import main
from dlir_tf.images import Image, write_image
from dlir_tf.transforms.files.dispatch import write_transform


def test_a_failure_leaves_nothing(desk3, capsys):
    Path("broken.nii").write_bytes(b"no image")
    inputs = ("moving.nii.gz", "labels.nii.gz", "broken.nii")
    arguments = (*inputs, *T, *REFERENCE)
    assert "broken.nii" in refused(capsys, desk3, *arguments, "--output", "out/new")
    assert "broken.nii" in refused(capsys, desk3, *arguments, "--output", "out")


def test_both_files_of_ants_pair_are_inputs(desk3, capsys):
    write_transform(
        "p0GenericAffine.mat", desk3.parameters.ours(), reference=desk3.fixed
    )
    pair = ("--transform", "p0GenericAffine.mat", *REFERENCE)
    arguments = ("moving.nii.gz", *pair, "--output", "p1Warp.nii.gz")
    line = refused(capsys, desk3, *arguments)
    assert "p1Warp.nii.gz: is an input already" in line


OUT = ("--output", "out/a.nii")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((*MOVE, "out/moved.xyz"), "out/moved.xyz: expected a name that ends in"),
        ((*MOVE, "nowhere/moved.nii"), "its folder doesn't exist; make it first"),
        ((*MOVE, "moving.nii.gz"), "moving.nii.gz: is an input already"),
        ((*MOVE, "fixed.nii.gz"), "fixed.nii.gz: is an input already"),
        ((*MOVE, "."), "moving.nii.gz: is an input already"),
        (("labels.nii.gz", *MOVE, "out/a.nii"), "several inputs need a folder"),
        (("out/../moving.nii.gz", *MOVE, "out"), "would both be out/moving.nii.gz"),
        (("no.nii", *T, "--output", "a.nii"), "no such file: no.nii"),
        ((*MOVE, "out/a.nii", "--fill-value", "0.5"), "a fill value of 0.5 doesn't"),
        ((*MOVE, "out/a.nii", "--fill-value", "nan"), "a fill value of nan doesn't"),
        ((*MOVE, "out/a.nii", "--fill-value", "-40000"), "from -32768 to 32767"),
        (
            ("grey.nii", *MOVE[1:], "out/a.nii", "--interpolation", "label"),
            "grey.nii: --interpolation label is for labels",
        ),
        ((*MOVE, "out/a.nii", "--space", "LPS"), "--space is for --points"),
        ((*MOVE, "out/a.nii", "--points", "p.csv"), "in commands of their own"),
        (("--points", "p.csv", *MOVE[1:], "a.csv"), "are for images; leave them out"),
        (("--points", "no.csv", *T, "--output", "a.csv"), "no such file: no.csv"),
        (("--points", "p.csv", *T, "--output", "a.json"), "ends in .csv, like p.csv"),
        (("--points", "flat.csv", *T, "--output", "a.csv"), "landmarks are 2-d, but"),
        (("--points", "no.mrk.json", *T, "--output", "a.json"), "no such file"),
        (("flat.nii", *T, *REFERENCE, "--output", "out/a.nii"), "the image is 2-d"),
        (
            ("moving.nii.gz", *T, "--reference", "flat.nii", *OUT),
            "flat.nii: the image is",
        ),
        (("moving.nii.gz", *T, "--reference", "far.nii", *OUT), "doesn't overlap with"),
        (("moving.nii.gz", "--transform", "t.xyz", "--output", "out/a.nii"), "t.xyz"),
        (("moving.nii.gz", "--transform", "no.npz", "--output", "out/a.nii"), "no.npz"),
    ],
)
def test_what_cannot_work_is_one_sentence(desk3, capsys, rng, arguments, message):
    write_csv("p.csv", landmarks(desk3, rng, desk3.fixed), range(7))
    Path("flat.csv").write_text("x,y\n1,2\n")
    Path("t.xyz").write_text("?")
    flat = random_image(rng, (9, 8), np.diag([2.0, 3.0, 1.0]))
    write_image("flat.nii", flat)
    write_image("grey.nii", random_image(rng, (9, 8, 7), desk3.moving.affine))
    far = desk3.fixed.affine.copy()
    far[:3, 3] += 5000
    write_image("far.nii", Image(desk3.fixed.array, far))
    assert message in refused(capsys, desk3, *arguments)


def test_warnings_name_files_as_the_user_does(desk3, capsys):
    """Of the file that is read even if it's refused; never of a draft."""
    sheared = desk3.fixed.affine.copy()
    sheared[:3, 0] += 0.2 * sheared[:3, 1]
    write_image("sheared.nrrd", Image(desk3.fixed.array, sheared))
    wanted = ("--reference", "sheared.nrrd", "--output", "out/m.nii")
    _, (line,) = transform(capsys, "moving.nii.gz", *T, *wanted)
    assert line.startswith("Warning: out/m.nii: the axes aren't perpendicular")
    nifti = nib.Nifti1Image(desk3.moving.array, None)
    nifti.to_filename("nowhere.nii")
    far = desk3.fixed.affine + 5000 * np.eye(4, 4, 3)
    write_image("far.nii", Image(desk3.fixed.array, far))
    wanted = ("--reference", "far.nii", "--output", "out/n.nii")
    with pytest.raises(SystemExit):
        main(["transform", "nowhere.nii", *T, *wanted])
    err = capsys.readouterr().err
    assert "Warning: nowhere.nii: the header states no orientation" in err
    assert "doesn't overlap" in err


def test_neither_images_nor_points_is_wrong_usage(desk3, capsys):
    with pytest.raises(SystemExit) as caught:
        main(["transform", *T, "--output", "out"])
    assert caught.value.code == 2
    assert "Give images, or landmarks with --points." in capsys.readouterr().err
