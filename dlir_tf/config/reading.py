"""Configs as YAML: files and presets, with messages that name the place."""

from importlib import resources
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from dlir_tf.config.plain_yaml import dump_yaml, load_yaml
from dlir_tf.config.schema import PER_AXIS, Config
from dlir_tf.config.stages import TRANSFORMS
from dlir_tf.errors import InputError, first_few


def parse_config(text: str, source: str) -> Config:
    """Parses YAML.

    Args:
        text: The YAML.
        source: Its name for error messages.

    Raises:
        InputError: If it isn't YAML, or something in it is unknown or wrong by
            itself, or else if its parts don't fit together; the message names
            each place, one a line.
    """
    try:
        data = load_yaml(text)
    except ValueError as error:
        raise InputError(f"{source}{error}") from error
    if not isinstance(data, dict):
        raise InputError(
            f"{source}: expected a mapping with the keys ndim, spacing, stages …; "
            f"received {type(data).__name__}"
        )
    try:
        return Config.model_validate(data)
    except ValidationError as error:
        problems = _causes(error.errors())
        lines = [line for p in problems for line in _describe(source, p)]
        raise InputError(first_few(lines, source)) from error


def _causes(problems: list[Any]) -> list[Any]:
    """Leaves out problems that only follow from others.

    Without a valid `ndim`, no number can stand for all axes; a faulty stage doesn't
    count, which may leave too few.
    """
    wrong_ndim = [p for p in problems if p["loc"] == ("ndim",)]
    if wrong_ndim:
        return wrong_ndim
    nested = {p["loc"][:1] for p in problems if len(p["loc"]) > 1}
    return [p for p in problems if p["type"] != "too_short" or p["loc"] not in nested]


# More than a person would read in an error message.
_LONGEST_VALUE = 200

# Where pydantic's own words speak of Python.
_MESSAGES = {
    "extra_forbidden": "unknown key; `dlir-tf info --preset demo` shows the known ones",
    "missing": "is missing",
    "model_attributes_type": "must be a mapping",
    "model_type": "must be a mapping",
    "too_long": "must have at most {max_length} values",
    "too_short": "must have at least {min_length}",
    "tuple_type": "must be a list",
}


def _describe(source: str, problem: Any) -> list[str]:
    place, inside_stages = "", False
    for part in problem["loc"]:
        if isinstance(part, int):
            place += f"[{part}]"
        elif not (inside_stages and part in TRANSFORMS):
            place += f".{part}" if place else str(part)
        inside_stages = isinstance(part, int)
    kind, message = problem["type"], str(problem["msg"])
    message = message.removeprefix("Value error, ").replace("Input should", "must")
    if kind in _MESSAGES:
        message = _MESSAGES[kind].format(**problem.get("ctx", {}))
    if kind == "tuple_type" and problem["loc"][-1] in PER_AXIS:
        message = "must be a number, or a list of one per axis"
    if kind in ("union_tag_not_found", "union_tag_invalid"):
        found = problem.get("ctx", {}).get("tag", "nothing")
        place += ".transform"
        message = f"must be {_one_of(TRANSFORMS)}. Received: {found}"
    elif kind not in ("value_error", "missing", "extra_forbidden"):
        message += f". Received: {_shortened(problem['input'])}"
    if not place:  # parts that don't fit together: each line names its own
        return [f"{source}, {line}" for line in message.splitlines()]
    return [f"{source}, {place}: {message}"]


def _one_of(names: tuple[str, ...]) -> str:
    return f"{', '.join(names[:-1])} or {names[-1]}"


def _shortened(value: Any) -> str:
    """A value as a message shows it."""
    text = repr(value)
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]} …"


def read_config(path: Path) -> Config:
    """Reads a config file.

    Args:
        path: A YAML file.

    Raises:
        InputError: If it can't be read, or as in `parse_config`.
    """
    if not Path(path).exists():
        hint = ""
        if str(path) in preset_names():
            hint = f"; {path} is a preset, for --preset or load_config"
        raise InputError(f"no such config file{hint}", place=path)
    if not Path(path).is_file():
        raise InputError("can't be read as a config: it isn't a plain file", place=path)
    try:
        text = Path(path).read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InputError(
            "can't be read as a config: it isn't text in UTF-8; give a YAML file",
            place=path,
        ) from error
    except OSError as error:
        raise InputError(f"can't be read as a config: {error}", place=path) from error
    return parse_config(text, str(path))


def dump_config(config: Config) -> str:
    """Returns the config as YAML that `parse_config` reads back to an equal one."""
    return dump_yaml(config.model_dump(mode="json"))


def preset_names() -> list[str]:
    """The names of the configs that come with the package."""
    folder = resources.files("dlir_tf.config") / "presets"
    return sorted(
        entry.name.removesuffix(".yaml")
        for entry in folder.iterdir()
        if entry.name.endswith(".yaml")
    )


def preset_text(name: str) -> str:
    """Returns a preset's YAML, comments and all.

    Raises:
        InputError: If there is no preset of this name.
    """
    if name not in preset_names():
        hint = "; a file is printed by --config" if Path(name).is_file() else ""
        raise InputError(
            f"no preset is called {name!r}; there are: {', '.join(preset_names())}"
            f"{hint}"
        )
    file = resources.files("dlir_tf.config") / "presets" / f"{name}.yaml"
    return file.read_text(encoding="utf-8")


def load_config(name_or_path: str | Path) -> Config:
    """Loads a preset or a config file.

    Args:
        name_or_path: A preset's name (see `preset_names`), or a YAML file.

    Raises:
        InputError: If it is neither, or as in `parse_config`.

    Example:

    >>> load_config("demo").spacing
    (1.8, 1.8, None)
    """
    name = str(name_or_path)
    if name in preset_names():
        return parse_config(preset_text(name), f"preset {name}")
    if not Path(name).exists():
        raise InputError(
            f"{name}: neither a file nor a preset ({', '.join(preset_names())})"
        )
    return read_config(Path(name))
