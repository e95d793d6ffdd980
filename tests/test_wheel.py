"""The wheel has all that is needed; `.ci/wheel` installs it by itself and uses it."""

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow  # two processes that build

ROOT = Path(__file__).resolve().parents[1]
NEEDED = ("pyproject.toml", "README.md", "LICENSE")
BUILD = "from setuptools.build_meta import build_{0}; build_{0}({1!r})"


def build(what, source, folder):
    """An sdist or a wheel of a folder, without a network."""
    code = BUILD.format(what, str(folder))
    subprocess.run([sys.executable, "-c", code], cwd=source, check=True,
                   capture_output=True, timeout=300)  # fmt: skip
    return folder


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Built from an sdist, that from a copy of what is installed from."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    shutil.copytree(
        ROOT / "dlir_tf",
        source / "dlir_tf",
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    for name in NEEDED:
        shutil.copy(ROOT / name, source)
    (packed,) = build("sdist", source, folder).glob("*.tar.gz")
    with tarfile.open(packed) as archive:
        archive.extractall(folder / "unpacked", filter="data")
    (unpacked,) = (folder / "unpacked").iterdir()
    (made,) = build("wheel", unpacked, folder).glob("*.whl")
    return made


def test_every_file_of_the_package_is_in_the_wheel(wheel):
    with zipfile.ZipFile(wheel) as archive:
        held = {Path(name) for name in archive.namelist()}
    files = (path for path in (ROOT / "dlir_tf").rglob("*") if path.is_file())
    expected = {p.relative_to(ROOT) for p in files if "__pycache__" not in p.parts}
    assert len(expected) > 200
    assert sorted(expected - held) == []
    others = {path.parts[0] for path in held} - {"dlir_tf"}
    assert [name.endswith(".dist-info") for name in others] == [True]


def test_its_command_runs_where_the_repository_is_not(wheel, tmp_path):
    """Presets and models that ship are read from where it's installed."""
    target = tmp_path / "installed"
    words = ["install", "--quiet", "--no-deps", "--no-index", "--target", str(target)]
    subprocess.run([sys.executable, "-m", "pip", *words, str(wheel)], check=True)
    empty = tmp_path / "empty"
    empty.mkdir()
    code = (
        "import sys, dlir_tf\n"
        f"assert dlir_tf.__file__.startswith({str(target)!r}), dlir_tf.__file__\n"
        "from dlir_tf.cli import main\n"
        "main(sys.argv[1:])\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(target), "PYTHONSAFEPATH": "1"}
    for words, told in (([], "cardiac-cine"), (["--preset", "lung-ct"], "hounsfield")):
        done = subprocess.run(
            [sys.executable, "-c", code, "info", *words],
            cwd=empty,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        assert told in done.stdout
    assert list(empty.iterdir()) == []
