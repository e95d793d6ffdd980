"""Names of files that are no text in UTF-8: neither a traceback nor an abort."""

import csv
import os
import sys

import numpy as np
import pytest
import SimpleITK as sitk

from dlir_tf.cohort.pair_files import PairFiles
from dlir_tf.cohort.result import PairResult, Task
from dlir_tf.cohort.summary import write_summary
from dlir_tf.errors import InputError
from dlir_tf.images import Image, read_image, write_image
from dlir_tf.page.cohort import CohortRow, write_cohort_page
from dlir_tf.pairs.manifest import Pair
from dlir_tf.transforms import Affine, Transform, read_transform, write_transform

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="other systems have no such names"
)
NAME = os.fsdecode(b"alt\xe4")


@pytest.fixture
def folder(tmp_path):
    """A folder whose name is in Latin-1."""
    made = tmp_path / NAME
    made.mkdir()
    return made


@pytest.fixture
def image():
    array = np.random.default_rng(0).normal(size=(6, 5, 4)).astype(np.float32)
    return Image(array, np.eye(4))


def test_what_itk_would_end_the_program_by_is_refused(folder, image, tmp_path):
    transform = Transform((Affine(np.eye(4)),))
    write_image(tmp_path / "a.nrrd", image)
    sitk.WriteTransform(sitk.AffineTransform(3), str(tmp_path / "a.h5"))
    for name in ("a.nrrd", "a.h5"):
        (tmp_path / name).rename(folder / name)
    for act in (
        lambda: read_image(folder / "a.nrrd"),
        lambda: write_image(folder / "b.mha", image),
        lambda: read_transform(folder / "a.h5"),
        lambda: write_transform(folder / "b.tfm", transform),
        lambda: read_image(folder),  # as one of DICOM
    ):
        with pytest.raises(InputError, match=r"isn't in UTF-8, as ITK needs it"):
            act()
    assert sorted(os.listdir(folder)) == ["a.h5", "a.nrrd"]


def test_other_formats_need_no_text(folder, image):
    write_image(folder / "a.nii.gz", image)
    np.testing.assert_array_equal(read_image(folder / "a.nii.gz").array, image.array)
    transform = Transform((Affine(np.diag([2.0, 2.0, 2.0, 1.0])),))
    write_transform(folder / "a.npz", transform)
    point = [[1.0, 2.0, 3.0]]
    found = read_transform(folder / "a.npz").map_points(point)
    np.testing.assert_array_equal(found, [[2.0, 4.0, 6.0]])


def test_tables_of_such_names_are_written(folder):
    pair = Pair(folder / "f.nii", folder / "m.nii", "pairs.csv, line 2")
    task = Task(0, "one", pair, PairFiles(folder / "one", {}))
    result = PairResult(0, "one", folder / "one", "PASS")
    with write_summary(folder, [task], {0: result}).open(encoding="utf-8") as stream:
        (row,) = csv.DictReader(stream)
    assert row["fixed"].endswith("alt\\udce4/f.nii")
    write_cohort_page(folder / "index.html", [CohortRow("one", "PASS")], title=NAME)
    assert "alt\\udce4" in (folder / "index.html").read_text(encoding="utf-8")
