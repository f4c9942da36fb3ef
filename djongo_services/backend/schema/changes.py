"""The effect of altering a field on documents and validator, as values."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.db.models import JSONField

from djongo_services.backend.schema import embedding
from djongo_services.backend.schema.conversions import converted, date_kind
from djongo_services.backend.schema.draft import Draft, Path
from djongo_services.backend.schema.renaming import renamed_query
from djongo_services.formatting import printable, value_text
from djongo_services.operations import MISFITS, Misfits
from djongo_services.schema.constraints import named_clause
from djongo_services.schema.mapping import is_required, object_schema
from djongo_services.schema.mapping.layout import ID
from djongo_services.schema.mapping.table import AnyField

Document = dict[str, Any]
Expression = Any

_OF_JSON = ("null", "bool", "string", "int", "long", "double", "object", "array")
SHOWN = 10
"""The number of documents that are listed when a change is refused."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FieldChange:
    """The change that ``alter_field`` makes to the documents and to the validator."""

    old: AnyField
    new: AnyField
    old_column: str
    new_column: str
    old_schema: Document
    new_schema: Document
    default: Expression | None
    """The value that replaces null."""
    to: str | None
    """The type that values are converted to."""
    places: int | None
    """Digits after the point that decimals are rounded to."""
    path: Path
    """The path of the embedded documents that have the field."""
    checks: tuple[Document, ...] = ()
    """The named clauses of the model's check constraints, with constants of the new type."""

    @property
    def required(self) -> bool:
        return is_required(self.new, backend=True)

    @property
    def moves_documents(self) -> bool:
        """Whether documents are written, so that the validator must accept them both before and
        after."""
        return self.old_column != self.new_column or self.to is not None or self.default is not None

    @property
    def leaves_id(self) -> bool:
        """Whether the values of ``_id`` are copied to a column of their own. The server does not
        allow ``_id`` to change, so it stays."""
        return self.old_column == ID != self.new_column and not self.path

    @property
    def becomes_id(self) -> bool:
        """Whether the column is removed because ``_id`` has its values."""
        return self.old_column != ID == self.new_column and not self.path

    @property
    def converts_again(self) -> bool:
        """Whether values that have the new type already may have to be converted, too."""
        return self.places is not None or date_kind(self.old) != date_kind(self.new)

    @property
    def changes_rules(self) -> bool:
        return _bare(self.old_schema) != _bare(self.new_schema) or self.required > is_required(
            self.old, backend=True
        )

    def value(self, place: str) -> Expression:
        """The expression for the new value."""
        if self.to is None:
            return place
        was, becomes = date_kind(self.old), date_kind(self.new)
        return converted(place, self.to, places=self.places, was=was, becomes=becomes)

    def let_both_pass(self, draft: Draft) -> None:
        either = {"anyOf": [self.old_schema, self.new_schema]}
        same = _bare(self.old_schema) == _bare(self.new_schema)
        schema = self.new_schema if same else either
        draft.clauses = [self._either(clause) for clause in draft.clauses]
        if self.old_column != self.new_column:
            draft.put(self.old_column, self.old_schema, required=False, at=self.path)
        draft.put(self.new_column, schema, required=False, at=self.path)

    def settle(self, draft: Draft) -> None:
        if self.old_column != self.new_column:
            draft.take(self.old_column, at=self.path)
        draft.clauses = [self._settled(one) for one in draft.clauses]
        draft.put(self.new_column, self.new_schema, required=self.required, at=self.path)

    def _either(self, clause: Document) -> Document:
        """Accept documents with the old or the new column."""
        after = self._settled(clause)
        if after == clause:
            return clause
        if "$comment" not in clause:
            return {"$or": [clause, after]}
        both = {"$or": [_query_of(clause), _query_of(after)]}
        return named_clause(str(clause["$comment"]), both)

    def _settled(self, clause: Document) -> Document:
        name = clause.get("$comment")
        again = (one for one in self.checks if name is not None and one["$comment"] == name)
        return next(again, None) or self._renamed(clause)

    def _renamed(self, clause: Document) -> Document:
        prefix = embedding.prefix_of(self.path)
        found: Document = renamed_query(clause, prefix + self.old_column, prefix + self.new_column)
        return found

    @property
    def old_title(self) -> str:
        return str(self.old_schema.get("title", self.old_column))

    @property
    def new_title(self) -> str:
        return str(self.new_schema.get("title", self.new_column))

    def misfits(self, limit: int | None, only: Document | None = None) -> list[Document]:
        """A pipeline for the first documents that fit the old field, but not the new one.

        ``only`` is a query for the old value, ``was``.
        """
        fits, _ = object_schema({self.old_column: _bare(self.old_schema)}, [], closed=False)
        will, _ = object_schema({"v": self._wanted()}, ["v"] * self.required, closed=False)
        place = f"${self.old_column}"
        after = self.value(place)
        if self.default is not None:
            after = {"$ifNull": [after, self.default]}
        return [
            {"$match": {"$jsonSchema": fits}},
            {"$project": {"v": after, "was": place}},
            {"$match": {"$nor": [{"$jsonSchema": will}], **(only or {})}},
            *([] if limit is None else [{"$limit": limit}]),
        ]

    def _wanted(self) -> Document:
        """The schema of converted values. A JSONField accepts any, but can only read those of
        JSON."""
        bare = _bare(self.new_schema)
        if isinstance(self.new, JSONField) and not isinstance(self.old, JSONField):
            return {"allOf": [bare, {"bsonType": [*_OF_JSON]}]}
        return bare

    def violators(self, clauses: list[Document], limit: int) -> list[Document]:
        """A pipeline for the first documents that fit the old constraints, but not the new ones."""
        place = f"${self.old_column}"
        value = self.value(place)
        if self.default is not None:
            value = {"$ifNull": [value, self.default]}
        missing = {"$eq": [{"$type": place}, "missing"]}
        after = {self.new_column: {"$cond": [missing, "$$REMOVE", value]}}
        return [
            {"$match": {"$and": [_query_of(one) for one in clauses]}},
            {"$set": after},
            {"$match": {"$nor": [{"$and": [_query_of(self._settled(one)) for one in clauses]}]}},
            {"$limit": limit},
            {"$project": {"_id": 1}},
        ]

    def duplicates(self) -> list[Document]:
        place = f"${self.old_column}"
        return [
            {"$match": {self.old_column: {"$ne": None}}},
            {"$group": {"_id": self.value(place), "n": {"$sum": 1}, "ids": {"$min": "$_id"}}},
            {"$match": {"n": {"$gt": 1}}},
            {"$limit": 1},
        ]

    def differing_from_id(self) -> Document:
        """A query for documents that have another value at ``_id``."""
        return {"$expr": {"$ne": [self.value(f"${self.old_column}"), f"${ID}"]}}

    def embedded_changes(self) -> Iterator[embedding.Change]:
        if self.old_column != self.new_column:
            yield embedding.renamed(self.old_column, self.new_column)
        if self.default is not None:
            default = self.default
            yield embedding.replaced(self.new_column, lambda one: {"$ifNull": [one, default]})
        if self.to is not None:
            yield embedding.replaced(self.new_column, self.value)


def _bare(schema: Document) -> Document:
    return {name: value for name, value in schema.items() if name != "title"}


def _query_of(clause: Document) -> Document:
    """The condition in a named clause."""
    query: Document = clause["$or"][1]
    return query


def ids_text(found: list[Document]) -> str:
    """The first of the documents that were found; there is one more than are shown if there are
    others."""
    shown = ", ".join(f"_id {value_text(one['_id'])}" for one in found[:SHOWN])
    return f"{shown}, and there are more" if len(found) > SHOWN else shown


def misfits_text(table: str, change: FieldChange, found: list[Document]) -> str:
    shown = ", ".join(
        f"_id {value_text(one['_id'])} has {value_text(one.get('was'))}" for one in found[:SHOWN]
    )
    more = ", and there are more" if len(found) > SHOWN else ""
    return (
        f"{printable(table)}.{printable(change.old_column)} cannot become {change.new_title}: "
        f"{shown}{more}. Nothing was changed."
    )


def other_id_text(table: str, change: FieldChange, found: Document) -> str:
    return (
        f"{printable(table)}.{printable(change.old_column)} cannot become the key at _id, which "
        f"MongoDB does not allow to change: _id {value_text(found['_id'])} has "
        f"{value_text(found.get(change.old_column))}. Nothing was changed."
    )


def violators_text(table: str, change: FieldChange, found: list[Document]) -> str:
    return (
        f"CHECK constraint failed: {printable(table)}.{printable(change.old_column)} cannot become "
        f"{change.new_title}, because documents would violate a constraint: {ids_text(found)}. "
        f"Nothing was changed."
    )


def embedded_misfits_text(table: str, change: FieldChange, found: list[Document]) -> str:
    name = f"{embedding.prefix_of(change.path)}{change.old_column}"
    return (
        f"{printable(table)}.{printable(name)} cannot become {change.new_title} in the documents "
        f"{ids_text(found)}. Nothing was changed."
    )


def taken_out_text(table: str, change: FieldChange, misfits: Misfits, taken: int = 0) -> str:
    """What was done with ``taken`` values; if it is 0, what will be done."""
    number = f"{taken:,} values" if taken > 1 else "1 value" if taken else "values"
    became = "null" if change.new.null else "the default"
    verb = "was" if taken == 1 else "were" if taken else "are"
    kept = f"kept in {MISFITS}" if misfits == "keep" else "not kept"
    return (
        f"{printable(table)}.{printable(change.old_column)}: {number} that cannot become "
        f"{change.new_title} {verb} replaced by {became} and {kept}."
    )


def duplicates_text(table: str, change: FieldChange, found: Document) -> str:
    return (
        f"{printable(table)}.{printable(change.old_column)} cannot be unique: {found['n']:,} "
        f"documents would have {value_text(found['_id'])}. Nothing was changed."
    )
