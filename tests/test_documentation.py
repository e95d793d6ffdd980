"""Every command and example in README and docs is run, as it stands there."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import meshes
import numpy as np
import pytest
import yaml
from dicom_files import save_slices, volume

from dlir_tf import __version__
from dlir_tf.cli import main
from dlir_tf.config import load_config
from dlir_tf.config.reading import parse_config
from dlir_tf.images import Image, write_frames, write_image
from dlir_tf.phantoms import beating_heart, chest_ct, heartbeat
from dlir_tf.training.session import Session

ROOT = Path(__file__).resolve().parents[1]
PAGES = [
    *(ROOT / f"{name}.md" for name in ("README", "ARCHITECTURE", "CONTRIBUTING")),
    *sorted((ROOT / "docs").rglob("*.md")),
]
PYTEST = ".venv/bin/pytest"
# They need a server: tests/serving/test_exported.py runs them.
HERE = [p for p in PAGES if p.name not in ("serving.md", "serve-and-ask.md")]
IMAGES = ("fixed", "moving", "fixed_labels", "moving_labels")
RESULTS = [
    "moved.nii.gz",
    "moved.nrrd",
    "moved.png",
    "moved_labels.nii.gz",
    "result.png",
    "field.nii.gz",
    "transform.h5",
    "inverse.npz",
    "jacobian.nii.gz",
    "report.json",
    "ants_0GenericAffine.mat",
    "ants_1Warp.nii.gz",
    "carried_labels.nii.gz",
    "carried/moving_t2.nii.gz",
    "in_moving.csv",
    "in_fixed.csv",
]
# Manifests of real images that the results are about.
REAL = {
    "acdc": ("acdc_train.csv", "acdc_val.csv"),
    "brain2d": ("brain2d_train.csv", "brain2d_val.csv"),
    "brain": ("brain_train.csv", "brain_val.csv"),
    "liver": ("liver.csv",),
    "lung": ("lung.csv",),
    "prostate": ("prostate_train.csv", "prostate_val.csv"),
}
# In the place of a preset's: the same keys, minutes less.
TINY = """
ndim: 3
spacing: [4.0, 4.0, null]
axes: slices_last
stages:
- {transform: bspline, downsample: [2, 2, 1], control_point_spacing: [8, 8, 1],
   filters: [4, 4], lattice_filters: 4}
training: {steps: 2, patch_size: null, validate_every: 1}
"""


def run_script(words):
    """Runs a script of the project's own, in a process of its own."""
    script = [sys.executable, ROOT / words[0], *words[1:]]
    paths = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    subprocess.run(script, check=True, env=os.environ | {"PYTHONPATH": paths})


def small_general(name):
    """The networks of a general model, to be trained on few voxels."""
    config = load_config(name).model_dump(mode="json")
    size = [16] * config["ndim"]
    config["training"]["synthesis"] |= {"sizes": [size], "validation_pairs": 2}
    return yaml.safe_dump(config | {"longest_axis": 32})


def small_chest(seed):
    """A generated chest on a grid of few voxels, and its lungs."""
    return chest_ct(seed, shape=(59, 47, 53), spacing=(5.6, 5.1, 6.0))


def blocks(page, language):
    """The fenced blocks of one language on a page."""
    pattern = rf"^```{language}\n(.*?)^```"
    return re.findall(pattern, page.read_text("utf-8"), re.DOTALL | re.MULTILINE)


def commands(page):
    """The lines of a page's shell blocks, without their comments."""
    lines = (line for block in blocks(page, "sh") for line in block.splitlines())
    stripped = (re.sub(r"\s+#.*", "", line).strip() for line in lines)
    return [line for line in stripped if line and not line.startswith("#")]


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    """A folder with the files that the pages speak of."""
    folder = tmp_path_factory.mktemp("desk")
    heart = beating_heart(5, shape=(64, 60, 4), spacing=(2.5, 2.6, 9.0))
    for name in IMAGES:
        write_image(folder / f"{name}.nii.gz", getattr(heart, name))
    write_image(folder / "moving_t2.nii.gz", heart.moving)
    for name, image in (("mr", heart.fixed), ("ct", heart.moving)):
        write_image(folder / f"{name}.nii.gz", image)
    for name in ("fixed_points", "moving_points"):
        (folder / f"{name}.csv").write_text("x,y,z,name\n3.5,-10,12,apex\n")
    points = ("fixed_points", "moving_points")
    files = [*(f"{name}.nii.gz" for name in IMAGES), *(f"{p}.csv" for p in points)]
    rows = [",".join([*IMAGES, *points]), ",".join(files)]
    for number in (1, 2):
        image, _ = small_chest(number)
        write_image(folder / f"thorax{number}.nii.gz", image)
    for name, shift in (("exhale", 0), ("inhale", 2)):
        for part, image in zip(("", "_lung"), small_chest(1), strict=True):
            moved = image.with_array(np.roll(image.array, shift, axis=2))
            write_image(folder / f"{name}{part}.nii.gz", moved)
    beat = heartbeat(5, 3, shape=(64, 60, 4), spacing=(2.5, 2.6, 9.0))
    write_frames(folder / "cine.nii.gz", beat.frames, time_step=0.3, time_unit="sec")
    write_image(folder / "end_diastole.nii.gz", beat.labels[0])
    for name, image in (("section1", heart.fixed), ("section2", heart.moving)):
        grey = np.clip(image.array[:, :, 2] * 0.2, 0, 255).astype(np.uint8)
        colours = np.stack([grey, 255 - grey, grey // 2], axis=-1)
        picture = Image(grey, np.diag([-2.5, -2.6, 1]), channels=colours)
        write_image(folder / f"{name}.png", picture)
    for manifest in ("train.csv", "val.csv"):
        (folder / manifest).write_text("\n".join([*rows, rows[-1]]) + "\n")
    for part in ("hearts", "atlases", "benchmarks/general"):
        (folder / part).mkdir(parents=True)
    for name in ("coarse", "larger", "coarse-2d"):
        path = f"benchmarks/general/{name}.yaml"
        (folder / path).write_text(small_general(str(ROOT / path)))
    (folder / "small.yaml").write_text(small_general("general"))
    write_image(folder / "atlases" / "heart.nii.gz", heart.fixed_labels)
    (folder / "hearts" / "config.yaml").write_text(TINY)
    pair = "fixed,moving\n../fixed.nii.gz,../moving.nii.gz\n"
    (folder / "hearts" / "pairs.csv").write_text(pair)
    (folder / "liver.ply").write_bytes(meshes.ply())
    for number, name in ((3, "fixed"), (5, "moving")):
        series = {"SeriesInstanceUID": f"1.2.{number}", "SeriesNumber": number}
        save_slices(
            folder / "scan", volume((16, 14, 4)), SeriesDescription=name, **series
        )
    return folder


def is_about(line, *names):
    """Whether a command reads one of the manifests of real images."""
    return any(set(REAL[name]) & set(line.split()) for name in names)


def run(line):
    """Runs a `dlir-tf` command in this process; `> file` is left to the caller."""
    words = shlex.split(line.split(" > ")[0], comments=True)
    if ("lung-ct" in words and not is_about(line, "lung")) or words[1] == "breathe":
        words = shlex.split(re.sub(r" --num \d+", " --num 2", shlex.join(words)))
        words = ["my-config.yaml" if word == "lung-ct" else word for word in words]
        words += ["--refine", "5"] * (words[1] == "register")  # minutes less
    if "brain-mr" in words and words[1] == "register":
        words += ["--refine", "5"]
    general = {"general", "general-2d", "coarse", "larger", "coarse-2d"}
    if words[1] == "train" and general & set(words):
        words = shlex.split(line.replace("--config general ", "--config small.yaml "))
        words += ["--steps", "2"]  # an hour less
    code = 0
    try:
        main(words[1:])
    except SystemExit as stop:
        code = stop.code
    assert not code, line


def test_the_commands_of_all_pages_run_one_after_another(desk, monkeypatch, capsys):
    monkeypatch.chdir(desk)
    monkeypatch.setattr("dlir_tf.phantoms.breathing_files.chest_ct", small_chest)
    (desk / "my-config.yaml").write_text(TINY)
    seen = set()
    for line in (line for page in HERE for line in commands(page)):
        name = re.sub(r"^[A-Z_]+=\S+ ", "", line).split()[0]
        assert name in ("dlir-tf", "make", "pip", "python", PYTEST), line
        if name != "dlir-tf" or line in seen or is_about(line, *REAL):
            continue  # others are how this test was reached; real data: below
        seen.add(line)
        if "--resume" in line:
            interrupt_training(line, monkeypatch)
        capsys.readouterr()
        run(line)
        printed = capsys.readouterr().out
        assert printed.strip(), f"nothing was printed: {line}"
        _, _, file = line.partition(" > ")
        if file and not Path(file).exists():  # what is there already is quicker
            Path(file).write_text(printed)
    assert len(seen) >= 8
    for result in RESULTS:
        assert (desk / result).stat().st_size > 20, result


@pytest.mark.slow
@pytest.mark.parametrize("name", REAL)
def test_the_commands_of_the_results_run_on_a_few_real_pairs(
    name, shared_data, tmp_path, monkeypatch, capsys
):
    """As they stand there, but with one or two pairs and a few steps for minutes."""
    monkeypatch.chdir(tmp_path)
    for manifest in REAL[name]:
        last = 2 if name in ("brain", "liver") else 3
        header, *rows = (shared_data / manifest).read_text("utf-8").splitlines()[:last]
        paths = [
            ",".join(str(shared_data / cell) for cell in row.split(",")) for row in rows
        ]
        (tmp_path / manifest).write_text("\n".join([header, *paths]) + "\n")
    lines = [line for page in PAGES for line in commands(page) if is_about(line, name)]
    for line in dict.fromkeys(lines):
        words = line.split()
        if words[0] == "python":
            run_script(words[1:])
            continue
        refines = {"--refine", "--preset"} & set(words)
        fewer = " --steps 2" if words[1] == "train" else " --refine 5" * bool(refines)
        capsys.readouterr()
        run(re.sub(r" --(steps|refine) \d+", "", line) + fewer)
        if words[1] == "evaluate":
            assert re.search("Dice|Landmark error", capsys.readouterr().out)
            assert (tmp_path / words[words.index("--output") + 1]).is_file()
    assert any(line.split()[1] == "evaluate" for line in lines)


def interrupt_training(resume_line, monkeypatch):
    """Leaves the training in the state that `--resume` is for."""
    shutil.rmtree("model")

    def interrupt(*_):
        raise KeyboardInterrupt

    words = shlex.split(resume_line.replace("--resume", ""))[1:]
    with monkeypatch.context() as patch:
        patch.setattr(Session, "_finish_phase", interrupt)
        with pytest.raises(SystemExit) as stop:
            main(words)
    assert stop.value.code == 130


def test_the_python_examples_run(desk, monkeypatch):
    monkeypatch.chdir(desk)
    if not (desk / "model").is_dir():
        (desk / "my-config.yaml").write_text(TINY)
        run("dlir-tf train --config my-config.yaml --pairs train.csv")
    if not (desk / "export").is_dir():
        run("dlir-tf export --format savedmodel")
    if not (desk / "model.tflite").is_file():
        run("dlir-tf export --format tflite --shape 128,128,16")
    if not (desk / "lung-model").is_dir():
        shutil.copytree(desk / "model", desk / "lung-model")
    (desk / "moved.nii.gz").unlink(missing_ok=True)
    examples = [block for page in HERE for block in blocks(page, "python")]
    assert examples
    for example in examples:
        exec(compile(example, "README.md", "exec"), {})  # noqa: S102
    assert (desk / "moved.nii.gz").is_file()
    assert (desk / "served.nii.gz").is_file()


def test_the_config_that_lungs_were_trained_with_is_one():
    (text,) = blocks(ROOT / "docs" / "training-lungs.md", "yaml")
    config = parse_config(text, "training-lungs.md")
    assert config.training.supervision.landmarks > 0


def test_links_to_files_of_the_repository_lead_somewhere():
    for page in PAGES:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text("utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_files_of_the_repository_that_pages_name_are_there():
    for page in [*PAGES, ROOT / "SECURITY.md"]:
        text = page.read_text("utf-8")
        for name in re.findall(r"`((?:tests|dlir_tf|benchmarks|docs)/[^`\s*]+)`", text):
            assert (ROOT / name).exists(), f"{page.name}: {name}"


def test_all_make_targets_on_the_pages_exist():
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for page in PAGES:
        for line in commands(page):
            if line.startswith("make "):
                assert re.search(rf"^{line.split()[1]}:", makefile, re.MULTILINE)


def test_the_tests_that_pages_name_are_there():
    lines = [line for page in PAGES for line in commands(page)]
    lines = [line.split() for line in lines if line.startswith(PYTEST)]
    assert len(lines) >= 3
    for words in lines:
        paths = [ROOT / word for word in words if word.startswith("tests/")]
        if "-k" in words:
            (path,) = paths
            named = words[words.index("-k") + 1]
            assert re.search(rf"^def test_\w*{named}", path.read_text("utf-8"), re.M)
        assert all(path.is_file() for path in paths)


def test_every_room_of_the_package_is_in_the_architecture():
    """Paths that it names and that aren't there are found above."""
    text = (ROOT / "ARCHITECTURE.md").read_text("utf-8")
    rooms = {path for path in (ROOT / "dlir_tf").iterdir() if path.name[0] != "_"}
    rooms -= {ROOT / "dlir_tf" / "py.typed"}
    missing = [r.name for r in rooms if f"`dlir_tf/{r.name}`" not in text]
    assert missing == []


def test_the_citation_is_of_this_version_and_has_what_its_format_asks_for():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    assert {"cff-version", "message", "title", "authors"} <= set(citation)
    assert citation["version"] == __version__
    assert citation["license"] == "Apache-2.0"
    (paper,) = citation["references"]
    assert paper["doi"] in (ROOT / "README.md").read_text("utf-8")


def test_forms_for_issues_have_what_github_asks_for():
    forms = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))
    for path in forms:
        form = yaml.safe_load(path.read_text("utf-8"))
        if path.stem == "config":
            continue
        assert {"name", "description", "body"} <= set(form), path.name
        fields = [part for part in form["body"] if part["type"] != "markdown"]
        assert len({part["id"] for part in fields}) == len(fields) > 0
        assert all(part["attributes"]["label"] for part in fields)
        text = path.read_text("utf-8")
        for name in re.findall(r"docs/[\w/-]+\.md|[A-Z]+\.md", text):
            assert (ROOT / name).is_file(), f"{path.name}: {name}"
    assert len(forms) >= 4
