"""A validator made readable: its schema as rows of fields, what else it asks as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from djongo_services.admin.fields import DEEPEST, indented
from djongo_services.introspection.rendering.printable import printable
from djongo_services.introspection.rendering.values import document_text, shortened, value_text

MOST = 1_000
_LONGEST = 120
_MOST_LEVELS = 32
_SAID = frozenset(
    {
        "bsonType",
        "type",
        "properties",
        "required",
        "items",
        "patternProperties",
        "additionalProperties",
        "title",
        "description",
    }
)
"""Keywords that rows and columns stand for."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """Of one field."""

    indent: range
    label: str
    is_required: bool
    types: str
    rules: tuple[str, ...]
    description: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Rules:
    fields: tuple[Rule, ...]
    is_cut: bool
    """Whether there are more fields than a page shows."""
    others: tuple[str, ...]
    """Conditions beside the schemas, as JSON; a check of a model by its name."""


def readable_rules(query: Mapping[str, Any], checks: Mapping[str, Mapping[str, Any]]) -> Rules:
    """``checks``: by name, the parts of the query that are constraints of a model."""
    fields: list[Rule] = []
    others: list[str] = []
    for clause in _clauses(query):
        if set(clause) == {"$jsonSchema"}:
            fields += _object(clause["$jsonSchema"], 0)
        else:
            others.append(_condition(clause, checks))
    return Rules(fields=tuple(fields[:MOST]), is_cut=len(fields) > MOST, others=tuple(others))


def _clauses(query: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """What every document has to satisfy, one by one."""
    for name, value in query.items():
        if name == "$and" and isinstance(value, list):
            for clause in value:
                yield from _clauses(clause)
        else:
            yield {name: value}


def _condition(clause: Mapping[str, Any], checks: Mapping[str, Mapping[str, Any]]) -> str:
    text = shortened(document_text(clause), 2_000)
    name = next((name for name, check in checks.items() if check == clause), None)
    return text if name is None else f"{printable(name)}: {text}"


def _object(schema: Mapping[str, Any], depth: int) -> Iterator[Rule]:
    required = schema.get("required", ())
    properties = schema.get("properties", {})
    for name, below in properties.items():
        yield from _field(name, below, name in required, depth)
    for name in required:
        if name not in properties:
            yield from _field(name, {}, True, depth)
    for pattern, below in schema.get("patternProperties", {}).items():
        yield from _field(f"/{pattern}/", below, False, depth)
    more = schema.get("additionalProperties", True)
    if isinstance(more, Mapping):
        yield from _field(_("every other field"), more, False, depth)
    elif more is False:
        yield _row(_("no other field"), {}, False, depth)


def _field(name: str, schema: Mapping[str, Any], required: bool, depth: int) -> Iterator[Rule]:
    yield _row(name, schema, required, depth)
    if depth < _MOST_LEVELS:
        yield from _object(schema, depth + 1)
        items = schema.get("items")
        if isinstance(items, Mapping):
            yield from _field("[]", items, False, depth + 1)


def _row(name: str, schema: Mapping[str, Any], required: bool, depth: int) -> Rule:
    return Rule(
        indent=range(min(depth, DEEPEST)),
        label=indented(shortened(printable(name), _LONGEST), depth),
        is_required=required,
        types=_types(schema),
        rules=tuple(_keywords(schema)),
        description=shortened(printable(str(schema.get("description", ""))), 4 * _LONGEST),
    )


def _types(schema: Mapping[str, Any]) -> str:
    said = schema.get("bsonType", schema.get("type", ()))
    names = [said] if isinstance(said, str) else list(said)
    return shortened(", ".join(printable(str(name)) for name in names), _LONGEST)


def _keywords(schema: Mapping[str, Any]) -> Iterator[str]:
    for name, value in schema.items():
        if name in _SAID and not (name == "items" and not isinstance(value, Mapping)):
            continue
        if name == "enum" and isinstance(value, list):
            yield "enum: " + shortened(", ".join(value_text(one) for one in value), 4 * _LONGEST)
        else:
            yield f"{printable(name)}: {value_text(value, 2 * _LONGEST)}"
