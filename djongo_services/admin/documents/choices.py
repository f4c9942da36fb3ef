"""The choices for a list of documents, read from a URL's query and written into one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any, Final, Self
from urllib.parse import urlencode

from django.http import QueryDict
from django.utils.translation import gettext as _

from djongo_services.admin.documents.conditions import (
    MOST,
    OPERATORS,
    TYPES,
    Condition,
    ConditionRefused,
    field_names,
)
from djongo_services.admin.documents.free_query import parse_query

SIZES: Final = (20, 50, 100)
SHOWN_AS: Final = ("tree", "relaxed", "canonical")


@dataclass(frozen=True, kw_only=True, slots=True)
class Choices:
    conditions: tuple[Condition, ...] = ()
    fields: str = ""
    free: str = ""
    """A query as JSON."""
    breaks: str = ""
    """The digest of a rule of the validator; ``any`` for documents that break any rule."""
    size: int = SIZES[0]
    shown_as: str = SHOWN_AS[0]
    is_ordered: bool = True

    @classmethod
    def of(cls, data: QueryDict) -> Self:
        size = data.get("n", "")
        shown_as = data.get("show", "")
        return cls(
            conditions=tuple(_conditions(data))[:MOST],
            fields=data.get("fields", "").strip(),
            free=data.get("query", "").strip(),
            breaks=data.get("breaks", "").strip()[:40],
            size=int(size) if size in map(str, SIZES) else SIZES[0],
            shown_as=shown_as if shown_as in SHOWN_AS else SHOWN_AS[0],
            is_ordered="unordered" not in data,
        )

    @property
    def is_narrowed(self) -> bool:
        return bool(self.conditions or self.free or self.breaks)

    def pairs(self, **more: str) -> list[tuple[str, str]]:
        """Pairs for a URL or the hidden fields of a form."""
        found: list[tuple[str, str]] = []
        for one in self.conditions:
            found += [("f", one.path), ("o", one.operator), ("t", one.type), ("v", one.value)]
        named = {
            "fields": self.fields,
            "query": self.free,
            "breaks": self.breaks,
            "n": "" if self.size == SIZES[0] else str(self.size),
            "show": "" if self.shown_as == SHOWN_AS[0] else self.shown_as,
            "unordered": "" if self.is_ordered else "1",
            **more,
        }
        return found + [(name, value) for name, value in named.items() if value]

    def address(self, **more: str) -> str:
        """The query of a URL."""
        return "?" + urlencode(self.pairs(**more))


@dataclass(kw_only=True, slots=True)
class Asked:
    """The choices as a query, with the errors beside the fields that caused them."""

    parts: list[Any] = field(default_factory=list)
    fields: tuple[str, ...] = ()
    wrong_conditions: dict[int, str] = field(default_factory=dict)
    wrong_fields: str = ""
    wrong_query: str = ""

    @property
    def is_wrong(self) -> bool:
        return bool(self.wrong_conditions or self.wrong_fields or self.wrong_query)

    @property
    def query(self) -> dict[str, Any]:
        return {"$and": self.parts} if self.parts else {}

    @classmethod
    def of(cls, choices: Choices, collection: str, *, sees_secrets: bool, may_query: bool) -> Self:
        asked = cls()
        for place, condition in enumerate(choices.conditions):
            try:
                asked.parts.append(condition.query(collection, may_see_secrets=sees_secrets))
            except ConditionRefused as refused:
                asked.wrong_conditions[place] = str(refused)
        try:
            asked.fields = field_names(choices.fields)
        except ConditionRefused as refused:
            asked.wrong_fields = str(refused)
        if choices.free:
            asked._add_free(choices.free, may_query)
        return asked

    def _add_free(self, text: str, may_query: bool) -> None:
        if not may_query:
            self.wrong_query = _("You do not have permission to write queries; use the conditions.")
            return
        try:
            self.parts.append(parse_query(text))
        except ConditionRefused as refused:
            self.wrong_query = str(refused)


def _conditions(data: QueryDict) -> Iterator[Condition]:
    """The conditions; rows without a field were left empty."""
    columns = [data.getlist(name) for name in ("f", "o", "t", "v")]
    for path, operator, kind, value in zip_longest(*columns, fillvalue=""):
        if path.strip():
            yield Condition(
                path=path.strip(), operator=operator or "eq", type=kind or "string", value=value
            )


def operators() -> list[tuple[str, str]]:
    words = {
        "eq": "=",
        "ne": "≠",
        "lt": "<",
        "lte": "≤",
        "gt": ">",
        "gte": "≥",
        "in": _("is one of"),
        "exists": _("exists"),
        "missing": _("does not exist"),
        "type": _("has the type"),
        "begins": _("begins with"),
    }
    return [(name, words[name]) for name in OPERATORS]


def types() -> list[tuple[str, str]]:
    words = {
        "string": _("string"),
        "number": _("number"),
        "date": _("date"),
        "objectId": "ObjectId",
        "bool": _("boolean"),
        "null": "null",
        "decimal": "Decimal128",
        "uuid": "UUID",
    }
    return [(name, words[name]) for name in TYPES]
