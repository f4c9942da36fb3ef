"""Where documents of an embedded model are, and how a change is applied to them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from djongo_services.backend.schema.draft import EmbeddedStep, Path, inside
from djongo_services.backend.titles import parse
from djongo_services.schema.mapping.schemas import LABEL

Expression = Any
Change = Callable[[str], Expression]
"""Takes the path of an embedded document, as ``$a`` or ``$$e0.b``, and returns its new value."""


def places_in(query: Mapping[str, Any], label: str) -> Iterator[Path]:
    """Where a collection's documents contain documents of the embedded model, by its validator.

    This is read from the titles of the columns. The states of migrations are not sufficient: a
    model of a state knows the models that existed when it was created, and it is not recreated when
    another model embeds it.
    """
    schema = query.get("$and", [query])[0].get("$jsonSchema", {})
    return _paths(schema, label.lower())


def _paths(schema: Mapping[str, Any], wanted: str) -> Iterator[Path]:
    for column, node in schema.get("properties", {}).items():
        title = parse(node.get("title"))
        if title is None or not title.models:
            continue
        several = title.kind.startswith("Polymorphic")
        for label in title.models:
            step = EmbeddedStep(
                column=column, many="items" in node, label=label if several else None
            )
            if label.lower() == wanted:
                yield (step,)
            for inner in inside(node, step.label):
                for rest in _paths(inner, wanted):
                    yield (step, *rest)


def within(path: Path, change: Change) -> tuple[str, Expression]:
    """The column of a collection, and its value once all the embedded documents are changed."""
    column = path[0].column
    return column, _transformed(f"${column}", path, change, 0)


def is_single(path: Path) -> bool:
    """Whether a dotted name reaches it without passing through arrays."""
    return not any(step.many for step in path)


def prefix_of(path: Path) -> str:
    return "".join(f"{step.column}." for step in path)


def _transformed(value: str, path: Path, change: Change, depth: int) -> Expression:
    step, rest = path[0], path[1:]

    def document(one: str) -> Expression:
        if rest:
            name = rest[0].column
            inner = _transformed(f"{one}.{name}", rest, change, depth + 1)
            after: Expression = {"$mergeObjects": [one, {name: inner}]}
        else:
            after = change(one)
        is_it: list[Expression] = [{"$eq": [{"$type": one}, "object"]}]
        if step.label is not None:
            is_it.append({"$eq": [f"{one}.{LABEL}", {"$literal": step.label}]})
        return {"$cond": [{"$and": is_it}, after, one]}

    if not step.many:
        return document(value)
    name = f"e{depth}"
    each = {"$map": {"input": value, "as": name, "in": document(f"$${name}")}}
    return {"$cond": [{"$isArray": [value]}, each, value]}


# Changes of one embedded document.
def filled(column: str, value: Expression) -> Change:
    """Set a column in documents that lack it."""

    def change(one: str) -> Expression:
        missing = {"$eq": [{"$type": f"{one}.{column}"}, "missing"]}
        return {"$cond": [missing, {"$mergeObjects": [one, {column: value}]}, one]}

    return change


def without(column: str) -> Change:
    def change(one: str) -> Expression:
        kept = {"$ne": ["$$pair.k", {"$literal": column}]}
        pairs = {"$filter": {"input": {"$objectToArray": one}, "as": "pair", "cond": kept}}
        return {"$arrayToObject": pairs}

    return change


def renamed(old: str, new: str) -> Change:
    def change(one: str) -> Expression:
        is_old = {"$eq": ["$$pair.k", {"$literal": old}]}
        name = {"$cond": [is_old, {"$literal": new}, "$$pair.k"]}
        pair = {"k": name, "v": "$$pair.v"}
        pairs = {"$map": {"input": {"$objectToArray": one}, "as": "pair", "in": pair}}
        return {"$arrayToObject": pairs}

    return change


def replaced(column: str, expression: Callable[[str], Expression]) -> Change:
    """Replace a value; ``expression`` gets the path of the value."""
    return lambda one: {"$mergeObjects": [one, {column: expression(f"{one}.{column}")}]}
