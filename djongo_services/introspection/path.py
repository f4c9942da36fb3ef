"""Paths into documents, which are exact where a dotted string is ambiguous.

A path is a tuple of steps: the name of a field, :data:`ELEMENT` (any element of an array) or
:data:`KEY` (any key of a map, an object whose keys are data).
"""

from __future__ import annotations

import enum
import re
from typing import Final, Literal, TypeAlias


class Step(enum.Enum):
    """The two steps that match several values."""

    ELEMENT = "[]"
    KEY = "<key>"

    def __repr__(self) -> str:
        return self.name


ELEMENT: Final = Step.ELEMENT
KEY: Final = Step.KEY

Path: TypeAlias = tuple[str | Literal[Step.ELEMENT, Step.KEY], ...]

_SPECIAL = re.compile(r"[\\.]|\[\]|^<key>$")
_STEP = re.compile(
    r"(?P<element>\[\])"
    r"|(?P<dot>\.?)(?:(?P<key><key>(?=\.|\[\]|\Z))|(?P<name>(?:\\.|(?!\[\])[^\\.])+))",
    re.DOTALL,
)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


def render_path(path: Path) -> str:
    r"""``("tags", ELEMENT, "a.b", KEY)`` as ``tags[].a\.b.<key>``.

    A backslash precedes a dot, a backslash, ``[]`` or ``<key>`` that belongs to a name, and an
    empty name is ``\e``, so two paths never share one text.
    """
    text = ""
    for step in path:
        match step:
            case Step.ELEMENT:
                text += "[]"
            case Step.KEY:
                text += ".<key>" if text else "<key>"
            case name:
                name = _SPECIAL.sub(lambda match: "\\" + match.group(), name) or "\\e"
                text += f".{name}" if text else name
    return text


def parse_path(text: str) -> Path:
    """The path for which :func:`render_path` returns ``text``.

    Raises ValueError for any other text.
    """
    steps: list[str | Literal[Step.ELEMENT, Step.KEY]] = []
    at = 0
    while at < len(text) or not steps:
        found = _STEP.match(text, at)
        if found is None or (not found["element"] and (found["dot"] == ".") != bool(steps)):
            raise ValueError(f"Not the path of a field: {text!r}.")
        at = found.end()
        if found["element"]:
            steps.append(ELEMENT)
        elif found["key"]:
            steps.append(KEY)
        else:
            name = found["name"]
            steps.append("" if name == "\\e" else _ESCAPED.sub(r"\1", name))
    return tuple(steps)


def query_path(path: Path) -> str | None:
    """The dotted path by which a query, an index or a projection finds it.

    Elements of arrays are implied, as in MongoDB's own dot notation. None if no dotted path reaches
    it: below a map, or if a name is empty, contains a dot or begins with a dollar.
    """
    names: list[str] = []
    for step in path:
        match step:
            case Step.ELEMENT:
                continue
            case Step.KEY:
                return None
            case name:
                if not name or "." in name or name.startswith("$"):
                    return None
                names.append(name)
    return ".".join(names)
