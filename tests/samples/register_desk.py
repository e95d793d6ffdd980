"""What `dlir-tf register` is tried on, and what it said."""

import re

import nibabel as nib
import numpy as np
import pytest
from random_models import spline

from dlir_tf.cli import main
from dlir_tf.images import flip_ras_lps

SHAPE = (17, 14, 5)

CONFIG = {
    "ndim": 3,
    "intensity": {"clip_percentiles": None, "clip_values": [0, 1000]},
    "spacing": [1.5, 1.5, None],
    "stages": [
        spline(steps, filters=[4, 4], lattice_filters=4)
        for steps in ([8, 8, 1], [4, 4, 1])
    ],
}


def scanner_affine(spacing=(1.4, 1.6, 7.0), angle=0.4, origin=(-31.0, 12.5, 70.0)):
    """Oblique, and mirrored as scanners do it."""
    affine = np.diag([-spacing[0], -spacing[1], spacing[2], 1.0])
    turn = np.eye(4)
    cosine, sine = np.cos(angle), np.sin(angle)
    turn[:2, :2] = [[cosine, -sine], [sine, cosine]]
    affine = turn @ affine
    affine[:3, 3] = origin
    return affine


def save(path, array, affine=None):
    nib.save(
        nib.Nifti1Image(array, scanner_affine() if affine is None else affine), path
    )


# A model that never saw an image does harm; none of it is to be left out here.
PAIR = (
    *("register", "fixed.nii.gz", "moving.nii.gz", "--output", "out/moved.nii.gz"),
    *("--all-stages", "--model", "model"),
)

ALL = (
    *PAIR,
    *("--displacement", "out/displacement.nii.gz", "--labels", "labels.nii.gz"),
    *("--moved-labels", "out/labels.nii.gz", "--figure", "out/figure.png"),
)


def outputs(here):
    return sorted(entry.name for entry in (here / "out").iterdir())


def lines_of(capsys):
    """The lines on stderr, but for the reasons of the verdict."""
    lines = capsys.readouterr().err.splitlines()
    return [line for line in lines if not line.startswith(("WARN: ", "FAIL: "))]


def refused(capsys, here, *arguments):
    """Asserts exit code 1, one sentence, and nothing written; returns the sentence."""
    before = outputs(here)
    with pytest.raises(SystemExit) as caught:
        main(list(arguments))
    printed = capsys.readouterr()
    assert caught.value.code == 1
    assert printed.out == ""
    lines = [s for s in printed.err.splitlines() if not s.startswith("Warning: ")]
    assert len(lines) == 1
    assert lines[0].startswith("Error: ")
    assert "Traceback" not in printed.err
    assert outputs(here) == before
    return lines[0]


def points_of(image, number=60):
    """World points within an image, RAS+."""
    last = np.array(image.shape) - 1
    voxels = last * np.random.default_rng(2).uniform(size=(number, image.ndim))
    return voxels @ image.affine[:-1, :-1].T + image.affine[:-1, -1]


def map_by_itk(transform, points):
    mapped = [transform.TransformPoint(point) for point in flip_ras_lps(points)]
    return flip_ras_lps(np.array(mapped))


def millimetres_in(line):
    """The one length in mm that a message names."""
    (number,) = re.findall(r"([\d.e+-]+) mm", line)
    return float(number)


def with_voxel(value):
    def make(path):
        array = np.random.default_rng(0).uniform(size=SHAPE).astype(np.float32)
        array[3, 4, 2] = value
        save(path, array)

    return make
