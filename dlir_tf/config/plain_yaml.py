"""YAML as configs need it: plain, bounded, and read the same way back.

YAML can say much more than a config has to say, and some of it is dangerous: aliases
that make gigabytes of some hundred bytes, nesting that exhausts the stack, numbers
of a million digits. All of that is refused before anything is made of it.
"""

import re
from typing import Any

import yaml

# The longest preset has 3 kB. Deeper or larger than this is no config.
MOST_CHARACTERS = 1_000_000
DEEPEST = 20
MOST_DIGITS = 50


class _Loader(yaml.SafeLoader):
    """Takes `1e-3` for a number, as YAML 1.2 does; YAML 1.1 wants a point in it."""

    depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        """Composes a node, unless it is an alias, too deep or too long a number."""
        if self.check_event(yaml.AliasEvent):
            self._refuse("aliases (*name) aren't allowed; write the value out")
        self.depth += 1
        if self.depth > DEEPEST:
            self._refuse(f"nested more than {DEEPEST} levels deep; flatten it")
        node: Any = super().compose_node(parent, index)
        self.depth -= 1
        if _is_number(node) and len(node.value) > MOST_DIGITS:
            self._refuse(f"a number has more than {MOST_DIGITS} digits; shorten it")
        return node

    def _refuse(self, problem: str) -> None:
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        raise yaml.MarkedYAMLError(problem=problem, problem_mark=event.start_mark)


class _Dumper(yaml.SafeDumper):
    """Quotes texts that `_Loader` would take for numbers."""


def _is_number(node: Any) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.tag in _NUMBERS


_NUMBERS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")

for _class in (_Loader, _Dumper):
    _class.add_implicit_resolver(
        "tag:yaml.org,2002:float",
        re.compile(r"[-+]?[0-9]+[eE][-+]?[0-9]+$"),
        list("-+0123456789"),
    )


def load_yaml(text: str) -> Any:
    """Parses YAML: mappings, lists, texts, numbers and the like.

    Raises:
        ValueError: If it isn't YAML, or says what no config has to; the message begins
            with the line, where that is known.
    """
    if len(text) > MOST_CHARACTERS:
        raise ValueError(
            f": must have at most {MOST_CHARACTERS:,} characters, but has "
            f"{len(text):,}; is it a config?"
        )
    try:
        return yaml.load(text, _Loader)  # noqa: S506, it is a SafeLoader
    except yaml.YAMLError as error:
        place = getattr(error, "problem_mark", None)
        line = f", line {place.line + 1}" if place is not None else ""
        problem = getattr(error, "problem", None) or "it can't be parsed"
        raise ValueError(f"{line}: not valid YAML: {problem}") from error
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        # What PyYAML makes of dates that don't exist and of values of odd types.
        raise ValueError(
            f": not valid YAML: a value in it can't be read ({error}); put texts in "
            "quotes"
        ) from error


def dump_yaml(data: Any) -> str:
    """Returns YAML that `load_yaml` reads back to equal data."""
    text: str = yaml.dump(
        data, Dumper=_Dumper, sort_keys=False, default_flow_style=None
    )
    return text
