"""docs/reference has everything that is public, and says what the code says."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from djongo_services.storage.djongo import MovedBucket, MoveReport, NotMoved
from tests.conftest import ROOT
from tests.reference import FOLDER, checks, commands, python, settings
from tests.reference.markdown import PACKAGE, modules

JSON_PAGES = {
    "gridfs_gc": "gridfs_gc-json.md",
    "inspectmongo": "inspectmongo-json.md",
    "move_djongo_files": "files.md",
    "syncmongoschema": "syncmongoschema-json.md",
}
"""Tests beside each command compare the keys with a document of it."""


def read(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")


def test_the_pages_are_those_of_the_code(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "tests.reference", str(tmp_path)],
        cwd=ROOT,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "tests.admin.settings_sql"},
        check=True,
    )
    made = {path.name: path.read_text("utf-8") for path in tmp_path.glob("*.md")}
    kept = {path.name: path.read_text("utf-8") for path in FOLDER.glob("*.md")}
    assert made == kept, "run make reference"


@pytest.mark.parametrize("name", commands.commands())
def test_a_command_is_documented(name: str) -> None:
    section = read("commands.md").split(f"## `{name}`\n")[1].split("\n## ")[0]
    for action in commands.options(name):
        assert all(f"`{option}" in section for option in action.option_strings), action
        if not action.option_strings:
            assert f"`{action.metavar or action.dest.upper()}" in section


@pytest.mark.parametrize(
    ("name", "line"),
    [(name, line) for name, lines in commands.EXAMPLES.items() for line, _ in lines],
)
def test_an_example_can_be_parsed(name: str, line: str) -> None:
    assert line.split()[0] == name
    assert commands.parser(name).parse_args(commands.example_arguments(line))


def test_every_setting_is_documented() -> None:
    found = settings.keys()
    assert len(found) > 40
    text = read("settings.md")
    assert {key for key in found if f"`{key}`" not in text} == set()


def test_every_check_is_documented() -> None:
    assert checks.used() == set(checks.described())
    text = read("checks.md")
    assert {
        number for number in checks.used() if f"`djongo_services.{number}`" not in text
    } == set()


def test_every_public_name_is_documented() -> None:
    with_all = {
        name
        for name, tree in modules()
        if any(
            isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
            for node in tree.body
        )
    }
    assert with_all == {
        name for name in with_all if name in python.PUBLIC or name in python.INTERNAL
    }
    text = read("python.md")
    for name, listed in python.PUBLIC.items():
        section = text.split(f"## `{name}`\n")[1].split("\n## ")[0]
        for public in listed or exported(name):
            assert f"- **`{public}" in section, f"{name}.{public}"


def test_every_exception_is_documented() -> None:
    """Those of the package's own tree of exceptions, found by the names of their bases."""
    ours = {"DjongoServicesError"}
    bases = {
        node.name: {ast.unparse(base) for base in node.bases}
        for _, tree in modules()
        for node in tree.body
        if isinstance(node, ast.ClassDef)
    }
    while more := {name for name, found in bases.items() if found & ours} - ours:
        ours |= more
    assert len(ours) > 20
    documented = set(re.findall(r"^\| `[\w.]+\.(\w+)`", read("exceptions.md"), re.MULTILINE))
    assert documented == {name for name in ours if not name.startswith("_")}


def test_every_signal_is_documented() -> None:
    text = read("signals.md")
    found = re.findall(
        r"^(\w+) = Signal\(\)\n\"\"\"",
        "\n".join(path.read_text("utf-8") for path in PACKAGE.rglob("*.py")),
        re.MULTILINE,
    )
    assert len(found) >= 4
    assert {name for name in found if f".{name}`" not in text} <= {"client_made"}


def test_every_command_with_json_has_a_page_of_its_keys() -> None:
    formats = {
        name: action.choices
        for name in commands.commands()
        for action in commands.options(name)
        if "--format" in action.option_strings
    }
    with_json = {name for name, choices in formats.items() if "json" in (choices or ())}
    assert with_json == set(JSON_PAGES)
    for page in JSON_PAGES.values():
        text = (ROOT / "docs" / page).read_text("utf-8")
        assert "format_version" in text


def test_every_key_of_moved_files_is_documented() -> None:
    text = (ROOT / "docs" / "files.md").read_text("utf-8").split("## From djongo")[1]
    keys = {one.name for cls in (MoveReport, MovedBucket, NotMoved) for one in fields(cls)}
    assert {key for key in keys if f"`{key}" not in text} == set()


def exported(name: str) -> list[str]:
    path = PACKAGE.parent / Path(*name.split("."))
    source = path.with_suffix(".py") if path.with_suffix(".py").exists() else path / "__init__.py"
    for node in ast.parse(source.read_text("utf-8")).body:
        match node:
            case ast.Assign(targets=[ast.Name(id="__all__")], value=value):
                return list(ast.literal_eval(value))
    return []
