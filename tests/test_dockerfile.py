"""The Dockerfile against what it copies, installs and starts; no Docker is needed."""

import fnmatch
import json
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from dlir_tf import __version__

ROOT = Path(__file__).resolve().parents[1]
KNOWN = {
    *("FROM", "WORKDIR", "ENV", "COPY", "RUN", "LABEL", "USER", "ENTRYPOINT", "CMD"),
}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def stages():
    """The instructions of every stage, as `(name, rest)`."""
    text = (ROOT / "Dockerfile").read_text("utf-8")
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    found = []
    for line in filter(str.strip, joined.splitlines()):
        name, _, rest = line.partition(" ")
        assert name in KNOWN, f"an instruction that this test doesn't know: {line}"
        assert rest.strip(), line
        if name == "FROM":
            found.append([])
        found[-1].append((name, rest.strip()))
    return found


def rests(stage, name):
    return [rest for each, rest in stage if each == name]


def pairs(stage, name):
    """What `ENV` or `LABEL` set."""
    words = [word for rest in rests(stage, name) for word in shlex.split(rest)]
    return dict(word.split("=", 1) for word in words)


def copied(stage):
    """The files and folders that come from this repository, and where they go."""
    for rest in rests(stage, "COPY"):
        words = rest.split()
        if not words[0].startswith("--"):
            yield from ((source, words[-1]) for source in words[:-1])


def is_sent(path):
    """Whether .dockerignore lets Docker see a path; the last rule that fits counts."""
    sent = True
    for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines():
        rule = line.strip()
        if not rule or rule.startswith("#"):
            continue
        pattern = rule.removeprefix("!")
        parts = Path(path).parts
        starts = ["/".join(parts[: n + 1]) for n in range(len(parts))]
        if pattern.startswith("**/"):
            fits = any(fnmatch.fnmatch(part, pattern[3:]) for part in parts)
        else:
            fits = any(fnmatch.fnmatch(start, pattern) for start in starts)
        if fits:
            sent = rule.startswith("!")
    return sent


def test_every_line_is_understood_and_the_stages_have_one_base():
    build, final = stages()
    bases = {rests(stage, "FROM")[0].split()[0] for stage in (build, final)}
    (base,) = bases
    version = re.fullmatch(r"python:(3\.\d+)-slim-\w+", base)[1]
    assert f"{version}.0" in SpecifierSet(PROJECT["requires-python"])
    assert f"Programming Language :: Python :: {version}" in PROJECT["classifiers"]
    assert rests(build, "FROM")[0].endswith(" AS build")
    (carried,) = (r for r in rests(final, "COPY") if r.startswith("--from=build "))
    folder = carried.split()[-1]
    assert f"python -m venv {folder}" in rests(build, "RUN")[0]
    assert pairs(final, "ENV")["PATH"].startswith(f"{folder}/bin:")


def test_what_it_copies_is_there_and_sent_and_nothing_else():
    build, final = stages()
    sources = {source for source, _ in copied(build)}
    assert not list(copied(final))
    for source in sources:
        assert (ROOT / source).exists(), source
        assert is_sent(source), f"{source} is kept back by .dockerignore"
    top = {path.name for path in ROOT.iterdir() if is_sent(path.name)}
    assert top == sources
    assert not is_sent("dlir_tf/cli/__pycache__/main.cpython-313.pyc")
    assert not is_sent(".git/config")


def test_the_package_builds_from_what_it_copies(tmp_path):
    build, _ = stages()
    for source, _ in copied(build):
        path = ROOT / source
        if path.is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(path, tmp_path / source, ignore=ignored)
        else:
            shutil.copy(path, tmp_path / source)
    made = "import setuptools.build_meta as b; print(b.build_wheel('.'))"
    done = subprocess.run(
        [sys.executable, "-c", made], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / f"dlir_tf-{__version__}-py3-none-any.whl").exists()


@pytest.mark.parametrize("what", ["requires", "dependencies"])
def test_exact_versions_are_those_that_the_project_allows(what):
    """All that the package and its build need is pinned, by what pip is held to."""
    build, _ = stages()
    folder, pins = rests(build, "WORKDIR")[0], pairs(build, "ENV")["PIP_CONSTRAINT"]
    assert pins == f"{folder}/requirements.txt"
    assert ("requirements.txt", "./") in set(copied(build))
    rows = (ROOT / "requirements.txt").read_text("utf-8").splitlines()
    pinned = {
        row.split("==")[0].lower(): row.split("==")[1].split(";")[0].strip()
        for row in rows
        if "==" in row and not row.startswith("#")
    }
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    needed = {**project["project"], **project["build-system"]}[what]
    for each in map(Requirement, needed):
        assert pinned[each.name.lower()] in each.specifier, each


def test_it_is_the_command_of_this_version_and_no_user_with_rights():
    _, final = stages()
    labels = pairs(final, "LABEL")
    assert labels["org.opencontainers.image.version"] == __version__
    assert PROJECT["version"] == __version__
    assert labels["org.opencontainers.image.licenses"] == PROJECT["license"]
    (entry,) = json.loads(rests(final, "ENTRYPOINT")[0])
    assert entry in PROJECT["scripts"]
    assert json.loads(rests(final, "CMD")[0]) == ["--help"]
    user, _, group = rests(final, "USER")[-1].partition(":")
    assert min(int(user), int(group)) > 0
    names = [name for name, _ in final]
    assert "RUN" not in names  # nothing is done with rights
    assert names.index("USER") < names.index("ENTRYPOINT")


def test_the_page_names_what_the_file_does():
    page = (ROOT / "docs" / "docker.md").read_text("utf-8")
    _, final = stages()
    assert f':{rests(final, "WORKDIR")[0]}"' in page
