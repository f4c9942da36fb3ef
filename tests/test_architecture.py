"""docs/architecture.md names what exists, and the package keeps its own rules."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "djongo_services"
TEXT = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
FILES = re.findall(r"`([a-z_/]+\.(?:py|html))`", TEXT)
ROOMS = re.findall(r"`([a-z_/]+)/`", TEXT)
WALKS = [
    step
    for block in re.findall(r"^### .*?```\n(.*?)```", TEXT, re.DOTALL | re.MULTILINE)
    for step in re.findall(r"^ *([\w.]+)", block, re.MULTILINE)
]

LONGEST = 400
SAME_NAME = {"Command", "Meta", "Collection"}
"""Files that Django requires, and the admin's model beside the catalog's collection."""


def test_no_file_is_too_long() -> None:
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in modules()}
    assert [str(path) for path, length in lengths.items() if length > LONGEST] == []


def test_a_class_name_occurs_once() -> None:
    names = Counter(
        node.name
        for path in modules()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ClassDef) and node.name not in SAME_NAME
    )
    assert len(names) > 100
    assert [name for name, count in names.items() if count > 1] == []


def test_hooks_run_what_make_lint_runs() -> None:
    (recipe,) = re.findall(r"^lint:.*\n((?:\t.*\n)+)", read("Makefile"), re.MULTILINE)
    hooks = re.findall(r"^ *entry: (.*)$", read(".pre-commit-config.yaml"), re.MULTILINE)
    assert hooks == [line.strip().replace("$(BIN)", ".venv/bin") for line in recipe.splitlines()]


@pytest.mark.parametrize("name", sorted(set(FILES)))
def test_a_file_exists(name: str) -> None:
    assert (PACKAGE / name).exists()


@pytest.mark.parametrize("name", sorted(set(ROOMS)))
def test_a_room_exists(name: str) -> None:
    assert any(path.is_dir() for path in PACKAGE.rglob(name))


@pytest.mark.parametrize("step", sorted(set(WALKS)))
def test_a_step_of_a_walk_exists(step: str) -> None:
    parts = step.split(".")
    depth = next(n for n in range(len(parts), 0, -1) if module_of(parts[:n]) is not None)
    module = module_of(parts[:depth])
    assert module is not None
    body = ast.parse(module.read_text(encoding="utf-8")).body
    for part in parts[depth:]:
        found = [node for node in body if part in names_of(node)]
        assert found, f"{module.relative_to(ROOT)} has no {part}"
        body = getattr(found[0], "body", [])
    assert parts[depth:], f"{step} is a module"


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def modules() -> Iterator[Path]:
    return PACKAGE.rglob("*.py")


def module_of(parts: list[str]) -> Path | None:
    path = PACKAGE.joinpath(*parts)
    candidates = (path.with_suffix(".py"), path / "__init__.py")
    return next((each for each in candidates if each.is_file()), None)


def names_of(node: ast.stmt) -> set[str]:
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            return {node.name}
        case ast.AnnAssign(target=ast.Name(id=name)):
            return {name}
        case ast.Assign():
            return {target.id for target in node.targets if isinstance(target, ast.Name)}
    return set()
