"""The validator of a collection, split up so that one field or constraint can be changed.

Operations of migrations know the field that changes and the earlier state of the model. The rules
for all other fields are in the database, so the validator there is edited.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from djongo_services.backend.schema.renaming import renamed_query
from djongo_services.schema.mapping import object_schema
from djongo_services.schema.mapping.layout import ID
from djongo_services.schema.mapping.schemas import LABEL

Query = dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class EmbeddedStep:
    """One step from a document to a document embedded in it."""

    column: str
    many: bool = False
    """Whether it is an array of documents."""
    label: str | None = None
    """The model's label, if documents of several models can occur."""


Path = Sequence[EmbeddedStep]


class Draft:
    """A validator in the form that :mod:`djongo_services.schema.target` writes."""

    def __init__(self, query: Mapping[str, Any]) -> None:
        first, *clauses = copy.deepcopy(query.get("$and", [query]))
        self.schema: dict[str, Any] = dict(first["$jsonSchema"])
        self.clauses: list[Query] = list(clauses)

    def query(self) -> Query:
        schema = {"$jsonSchema": self.schema}
        return {"$and": [schema, *self.clauses]} if self.clauses else schema

    def put(self, column: str, schema: Mapping[str, Any], *, required: bool, at: Path = ()) -> None:
        """Set the schema of a column, whether or not it exists already."""
        self.take(column, at=at)
        found, _ = object_schema({column: dict(schema)}, [column] * required, closed=False)
        for objects in self._at(at):
            for keyword in ("properties", "patternProperties"):
                if keyword in found and (found[keyword] or keyword in objects):
                    objects[keyword] = {**objects.get(keyword, {}), **found[keyword]}
            if "required" in found:
                objects["required"] = [*objects.get("required", ()), *found["required"]]

    def take(self, column: str, *, at: Path = ()) -> None:
        """Remove a column."""
        found, _ = object_schema({column: {}}, [], closed=False)
        for objects in self._at(at):
            for keyword in ("properties", "patternProperties"):
                if keyword not in objects:
                    continue
                gone = found.get(keyword, {})
                kept = {name: one for name, one in objects[keyword].items() if name not in gone}
                objects[keyword] = kept
                if keyword == "patternProperties" and not kept:
                    del objects[keyword]
            if column == ID and not at and objects.get("additionalProperties") is False:
                objects["properties"][ID] = {}  # Documents have it in any case.
            self._release(objects, column)

    def release(self, column: str, *, at: Path = ()) -> None:
        """Make the column optional."""
        for objects in self._at(at):
            self._release(objects, column)

    def schema_of(self, column: str, *, at: Path = ()) -> Mapping[str, Any] | None:
        for objects in self._at(at):
            if column in objects.get("properties", {}):
                found: Mapping[str, Any] = objects["properties"][column]
                return found
        return None

    def retitle(self, column: str, title: str, *, at: Path = ()) -> None:
        for objects in self._at(at):
            properties = objects["properties"]
            if column in properties:
                properties[column] = {**properties[column], "title": title}

    def put_clause(self, clause: Query) -> None:
        self.take_clause(str(clause["$comment"]))
        self.clauses.append(clause)

    def take_clause(self, name: str, query: Query | None = None) -> None:
        """Remove a clause by its name, or by its condition if it has none, as without the
        engine."""
        self.clauses = [one for one in self.clauses if one.get("$comment") != name and one != query]

    def rename_in_clauses(self, old: str, new: str) -> None:
        self.clauses = [renamed_query(one, old, new) for one in self.clauses]

    def _at(self, path: Path) -> Iterator[dict[str, Any]]:
        """The schemas of the embedded documents; none if the validator does not contain them."""
        found = [self.schema]
        for step in path:
            nodes = [one["properties"].get(step.column) for one in found if "properties" in one]
            found = [inner for node in nodes if node for inner in inside(node, step.label)]
        return (one for one in found if "properties" in one)

    def _release(self, objects: dict[str, Any], column: str) -> None:
        left = [name for name in objects.get("required", ()) if name != column]
        if left:
            objects["required"] = left
        else:
            objects.pop("required", None)


def inside(node: dict[str, Any], label: str | None) -> Iterator[dict[str, Any]]:
    """The schemas of the documents in a column: those of one model if there are several."""
    if isinstance(node.get("items"), dict):
        yield from inside(node["items"], label)
    elif label is None:
        yield node
    else:
        for one in node.get("anyOf", ()):
            if one.get("properties", {}).get(LABEL) == {"enum": [label]}:
                yield one
