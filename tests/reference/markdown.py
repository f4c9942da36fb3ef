"""Docstrings, which are reStructuredText, as Markdown."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterable, Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path
from types import ModuleType

import djongo_services

GENERATED = "<!-- Generated from the code by `make reference`. -->\n"
PACKAGE = Path(djongo_services.__file__).parent


def converted(text: str) -> str:
    text = re.sub(r":\w+:`~?(?:[\w.]+\.)?(\w+)`", r"`\1`", text)
    text = re.sub(r"``(.+?)``", r"`\1`", text, flags=re.DOTALL)
    return re.sub(r"`([^`\n]*)\n\s*([^`\n]*)`", r"`\1 \2`", text)


def paragraphs(text: str | None) -> list[str]:
    """The paragraphs without examples and tables, which are documented elsewhere."""
    found = re.split(r"\n\s*\n", inspect.cleandoc(text or ""))
    return [
        converted(" ".join(one.split()))
        for one in found
        if one and not one.startswith((">>>", "===", "    ")) and not one.endswith("::")
    ]


def cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def table(*heads: str, rows: Iterable[Iterable[str]]) -> str:
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    lines += ["| " + " | ".join(map(cell, row)) + " |" for row in rows]
    return "\n".join(lines) + "\n"


@cache
def modules() -> list[tuple[str, ast.Module]]:
    """The name and the code of each module of the package."""
    return list(_modules())


def _modules() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        name = ".".join(parts).removesuffix(".__init__")
        yield name, ast.parse(path.read_text(encoding="utf-8"))


def attribute_docs(body: list[ast.stmt]) -> dict[str, str]:
    """The string after an assignment, by the name that is assigned."""
    found = {}
    for node, after in pairwise(body):
        name = _assigned(node)
        match after:
            case ast.Expr(value=ast.Constant(value=str(text))) if name:
                found[name] = text
    return found


def class_attribute_docs(module: ModuleType, name: str) -> dict[str, str]:
    tree = ast.parse(inspect.getsource(module))
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and node.name == name:
            return attribute_docs(node.body)
    raise AssertionError(name)


def _assigned(node: ast.stmt) -> str | None:
    match node:
        case ast.AnnAssign(target=ast.Name(id=name)) | ast.Assign(targets=[ast.Name(id=name)]):
            return name
    return None
