"""The system checks: what the modules of checks list, and the messages in the code."""

from __future__ import annotations

import ast
import inspect
import re
from collections import defaultdict
from collections.abc import Iterator
from functools import cache

from djongo_services import checks
from tests.reference.markdown import GENERATED, converted, modules, table

HEAD = """# System checks

`manage.py check` runs them; those that ask a server run with `manage.py check --database ALIAS`,
and before `migrate`. An `E` is an error, a `W` a warning. `SILENCED_SYSTEM_CHECKS =
["djongo_services.W023"]` silences one.

"""
_ID = re.compile(r"(?:djongo_services\.)?([EWI]\d{3})")
_SERVICE = re.compile(r"djongo_services\.([EWI]\d{3})")


def page() -> str:
    said = messages()
    parts = [GENERATED, HEAD, table("Check", "Means", rows=_rows())]
    parts.append("\n## Messages\n\n`…` stands for a name or a value.\n")
    for number in sorted(described(), key=lambda one: one[1:]):
        if not said[number]:
            continue
        parts.append(f"\n### `djongo_services.{number}`\n\n")
        parts += [f"- {message}\n" for message in said[number]]
    return "".join(parts)


def described() -> dict[str, str]:
    """By number, from the table at the top of ``djongo_services.checks``."""
    text = inspect.cleandoc(checks.__doc__ or "")
    rows = re.findall(r"^``djongo_services\.([EW]\d{3})``\s+(.+)$", text, re.MULTILINE)
    return {number: converted(means) for number, means in rows}


def used() -> set[str]:
    """The numbers of all checks in the code, without docstrings."""
    return {number for _, number, _ in _strings()}


def messages() -> dict[str, list[str]]:
    """The sentences beside each number: those of the call that makes the message."""
    found: dict[str, list[str]] = defaultdict(list)
    for _, number, call in _strings():
        if call is None:
            continue
        for argument in call.args:
            text = _text(argument)
            if text and " " in text and text not in found[number]:
                found[number].append(text)
    return found


def _rows() -> Iterator[tuple[str, str]]:
    for number, means in sorted(described().items(), key=lambda item: item[0][1:]):
        yield f"`djongo_services.{number}`", means


@cache
def _strings() -> list[tuple[str, str, ast.Call | None]]:
    return list(_numbers())


def _numbers() -> Iterator[tuple[str, str, ast.Call | None]]:
    for module, tree in modules():
        exact = _ID if module.endswith("checks") else _SERVICE
        calls = {
            id(inner): node
            for node in ast.walk(tree)
            if isinstance(node, ast.Call)
            for inner in [*node.args, *(keyword.value for keyword in node.keywords)]
        }
        for node in ast.walk(tree):
            match node:
                case ast.Constant(value=str(text)) if found := exact.fullmatch(text):
                    yield module, found[1], calls.get(id(node))


def _text(node: ast.expr) -> str:
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=parts):
            return "".join(
                str(part.value) if isinstance(part, ast.Constant) else "…" for part in parts
            )
    return ""
