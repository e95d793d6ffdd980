"""The promises that no single module can keep: who imports whom, and how big."""

import ast
import graphlib
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import dlir_tf

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "dlir_tf"
MODULES = sorted(PACKAGE.rglob("*.py"))

# Every part of the package; one imports from its own level or below. `layers` and
# `transforms` are on levels of their own because others of theirs build on them.
LEVELS = {
    "_version": 0,
    "compute": 0,
    "errors": 0,
    "files": 0,
    "splines": 0,
    "config": 1,
    "images": 1,
    "kernels": 1,
    "layers": 1,
    "metrics": 1,
    "figures": 2,
    "losses": 2,
    "phantoms": 2,
    "transforms": 2,
    "numerics": 3,
    "page": 3,
    "pairs": 3,
    "models": 4,
    "synthesis": 4,
    "automatic": 5,
    "quality": 5,
    "refinement": 5,
    "registration": 6,
    "apply": 7,
    "evaluation": 7,
    "series": 7,
    "export": 7,
    "serving": 7,
    "training": 7,
    "cohort": 8,
    "demo": 8,
    "cli": 9,
    "__main__": 10,
}
GROUND_FLOOR = {part for part, level in LEVELS.items() if level == 0}
LEAVES = {"config", "images", "metrics"}
NO_CONFIG_NO_FILES = {"layers", "losses"}
KERAS_OPS_ONLY = {"layers", "losses", "synthesis"}
KERAS_OPS_ONLY_MODULES = {
    f"models/{name}.py"
    for name in ("chain", "linear", "model", "networks", "objective", "parameters")
}
MOST_NAMES_AT_THE_TOP = 34


def part_of(path):
    """Names the file or folder directly under the package that `path` is in."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_modules(path):
    """Yields the dotted names that a file imports, inside functions too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            origin = "." * node.level + (node.module or "")
            yield from (f"{origin}.{alias.name}" for alias in node.names)


def imported_parts(path):
    """Names the other parts of the package that a file imports from."""
    names = (f"{name}.__init__".split(".") for name in imported_modules(path))
    parts = {name[1] for name in names if name[0] == "dlir_tf"}
    return parts - {part_of(path)}


def inner_modules():
    """All modules but the package's `__init__`, which gathers public names."""
    return [path for path in MODULES if path != PACKAGE / "__init__.py"]


@pytest.mark.parametrize(
    "path", inner_modules(), ids=lambda p: p.relative_to(PACKAGE).as_posix()
)
def test_imports_point_one_way(path):
    part, imports = part_of(path), imported_parts(path)
    assert imports <= {part_of(other) for other in inner_modules()}
    relative = [name for name in imported_modules(path) if name.startswith(".")]
    assert not relative, "imports are absolute"
    if part in LEAVES:
        assert imports <= GROUND_FLOOR
    if part in NO_CONFIG_NO_FILES:
        assert not imports & LEAVES
    assert not {i for i in imports if LEVELS[i] > LEVELS[part]}


def test_every_part_has_its_level():
    assert {part_of(path) for path in inner_modules()} == set(LEVELS)


def test_few_names_stand_at_the_top():
    names = {path.relative_to(PACKAGE).parts[0] for path in MODULES}
    assert len(names) <= MOST_NAMES_AT_THE_TOP


def test_parts_import_each_other_without_cycles():
    graph: dict[str, set[str]] = {}
    for path in inner_modules():
        graph.setdefault(part_of(path), set()).update(imported_parts(path))
    graphlib.TopologicalSorter(graph).prepare()


def name_of(path):
    """The dotted name of a module."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def test_modules_import_each_other_without_cycles():
    """Imports inside functions and for types alone count as well.

    A package's `__init__` is its face: it gathers what its modules have, and none of
    them may import it.
    """
    names = {name_of(path): path for path in MODULES if path != PACKAGE / "__init__.py"}
    graph = {
        name: {
            next(
                part
                for part in (imported, imported.rpartition(".")[0], "dlir_tf")
                if part in names or part == "dlir_tf"
            )
            for imported in imported_modules(path)
            if imported.startswith("dlir_tf")
        }
        - {name, "dlir_tf"}
        for name, path in names.items()
    }
    graphlib.TopologicalSorter(graph).prepare()


@pytest.mark.parametrize(
    "path", inner_modules(), ids=lambda p: p.relative_to(PACKAGE).as_posix()
)
def test_no_module_imports_through_the_face_of_its_own_package(path):
    """A package's `__init__` is for those outside; it may import any of its modules."""
    name = name_of(path)
    names = name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]
    faces = {".".join(names[: n + 1]) for n in range(len(names))}
    tree = ast.parse(path.read_text(encoding="utf-8"))
    origins = [
        module
        for node in ast.walk(tree)
        for module in (
            [node.module]
            if isinstance(node, ast.ImportFrom)
            else [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else []
        )
    ]
    assert not faces & set(origins)


def test_networks_layers_and_losses_know_no_tensorflow():
    offenders = []
    for path in MODULES:
        inside = path.relative_to(PACKAGE).as_posix()
        if part_of(path) not in KERAS_OPS_ONLY and inside not in KERAS_OPS_ONLY_MODULES:
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        roots = {name.split(".")[0] for name in imported_modules(path)}
        if "tf" in names or "tensorflow" in roots:
            offenders.append(path.relative_to(ROOT))
    assert offenders == []


def test_only_stages_know_what_their_parameters_and_networks_are_called():
    """Whoever makes such a name, or takes one apart, would have to know all kinds."""
    name = re.compile(
        r"""["'](?:control_points_|control_point_spacing_|stage_)["'{\d]"""
        r"""|\.r?split\(["']_["']"""
    )
    offenders = [
        str(path.relative_to(PACKAGE))
        for path in MODULES
        if name.search(path.read_text(encoding="utf-8"))
    ]
    assert offenders == ["config/stages.py"]


def test_few_ask_of_which_kind_a_stage_is():
    """Whose number is what a new kind of stage costs."""
    kind = re.compile(r"isinstance\([^()]*Stage\b")
    found = {
        path.relative_to(PACKAGE).as_posix()
        for path in MODULES
        if kind.search(path.read_text(encoding="utf-8"))
    }
    assert found <= {"config/misfits.py", "models/chain.py", "models/networks.py"}


def test_no_module_is_longer_than_300_lines():
    lengths = {path: len(path.read_text("utf-8").splitlines()) for path in MODULES}
    too_long = [str(p.relative_to(ROOT)) for p, n in lengths.items() if n > 300]
    assert too_long == []


MOST_LINES = 60


def test_no_function_is_longer_than_60_lines():
    """Docstrings aside; those of public functions say much."""
    too_long = []
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            first = node.body[0]
            documented = ast.get_docstring(node) is not None
            described = (first.end_lineno or 0) - first.lineno + 1 if documented else 0
            lines = (node.end_lineno or 0) - node.lineno + 1 - described
            if lines > MOST_LINES:
                too_long.append(f"{path.relative_to(ROOT)}: {node.name}, {lines} lines")
    assert too_long == []


TEST_FILES = sorted((ROOT / "tests").rglob("*.py"))


def test_test_functions_have_no_types():
    typed = [
        f"{path.relative_to(ROOT)}: {node.name}"
        for path in TEST_FILES
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.FunctionDef)
        and (node.returns or any(a.annotation for a in node.args.args))
    ]
    assert typed == []


def test_no_file_of_tests_is_longer_than_500_lines():
    lengths = {path: len(path.read_text("utf-8").splitlines()) for path in TEST_FILES}
    assert {str(p.relative_to(ROOT)): n for p, n in lengths.items() if n > 500} == {}


def test_no_file_names_a_path_of_one_machine():
    if not (ROOT / ".git").exists():
        pytest.skip("only a git checkout knows which files are tracked")
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout
    machine = re.compile(rb"(?<![\w.])/(?:home|root|tmp|work|mnt|Users)/\w")
    paths = [ROOT / name.decode() for name in listed.split(b"\0") if name]
    offenders = [
        str(path.relative_to(ROOT))
        for path in paths
        if path.is_file() and machine.search(path.read_bytes())
    ]
    assert offenders == []


def test_version_is_the_same_everywhere():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert dlir_tf.__version__ == project["version"]


@pytest.mark.parametrize(
    "program",
    [
        "import dlir_tf",
        "import dlir_tf.registration",
        "from dlir_tf.cli import main; sys.argv = ['dlir-tf', '--help']; main()",
    ],
    ids=["import", "registration", "help"],
)
def test_tensorflow_is_imported_only_when_needed(program):
    """It takes seconds, which nobody wants to wait for a help text."""
    source = (
        f"import sys\ntry:\n    {program}\n"
        "except SystemExit as exit:\n    assert not exit.code, exit.code\n"
        "assert 'tensorflow' not in sys.modules, 'TensorFlow was imported'\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", source], cwd=ROOT, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr


def test_every_page_of_the_docs_is_in_the_navigation_of_the_site():
    """`nav` in mkdocs.yml says where on the site a page is to be found."""
    _, text = (ROOT / "mkdocs.yml").read_text("utf-8").split("\nnav:\n")
    nav = re.findall(r"^ +- (\S+\.md)$", text, re.MULTILINE)
    docs = ROOT / "docs"
    written = {path.relative_to(docs).as_posix() for path in docs.rglob("*.md")}
    missing = written - set(nav)
    assert missing == set(), "add these to `nav` in mkdocs.yml"
    assert len(nav) == len(set(nav))
    assert {page for page in nav if not page.startswith("project/")} == written
