"""A report as a Mermaid entity relationship diagram: collections, their fields, references.

Mermaid's grammar knows names of ASCII letters, digits and underscores, and quoted text without
quotes, percent signs or backslashes. Names that are anything else get a valid and unique stand-in;
the original is shown as the entity's alias or the attribute's comment, in which the characters
that mean something to Mermaid or HTML become their full-width twins.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from djongo_services.formatting import printable
from djongo_services.introspection.path import Step, render_path
from djongo_services.introspection.report import CollectionReport, Field, Reference, Report

_INDENT = "    "
_FULL_WIDTH = {ord(character): ord(character) + 0xFEE0 for character in '"%\\<>&#;`{}'}
_ENTITY = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_ATTRIBUTE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NOT_ENTITIES = frozenset(
    {"accdescr", "acctitle", "bt", "class", "classdef", "click", "direction", "end", "erdiagram"}
    | {"lr", "many", "one", "only", "optionally", "rl", "style", "subgraph", "tb", "td", "title"}
    | {"to", "u", "zero"}
)
"""Words that some version of Mermaid's lexer takes for its own, in lower case."""
_NOT_ATTRIBUTES = frozenset({"pk", "fk", "uk"})


def render_mermaid(report: Report) -> str:
    """An ``erDiagram``; a comment says so where there is nothing to draw."""
    targets = [found.target for each in report.collections for found in each.references]
    names = [each.collection.name for each in report.collections]
    entities = _unique([*names, *targets], _ENTITY, _NOT_ENTITIES)
    lines = ["erDiagram"]
    if report.stopped:
        lines.append(f"{_INDENT}%% partial: {_quotable(report.stopped)}")
    if not entities:
        lines.append(f"{_INDENT}%% no collections")
    for found in report.collections:
        lines += _entity(found, entities[found.collection.name])
    for target in dict.fromkeys(targets):
        if target not in names:
            lines.append(f"{_INDENT}{_heading(target, entities[target])}")
    for found in report.collections:
        source = entities[found.collection.name]
        lines += [_relation(source, entities[each.target], each) for each in found.references]
    return "\n".join(lines) + "\n"


def _entity(report: CollectionReport, identifier: str) -> list[str]:
    heading = f"{_INDENT}{_heading(report.collection.name, identifier)}"
    attributes = _attributes(report)
    if not attributes:
        return [heading]
    body = [f"{_INDENT * 2}{attribute}" for attribute in attributes]
    return [f"{heading} {{", *body, f"{_INDENT}}}"]


def _heading(name: str, identifier: str) -> str:
    return identifier if identifier == name else f'{identifier}["{_quotable(name)}"]'


def _attributes(report: CollectionReport) -> list[str]:
    """``type name PK "original"`` for every field that is not inside of an array or a map."""
    fields = [field for field in _walk(report) if not _stands_for_many(field)]
    names = _unique([field.name for field in fields], _ATTRIBUTE, _NOT_ATTRIBUTES)
    marks = _marks(report)
    lines = []
    for field in fields:
        parts = [_type(field), names[field.name], *marks.get(field.name, [])]
        if names[field.name] != field.name:
            parts.append(f'"{_quotable(field.name)}"')
        lines.append(" ".join(parts))
    return lines


def _walk(report: CollectionReport) -> list[Field]:
    return list(report.profile.walk()) if report.profile else []


def _stands_for_many(field: Field) -> bool:
    return any(isinstance(step, Step) for step in field.path)


def _marks(report: CollectionReport) -> dict[str, list[str]]:
    marks = {"_id": ["PK"]}
    for reference in report.references:
        names = [step for step in reference.path if not isinstance(step, Step)]
        marks.setdefault(render_path(tuple(names)), ["FK"])
    for index in report.collection.indexes:
        if index.unique and len(index.keys) == 1 and index.keys[0][0] != "_id":
            marks.setdefault(index.keys[0][0], ["UK"])
    return marks


def _type(field: Field) -> str:
    """``int_or_string``, ``string[]``; null is left out where there is another type."""
    names = [name for name in field.types if name != "null"] or list(field.types)
    texts = []
    for name in names:
        text = re.sub(r"[^A-Za-z0-9_]", "_", name)
        if name == "array":
            element = next(
                (child for child in field.children if child.path[-1] is Step.ELEMENT), None
            )
            text = f"{_type(element)}[]" if element and element.types else "array"
        elif name == "object" and field.map:
            text = "map"
        texts.append(text)
    return "_or_".join(texts) or "unknown"


def _relation(source: str, target: str, reference: Reference) -> str:
    left = "}o" if reference.many or not reference.unique else "|o"
    right = "o{" if reference.many else "o|"
    label = _quotable(render_path(reference.path))
    return f'{_INDENT}{source} {left}--{right} {target} : "{label}"'


def _unique(
    names: Iterable[str], grammar: re.Pattern[str], reserved: frozenset[str]
) -> dict[str, str]:
    """Each name with an identifier of its own; valid names keep theirs."""

    def is_valid(name: str) -> bool:
        return bool(grammar.fullmatch(name)) and name.lower() not in reserved

    taken: set[str] = set()
    given: dict[str, str] = {}
    for name in sorted(dict.fromkeys(names), key=lambda name: not is_valid(name)):
        base = name if is_valid(name) else _identifier(name)
        identifier, number = base if is_valid(base) else f"x_{base}", 1
        while identifier in taken:
            number += 1
            identifier = f"x_{base}_{number}"
        taken.add(identifier)
        given[name] = identifier
    return given


def _identifier(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_") or "x"


def _quotable(name: str) -> str:
    """Between double quotes; Mermaid refuses an empty text there."""
    return printable(name).translate(_FULL_WIDTH) or "∅"
