"""Every word of ours that a command shows is in the hands of translators, and is shown."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.admin import catalogues

PACKAGE = catalogues.PACKAGE
RENDERERS = (
    "drift/accepted.py",
    "drift/rendering/html.py",
    "drift/rendering/text.py",
    "drift/words.py",
    "durations.py",
    "error_messages.py",
    "introspection/json_values.py",
    "introspection/rendering/field_wording.py",
    "introspection/rendering/grid.py",
    "introspection/rendering/html.py",
    "introspection/rendering/text.py",
    "introspection/rendering/wording.py",
    "introspection/saved.py",
    "schema/migrating/syncing.py",
    "schema/migrating/waiting.py",
    "schema/rendering.py",
    "schema/reporting.py",
    "schema/target/models.py",
    "schema/undoing.py",
    "schema/wording.py",
    "storage/collector/kinds.py",
    "storage/collector/rendering.py",
    "storage/djongo/report.py",
)
"""What prints for commands, and refuses what a person asks of them."""
SHOWN = [
    *sorted((PACKAGE / "management").rglob("*.py")),
    *(PACKAGE / name for name in RENDERERS),
]
NOT_SHOWN = (
    # How Django begins its line, too.
    "CommandError: ",
    # Names: of a phase, an option, an argument, a setting, a topology, of styles of a terminal.
    "files and chunks",
    "--format accepted",
    "--mute: ",
    "older_than: ",
    '["INSPECTION"]["MUTE"]: ',
    "replica set",
    "bold red",
    "bold cyan",
    "not bold",
    "not bold dim",
    # How PyMongo and the server write their errors.
    "Sessions are not supported",
    r'execute command \{ (\w+): (?:"([^"]*)")?.*',
    ", Timeout: |, full error: ",
    r" \(configured timeouts: [^)]*\)",
    # A note of the comparison, which its JSON has, too.
    "The models are not considered: ",
    # The first line of those files, and a type.
    "# Accepted differences of inspectmongo: sign, kind, collection, subject, detail  # why\n",
    "tuple[Where, str | int] | None",
    # And how two sides differ, which files of accepted differences have, too.
    "in all ",
    "; the models ",
    "The models ",
    # And the name of a side in it.
    "the connection ",
    # Of generated models, which are English as Django's own are.
    "# Unable to inspect table '",
    "# The error was: There is no such collection.",
)
PAGES = sorted((PACKAGE / "templates" / "djongo_services").rglob("*.html"))
SHOWING = frozenset({"CommandError", "_trouble", "ask", "exit", "notice", "write"})
"""Functions whose arguments a person reads."""


@pytest.mark.parametrize("path", SHOWN, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_sentence_is_outside(path: Path) -> None:
    assert [text for text in catalogues.outside(path) if text not in NOT_SHOWN] == []


@pytest.mark.parametrize("path", SHOWN, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_word_is_shown_untranslated(path: Path) -> None:
    tree = ast.parse(path.read_text("utf-8"))
    words = [word for shown in _shown(tree) for word in _literals(shown)]
    assert [word for word in words if word not in NOT_SHOWN and re.search("[A-Za-z]", word)] == []


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_no_word_of_a_page_is_outside(path: Path) -> None:
    text = re.sub(r"(?s){%.*?%}|{{.*?}}|{#.*?#}", "", path.read_text("utf-8"))
    told = re.findall(r'\b(?:aria-label|data-side|placeholder|title)="([^"]*)"', text)
    told.append(re.sub(r"(?s)<[^>]*>|&\w+;", " ", text))
    assert [words for words in told if re.search(r"[A-Za-z]{2,}", words)] == []


def _shown(tree: ast.AST) -> Iterator[ast.expr]:
    """The expressions that are shown as they are: helps, errors, notices, prompts."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        yield from (each.value for each in node.keywords if each.arg == "help")
        name = getattr(node.func, "id", getattr(node.func, "attr", ""))
        if name in SHOWING:
            yield from node.args


def _literals(shown: ast.expr) -> Iterator[str]:
    """The texts that the expression is made of, other than calls and what is filled in."""
    match shown:
        case ast.Constant(value=str() as text):
            yield text
        case ast.JoinedStr(values=parts):
            for part in parts:
                yield from _literals(part)
        case ast.BinOp(left=text, op=ast.Mod()):
            yield from _literals(text)
        case ast.BinOp(left=first, right=second) | ast.IfExp(body=first, orelse=second):
            yield from _literals(first)
            yield from _literals(second)
