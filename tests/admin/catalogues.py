"""The messages that the package passes to gettext, and those in its catalogues, without gettext's
tools."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from django.utils.translation.template import templatize

import djongo_services

PACKAGE = Path(djongo_services.__file__).parent
SINGULAR = frozenset({"_", "gettext", "gettext_lazy", "gettext_noop"})
PLURAL = frozenset({"ngettext", "ngettext_lazy"})

Key = tuple[str, str, str]
"""Context, singular and plural of a message; empty where it has none."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """A message of a catalogue."""

    key: Key
    texts: tuple[str, ...]
    is_fuzzy: bool


def calls(tree: ast.AST) -> Iterator[ast.Call]:
    """The calls of gettext in a module."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            name = node.func.id
            if name in SINGULAR or name in PLURAL or name in {"pgettext", "npgettext"}:
                yield node


def outside(path: Path) -> list[str]:
    """The sentences of a module that no translator gets to see."""
    tree = ast.parse(path.read_text("utf-8"))
    passed = {id(node) for call in calls(tree) for node in ast.walk(call)}
    passed |= {id(node) for call in _logged(tree) for node in ast.walk(call)}
    passed |= {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    texts = [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in passed
    ]
    words = {text: re.sub(r"<[^>]*>", "", text) for text in texts}  # tags are not read
    return [text for text in words if re.search(r"[A-Za-z]{2}[,;:]? [a-zA-Z]", words[text])]


def _logged(tree: ast.AST) -> Iterator[ast.Call]:
    """What goes to the site's log is English."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id="logger"))):
                yield node


def asked() -> dict[Key, str]:
    """Every message of the package's code and templates, and one file that it is in."""
    found: dict[Key, str] = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        for key in _in_code(path.read_text("utf-8")):
            found.setdefault(key, path.name)
    for path in sorted(PACKAGE.rglob("*.html")):
        for key in _in_code(_as_code(path)):
            found.setdefault(key, path.name)
    return found


def _in_code(source: str) -> Iterator[Key]:
    for call in calls(ast.parse(source)):
        assert isinstance(call.func, ast.Name)
        name, values = call.func.id, [_literal(each) for each in call.args]
        context = values.pop(0) if name in {"pgettext", "npgettext"} else ""
        plural = values[1] if name in PLURAL or name == "npgettext" else ""
        if values[0]:  # What is no literal here, gettext_noop has marked elsewhere.
            yield context, values[0], plural


def _literal(node: ast.expr) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def _as_code(path: Path) -> str:
    """The calls that Django's makemessages makes of a template."""
    text = templatize(path.read_text("utf-8"), origin=path.name)
    return "\n".join(found[0] for found in _CALL.finditer(text))


_CALL = re.compile(
    r"""n?p?gettext\( (?: u?'(?:[^'\\]|\\.)*' | u?"(?:[^"\\]|\\.)*" | count | ,\s )+ \)""",
    re.VERBOSE,
)


def entries(language: str) -> list[Entry]:
    """The messages of a language's django.po, without its header."""
    path = PACKAGE / "locale" / language / "LC_MESSAGES" / "django.po"
    blocks = path.read_text("utf-8").split("\n\n")
    return [_entry(block) for block in blocks[1:]]


def _entry(block: str) -> Entry:
    values: dict[str, str] = {}
    name = ""
    for line in block.splitlines():
        if match := re.match(r"(msg\w+(?:\[\d\])?) (\".*\")$", line):
            name = match[1]
            values[name] = ast.literal_eval(match[2])
        elif line.startswith('"'):
            values[name] += ast.literal_eval(line)
    key = (values.get("msgctxt", ""), values["msgid"], values.get("msgid_plural", ""))
    texts = tuple(text for name, text in values.items() if name.startswith("msgstr"))
    return Entry(key=key, texts=texts, is_fuzzy="#, fuzzy" in block)
