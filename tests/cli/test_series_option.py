"""`--series`, where no folder is read that it could choose from."""

import numpy as np
import pytest
from register_desk import save

from dlir_tf.cli import main
from dlir_tf.errors import InputError
from dlir_tf.images import check_choice, series_chosen
from dlir_tf.transforms import Affine, Transform, write_transform

COMMANDS = {
    "register": ["a.nii.gz", "b.nii.gz", "--output", "new.nii.gz"],
    "register of many": ["--pairs", "pairs.csv", "--output", "new"],
    "track": ["a.nii.gz", "b.nii.gz", "--output", "new"],
    "transform": ["a.nii.gz", "--transform", "t.npz", "--output", "new.nii.gz"],
    "convert": ["t.npz", "--reference", "a.nii.gz", "--output", "new.tfm"],
    "page": ["--fixed", "a.nii.gz", "--moving", "b.nii.gz", "--output", "new.html"],
    "breathe": ["a.nii.gz", "--num", "1", "--output", "new"],
}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_choice_without_a_folder_is_refused(name, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for image in ("a.nii.gz", "b.nii.gz"):
        save(tmp_path / image, np.arange(60, dtype=np.int16).reshape(5, 4, 3))
    (tmp_path / "pairs.csv").write_text("fixed,moving\na.nii.gz,b.nii.gz\n")
    write_transform("t.npz", Transform((Affine(np.eye(4)),)))
    before = sorted(tmp_path.iterdir())
    with pytest.raises(SystemExit) as caught:
        main([name.split()[0], *COMMANDS[name], "--series", "3"])
    assert caught.value.code == 1
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1
    assert (
        "--series 3: is for folders of DICOM files, of which none is given" in said[0]
    )
    assert sorted(tmp_path.iterdir()) == before


def test_one_folder_is_enough_if_it_has_no_choice_of_its_own(tmp_path):
    folder, file = tmp_path / "scan", tmp_path / "a.nii.gz"
    folder.mkdir()
    file.touch()
    own = tmp_path / "scan#5"
    check_choice([file])  # nothing is chosen
    with series_chosen("3"):
        check_choice([file, None, folder])
        check_choice([file, tmp_path / "not there"])  # of which its reader complains
        for given in ([file, None], [file, own], []):
            with pytest.raises(InputError, match=r"--series 3: .* leave it out"):
                check_choice(given)
