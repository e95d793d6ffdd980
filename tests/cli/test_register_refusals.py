"""What `dlir-tf register` refuses, in one sentence and with nothing written."""

import errno
import json
import os

import numpy as np
import pytest
from register_desk import (
    ALL,
    PAIR,
    SHAPE,
    outputs,
    refused,
    save,
    scanner_affine,
    with_voxel,
)


def _not_an_image(path):
    path.write_text("fixed,moving\n")


def _truncated(path):
    save(path, np.random.default_rng(0).integers(0, 99, SHAPE).astype(np.int16))
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])


def _constant(path):
    save(path, np.full(SHAPE, 7, np.int16))


def _missing(path):
    save(path, np.full(SHAPE, np.nan, np.float32))


def _rgb(path):
    colours = np.zeros((*SHAPE, 2), np.dtype([(c, "u1") for c in "RGB"]))
    save(path, colours)


def _time_axis(path):
    save(path, np.random.default_rng(0).uniform(size=(*SHAPE, 4)).astype(np.float32))


def _flat(path):
    save(path, np.random.default_rng(0).uniform(size=SHAPE[:2]).astype(np.float32))


def _elsewhere(path):
    array = np.random.default_rng(0).uniform(size=SHAPE).astype(np.float32)
    save(path, array, scanner_affine(origin=(800.0, 0, 0)))


def _dark(path):
    """Constant below the intensities that the model looks at."""
    save(path, np.random.default_rng(0).uniform(-9, -5, SHAPE).astype(np.float32))


BAD_IMAGES = {
    "missing": (lambda path: None, "no such file"),
    "a folder": (lambda path: path.mkdir(), "must hold a DICOM series"),
    "no image": (_not_an_image, "can't be read as an image"),
    "truncated": (_truncated, "can't be read as an image"),
    "infinite": (with_voxel(-np.inf), "no voxel may be infinite, but 1 are"),
    "nothing but NaN": (_missing, "every voxel is NaN"),
    "constant": (_constant, "nothing to register"),
    "colours in time": (_rgb, "2 volumes or channels"),
    "time": (_time_axis, "4 volumes or channels"),
    "2-d": (_flat, "is 2-d"),
    "elsewhere": (_elsewhere, "don't overlap"),
    "constant within the limits": (_dark, "is constant between the intensities"),
}


@pytest.mark.parametrize("kind", BAD_IMAGES)
def test_a_bad_image_is_refused(here, capsys, kind):
    make, message = BAD_IMAGES[kind]
    make(here / "bad.nii.gz")
    for pair in (("bad.nii.gz", "moving.nii.gz"), ("fixed.nii.gz", "bad.nii.gz")):
        arguments = ("register", *pair, *PAIR[3:])
        error = refused(capsys, here, *arguments)
        assert message in error
        assert "bad.nii.gz" in error


def test_bad_labels_are_refused(here, capsys):
    labels = ("--labels", "bad.nii.gz", "--moved-labels", "out/labels.nii.gz")
    assert "no such file" in refused(capsys, here, *PAIR, *labels)
    save(here / "bad.nii.gz", np.zeros((5, 4, 3), np.uint8))
    assert "labels must have their image" in refused(capsys, here, *PAIR, *labels)
    save(here / "bad.nii.gz", np.zeros(SHAPE, np.uint8), scanner_affine(angle=0.5))
    error = refused(capsys, here, *PAIR, *labels)
    assert "bad.nii.gz: labels lie elsewhere" in error
    with_voxel(0.5)(here / "bad.nii.gz")
    assert "must be integers" in refused(capsys, here, *PAIR, *labels)
    for half in (labels[:2], labels[2:]):
        assert "belong together" in refused(capsys, here, *PAIR, *half)


def test_a_bad_model_is_refused(here, capsys):
    assert "no such model" in refused(capsys, here, *PAIR[:-1], "none")
    path = here / "model" / "provenance.json"
    provenance = json.loads(path.read_text())
    path.write_text(json.dumps(provenance | {"format_version": 99}))
    assert "version 99" in refused(capsys, here, *PAIR)
    path.write_text(json.dumps(provenance))
    weights = here / "model" / "model.weights.h5"
    weights.write_bytes(weights.read_bytes()[:1000])
    assert "model.weights.h5" in refused(capsys, here, *PAIR)
    weights.unlink()
    assert "it lacks model.weights.h5" in refused(capsys, here, *PAIR)


def test_a_bad_output_is_refused_before_any_work(here, capsys, monkeypatch):
    monkeypatch.setattr(
        "dlir_tf.cli.work.register.load_pair", lambda *_, **__: pytest.fail("read")
    )
    start = PAIR[:3]
    for output, message in {
        "none/moved.nii.gz": "its folder doesn't exist",
        "out/moved.bmp": "ends in .nii.gz, .nii, .mha",
        "out": "ends in .nii.gz, .nii, .mha",
        "fixed.nii.gz": "is an input or another output already",
        "out/../moving.nii.gz": "is an input or another output already",
    }.items():
        assert message in refused(capsys, here, *start, "--output", output)
    twice = (*PAIR, "--displacement", "out/moved.nii.gz")
    assert "another output already" in refused(capsys, here, *twice)
    for option, name, message in (
        ("--figure", "out/figure.jpg", "ends in .png"),
        ("--displacement", "out/field.mha", "ends in .nii.gz or .nii"),
        ("--transform", "out/transform.mat", ".tfm"),
        ("--inverse", "none/inverse.h5", "its folder doesn't exist"),
        ("--jacobian", "out/moved.nii.gz", "another output already"),
    ):
        assert message in refused(capsys, here, *PAIR, option, name)
    pair = ("--transform", "out/a0GenericAffine.mat")
    warp = ("--displacement", "out/a1Warp.nii.gz")
    error = refused(capsys, here, *PAIR, *pair, *warp)
    assert "out/a1Warp.nii.gz: comes with out/a0GenericAffine.mat, but is" in error
    monkeypatch.setattr("os.access", lambda _, mode: not mode & os.W_OK)
    assert "can't be written" in refused(capsys, here, *PAIR)


def test_if_the_last_output_fails_the_first_is_not_there(here, capsys, monkeypatch):
    """What was there before stays as it was."""
    (here / "out" / "moved.nii.gz").write_bytes(b"from before")

    def fail(path, *_, **__):
        path.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device", "out/figure.png")

    monkeypatch.setattr("dlir_tf.figures.panels.registration_figure", fail)
    more = ("--transform", "out/a0GenericAffine.mat", "--jacobian", "out/j.mhd")
    error = refused(capsys, here, *ALL, *more)
    assert error == (
        "Error: out/figure.png: can't be written (No space left on device): the disk "
        "is full; make room and try again, the files that are there are whole"
    )
    assert outputs(here) == ["moved.nii.gz"]
    assert (here / "out" / "moved.nii.gz").read_bytes() == b"from before"


@pytest.mark.parametrize("option", ["--transform", "--inverse"])
def test_an_older_inverse_warp_is_told_before_any_work(here, capsys, option):
    (here / "out" / "p1InverseWarp.nii.gz").touch()
    (here / "fixed.nii.gz").write_bytes(b"not even read")
    line = refused(capsys, here, *PAIR, option, "out/p1Warp.nii.gz")
    assert "must have no p1InverseWarp.nii.gz beside it from before" in line


@pytest.mark.parametrize(
    ("option", "name"),
    [
        ("--displacement", "d.nii.gz"),
        ("--transform", "t.nii"),
        ("--transform", "t.mha"),
    ],
)
def test_fields_on_sheared_axes_are_refused_before_any_work(
    here, capsys, monkeypatch, option, name
):
    """As those of a CT with a tilted gantry are."""
    monkeypatch.setattr("dlir_tf.cli.work.register.register", None)
    sheared = scanner_affine()
    sheared[:3, 2] += 0.3 * sheared[:3, 1]
    array = np.random.default_rng(0).integers(0, 99, SHAPE).astype(np.int16)
    save(here / "fixed.nii.gz", array, sheared)
    message = refused(capsys, here, *PAIR, option, f"out/{name}")
    assert f"out/{name}: a displacement field must lie on perpendicular" in message
    assert "write the transform as .h5 or .npz" in message
