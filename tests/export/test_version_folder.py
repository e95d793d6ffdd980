"""A server must never see a version that isn't whole."""

from pathlib import Path

import pytest

from dlir_tf.errors import InputError
from dlir_tf.export.version_folder import check_version_folder, new_version


def test_taken_version_names_the_next_free_one(tmp_path: Path) -> None:
    for version in ("1", "4", "12", "x7", ".13-unfinished"):
        (tmp_path / "export" / "dlir" / version).mkdir(parents=True)
    with pytest.raises(InputError, match="the next free one is --version 13"):
        check_version_folder(tmp_path / "export", "dlir", 4)
    free = check_version_folder(tmp_path / "export", "dlir", 5)
    assert free == tmp_path / "export" / "dlir" / "5"
    assert check_version_folder(tmp_path / "export", "brain", 4).name == "4"


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../x", "-x", "a b"])
def test_name_is_that_of_a_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="--name: must be letters"):
        check_version_folder(tmp_path, name, 1)


def test_output_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "export").write_text("")
    with pytest.raises(InputError, match="is a file"):
        check_version_folder(tmp_path / "export", "dlir", 1)


def test_version_that_appears_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    def export_meanwhile() -> None:
        with new_version(tmp_path, "dlir", 1) as folder:
            (folder / "mine").touch()
            (tmp_path / "dlir" / "1").mkdir()
            (tmp_path / "dlir" / "1" / "theirs").touch()

    with pytest.raises(OSError, match="1"):
        export_meanwhile()
    left = [path.name for path in (tmp_path / "dlir").rglob("*")]
    assert sorted(left) == ["1", "theirs"]
