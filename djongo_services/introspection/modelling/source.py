"""A module's declarations as Python source, formatted as ruff and black would."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator

from djongo_services.index_kinds import KINDS
from djongo_services.introspection.modelling.declarations import (
    Call,
    ClassDeclaration,
    ClassReference,
    Dictionary,
    Module,
    Value,
)
from djongo_services.introspection.modelling.types import FIELD_TYPES

WIDTH = 100
INDENT = "    "

_BACKEND_FIELDS = ("ObjectIdAutoField", "ObjectIdField")
_DOCUMENT_FIELDS = ("ArrayField", "EmbeddedModelArrayField", "EmbeddedModelField")
_INDEXES = (
    *(kind.declared_by for kind in KINDS.values() if kind.declared_by),
    *("MongoIndex", "SparseIndex", "TTLIndex", "UniqueIndex"),
)
_IMPORTED: dict[str, str] = {
    **dict.fromkeys(_BACKEND_FIELDS, "django_mongodb_backend.fields"),
    **dict.fromkeys(_DOCUMENT_FIELDS, "djongo_services.documentfields"),
    **dict.fromkeys(_INDEXES, "djongo_services.indexes"),
    "EmbeddedModel": "django_mongodb_backend.models",
    "BSONField": "djongo_services.modelfields",
    "BSONObjectIdField": "djongo_services.objectids",
    "Decimal128Field": "djongo_services.modelfields",
    **dict.fromkeys(("collection_options", "TimeSeries"), "djongo_services.schema.options"),
}
_DJANGO = ("ForeignKey", "Index", "OneToOneField", "Q", "UniqueConstraint")
FUNCTIONS: frozenset[str] = frozenset(
    {f"models.{name}" for name in _DJANGO} | set(FIELD_TYPES) | set(_IMPORTED)
)
"""All functions that a generated module may call."""
CONSTANTS: frozenset[str] = frozenset({"models.DO_NOTHING"})
IMPORTED_NAMES: frozenset[str] = frozenset(_IMPORTED) | {"models"}
"""Names that a generated class must not take."""


def render_source(module: Module) -> str:
    """The module's text; every name and value in it is a literal, an identifier or a comment.

    Raises ValueError for a call of anything except :data:`FUNCTIONS`, TypeError for a value that is
    not a plain literal.
    """
    blocks = ["\n".join(_docstring(module.header)), "\n".join(_imports(module))]
    classes = ["\n".join(_class(declaration)) for declaration in module.classes]
    return "\n\n\n".join(["\n\n".join(blocks), *classes]) + "\n"


def render_meta(declaration: ClassDeclaration) -> str:
    """The indexes and constraints alone, with the imports that they need, for pasting."""
    module = Module(header=(), classes=(declaration,))
    lines = [f"{INDENT}{line}" for line in _indexes(declaration)]
    body = "\n".join(["class Meta:", *lines])
    return "\n".join(_imports(module)) + f"\n\n\n{body}\n"


def literal(value: bool | int | str | None) -> str:
    """``value`` as Python text, in double quotes if that needs no escapes.

    Characters that do not print, or that change the direction of text, are escaped.
    """
    match value:
        case None | bool():
            return repr(value)
        case int():
            return repr(int(value))
        case str():
            text = repr(str(value))
            return text if '"' in value or text[0] == '"' else f'"{text[1:-1]}"'
        case _:
            raise TypeError(f"A generated module cannot contain a {type(value).__name__}.")


def visible(text: str) -> str:
    """``text`` on one line, with every unprintable character escaped."""
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode("ascii")
        for letter in text
    )


def _docstring(paragraphs: Iterable[str]) -> Iterator[str]:
    lines: list[str] = []
    for paragraph in paragraphs:
        if lines:
            lines.append("")
        safe = visible(paragraph).replace("\\", "\\\\").replace('"', '\\"')
        lines.extend(_wrapped(safe, WIDTH - 3))
    yield f'"""{lines[0]}'
    yield from lines[1:]
    yield '"""'


def _imports(module: Module) -> Iterator[str]:
    names: dict[str, set[str]] = defaultdict(set)
    for declaration in module.classes:
        for name in {declaration.base, *_functions(declaration)}:
            if origin := _IMPORTED.get(name):
                names[origin].add(name)
    yield "from django.db import models"
    for origin in sorted(names):
        line = f"from {origin} import {', '.join(sorted(names[origin]))}"
        if len(line) <= WIDTH:
            yield line
        else:
            yield f"from {origin} import ("
            yield from (f"{INDENT}{name}," for name in sorted(names[origin]))
            yield ")"


def _functions(declaration: ClassDeclaration) -> Iterator[str]:
    pending: list[Value] = [
        *declaration.decorators,
        *(found.call for found in declaration.fields),
        *declaration.indexes,
        *declaration.constraints,
    ]
    while pending:
        match pending.pop():
            case Call() as call:
                yield call.function
                pending.extend(call.args)
                pending.extend(value for _, value in call.kwargs)


def _class(declaration: ClassDeclaration) -> Iterator[str]:
    yield from _comments(declaration.comments, "")
    for decorator in declaration.decorators:
        yield f"@{_expression(decorator, 0, 1)}"
    yield f"class {declaration.name}({declaration.base}):"
    for found in declaration.fields:
        yield from _comments(found.comments, INDENT)
        yield f"{INDENT}{found.name} = {_expression(found.call, 1, len(found.name) + 3)}"
    yield from _comments(declaration.remarks, INDENT)
    yield ""
    yield f"{INDENT}class Meta:"
    yield from (f"{INDENT * 2}{line}" for line in _meta(declaration))
    if declaration.text is not None:
        yield ""
        yield f"{INDENT}def __str__(self):"
        shown = f"self.{_identifier(declaration.text.name)}"
        may_be_empty = "blank" in dict(declaration.text.call.kwargs)
        yield f"{INDENT * 2}return {shown}{' or str(self.pk)' if may_be_empty else ''}"


def _identifier(name: str) -> str:
    if not name.isidentifier():
        raise ValueError(f"{name!r} is not the name of a field.")
    return name


def _meta(declaration: ClassDeclaration) -> Iterator[str]:
    yield "managed = False"
    if declaration.db_table is not None:
        yield f"db_table = {literal(declaration.db_table)}"
    if declaration.verbose_name_plural is not None:
        yield f"verbose_name_plural = {literal(declaration.verbose_name_plural)}"
    yield from _indexes(declaration)


def _indexes(declaration: ClassDeclaration) -> Iterator[str]:
    for option, calls in (
        ("indexes", declaration.indexes),
        ("constraints", declaration.constraints),
    ):
        if calls:
            yield f"{option} = ["
            yield from (f"{INDENT}{_expression(call, 3, 1)}," for call in calls)
            yield "]"
    yield from _comments(declaration.index_remarks, "", indent_width=8)


def _comments(lines: Iterable[str], indent: str, indent_width: int = 0) -> Iterator[str]:
    for line in lines:
        width = WIDTH - 2 - len(indent) - indent_width
        yield from (f"{indent}# {part}" for part in _wrapped(visible(line), width))


def _wrapped(text: str, width: int) -> list[str]:
    """``text`` split at spaces into lines of ``width``; a longer word is not split."""
    lines = [""]
    for word in text.split(" "):
        if lines[-1] and len(lines[-1]) + 1 + len(word) > width:
            lines.append(word)
        else:
            lines[-1] = f"{lines[-1]} {word}" if lines[-1] else word
    return lines


def _expression(value: Value, depth: int, used: float) -> str:
    """``value`` on one line if it fits after ``used`` columns, otherwise one item per line."""
    opening, items, closing = _parts(value)
    if not items:
        return opening + closing
    flat = opening + ", ".join(prefix + _expression(item, 0, -math.inf) for prefix, item in items)
    flat += ",)" if isinstance(value, tuple) and len(items) == 1 else closing
    if depth * len(INDENT) + used + len(flat) <= WIDTH:
        return flat
    inner = INDENT * (depth + 1)
    lines = [
        f"{inner}{prefix}{_expression(item, depth + 1, len(prefix) + 1)}," for prefix, item in items
    ]
    return "\n".join([opening, *lines, INDENT * depth + closing])


def _parts(value: Value) -> tuple[str, list[tuple[str, Value]], str]:
    """The opening of the value, its items with their prefixes, and its closing."""
    match value:
        case Call():
            if value.function not in FUNCTIONS:
                raise ValueError(f"A generated module does not call {value.function}.")
            items: list[tuple[str, Value]] = [("", argument) for argument in value.args]
            items += [(f"{name}=", argument) for name, argument in value.kwargs]
            return f"{value.function}(", items, ")"
        case ClassReference():
            if value.name not in CONSTANTS and not value.name.isidentifier():
                raise ValueError(f"{value.name!r} is not the name of a class.")
            return value.name, [], ""
        case tuple():
            return "(", [("", item) for item in value], ")"
        case list():
            return "[", [("", item) for item in value], "]"
        case Dictionary():
            return "{", [(f"{literal(key)}: ", item) for key, item in value.items], "}"
        case _:
            return literal(value), [], ""
