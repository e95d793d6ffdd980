"""`dlir-tf breathe`: pairs to train on from the command line."""

import numpy as np
import pytest

from dlir_tf.cli import main
from dlir_tf.images import write_image
from dlir_tf.pairs.manifest import read_manifest
from dlir_tf.phantoms import chest_ct


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A working directory with a chest, its lungs, and what isn't a chest."""
    image, mask = chest_ct(6, shape=(59, 47, 53), spacing=(5.6, 5.1, 6.0))
    write_image(tmp_path / "thorax.nii.gz", image)
    write_image(tmp_path / "lungs.nii.gz", mask)
    write_image(tmp_path / "empty.nii.gz", mask.with_array(0 * mask.array))
    write_image(tmp_path / "mr.nii.gz", image.with_array(image.array + 1000))
    body = np.where(mask.array > 0, 40, image.array)
    body[:, :, :18] = np.maximum(body[:, :, :18], -100)
    write_image(tmp_path / "no_lungs.nii.gz", image.with_array(body))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def call(line):
    """The exit code of `dlir-tf`."""
    with pytest.raises(SystemExit) as stop:
        main(line.split())
    return stop.value.code


@pytest.mark.parametrize("mask", ["", " --mask lungs.nii.gz"])
def test_pairs_are_made_of_a_chest(here, capsys, mask):
    main(f"breathe thorax.nii.gz{mask} --num 2 --output new".split())
    printed = capsys.readouterr()
    assert printed.out == "new/pairs.csv\n"
    assert not printed.err
    assert len(read_manifest(here / "new" / "pairs.csv")) == 2


def test_the_seed_decides(here):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        main(f"breathe thorax.nii.gz --num 1 --seed {seed} --output {name}".split())
    a, b, c = ((here / name / "pair001_fixed_points.csv").read_text() for name in "abc")
    assert a == b != c


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("mr.nii.gz", "mr.nii.gz: a CT of a chest must be in Hounsfield units"),
        ("no_lungs.nii.gz", "no_lungs.nii.gz: no lungs were found"),
        ("thorax.nii.gz --mask empty.nii.gz", "empty.nii.gz: every voxel of the mask"),
        ("thorax.nii.gz --mask lungs.nii.gz --mask lungs.nii.gz", "1 images and 2 mas"),
        ("--mask lungs.nii.gz", "0 images and 1 masks"),
        ("missing.nii.gz", "no such file: missing.nii.gz"),
        ("thorax.nii.gz mr.nii.gz --num 1", "1 pairs of 2 images"),
        ("thorax.nii.gz --output thorax.nii.gz", "is there already"),
    ],
)
def test_bad_input_is_refused_in_one_sentence(here, capsys, line, message):
    before = {path.name for path in here.iterdir()}
    assert call(f"breathe {line}") == 1
    error = capsys.readouterr().err
    assert error.startswith("Error: ")
    assert message in error
    assert error.count("\n") == 1
    assert {path.name for path in here.iterdir()} == before
