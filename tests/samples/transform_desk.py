"""What `dlir-tf transform` is tried on, and how it is asked."""

import csv

import numpy as np
import pytest
import SimpleITK as sitk
from itk_judge import (
    MOVING,
    Parameters,
    random_frame,
    random_image,
    random_parameters,
    sitk_image,
)

from dlir_tf.cli import main
from dlir_tf.images import Image, write_image
from dlir_tf.transforms.files.dispatch import write_transform

T = ("--transform", "t.npz")

REFERENCE = ("--reference", "fixed.nii.gz")


class Desk:
    """A folder with a transform, a reference, and an image and labels to carry."""

    def __init__(self, folder, rng, ndim):
        self.folder, self.ndim = folder, ndim
        self.parameters: Parameters = random_parameters(rng, ndim, 2)
        grid = self.parameters.grid
        middle = grid.affine[:-1, :-1] @ ((np.array(grid.shape) - 1) / 2)
        middle += grid.affine[:-1, -1]
        spacing = 1.1 * np.array(grid.spacing)
        shape = tuple(n - 3 for n in grid.shape)
        affine = random_frame(rng, spacing, middle, shape)
        self.fixed = random_image(rng, shape, affine)
        there = self.parameters.ours().map_points(middle[None])[0]
        affine = random_frame(rng, spacing[::-1], there, MOVING[ndim])
        self.moving = random_image(rng, MOVING[ndim], affine, np.int16)
        labels = rng.choice([0, 3, 517], [(n + 2) // 3 for n in MOVING[ndim]])
        labels = np.kron(labels, np.ones((3,) * ndim))[
            tuple(slice(n) for n in MOVING[ndim])
        ]
        self.labels = Image(labels.astype(np.uint16), affine)
        write_transform(folder / "t.npz", self.parameters.ours())
        write_image(folder / "fixed.nii.gz", self.fixed)
        write_image(folder / "moving.nii.gz", self.moving)
        write_image(folder / "labels.nii.gz", self.labels)
        (folder / "out").mkdir()

    def judge(self, image, interpolator=sitk.sitkLinear, fill=0):
        """What SimpleITK makes of an image."""
        moved = sitk.Resample(
            sitk_image(image),
            sitk_image(self.fixed),
            self.parameters.itk(),
            interpolator,
            fill,
            sitk.sitkFloat64,
        )
        return sitk.GetArrayFromImage(moved).T

    def written(self):
        return sorted(p.name for p in (self.folder / "out").rglob("*"))


def transform(capsys, *arguments):
    """Runs the command; returns stdout and stderr, line by line."""
    main(["transform", *map(str, arguments)])
    printed = capsys.readouterr()
    return printed.out.splitlines(), printed.err.splitlines()


def refused(capsys, desk, *arguments):
    """Asserts exit code 1, one sentence, and nothing written; returns the sentence."""
    before = sorted(desk.folder.rglob("*"))
    with pytest.raises(SystemExit) as caught:
        main(["transform", *map(str, arguments)])
    printed = capsys.readouterr()
    assert caught.value.code == 1
    assert printed.out == ""
    (line,) = [s for s in printed.err.splitlines() if s.startswith("Error: ")]
    assert "Traceback" not in printed.err
    assert "unfinished" not in printed.err
    assert sorted(desk.folder.rglob("*")) == before
    return line


def assert_equal_but_ties(ours, theirs, tolerance=0.0, share=0.01):
    """Equal, though a voxel at the very border may fall to either side."""
    different = np.abs(np.asarray(ours, np.float64) - theirs) > tolerance
    assert np.mean(different) <= share


def landmarks(desk, rng, image):
    """Points in the middle half of an image, RAS+."""
    voxels = rng.uniform(0.3, 0.7, (7, desk.ndim)) * (np.array(image.shape) - 1)
    return voxels @ image.affine[:-1, :-1].T + image.affine[:-1, -1]


def write_csv(path, points, names):
    with open(path, "w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["name", *"xyz"[: points.shape[1]], "size"])
        for name, point in zip(names, points, strict=True):
            writer.writerow([name, *point, "3.50"])


def read_csv(path):
    with open(path, newline="") as stream:
        header, *rows = csv.reader(stream)
    cells = [row[1:-1] for row in rows]
    return header, [(row[0], row[-1]) for row in rows], np.array(cells, np.float64)


MOVE = ("moving.nii.gz", *T, *REFERENCE, "--output")
