"""The rules of a validator, each with a filter for the documents that break it.

A rule is a keyword of a ``$jsonSchema`` at a path, a required field, or a condition beside the
schemas. What combines schemas (``anyOf``, ``oneOf``, ``not``, ``dependencies``) is one rule.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, TypeAlias

import bson
from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument
from pymongo.collection import Collection

from djongo_services.bson_decoding import LENIENT
from djongo_services.introspection.path import ELEMENT, Path

Document: TypeAlias = dict[str, Any]
Schema: TypeAlias = Mapping[str, Any]
Wrap: TypeAlias = Callable[[Document], Document]

DEEPEST: Final = 99
"""The maximum number of levels in a schema on the server."""
COUNTED: Final = 5_000
"""The maximum number of violators that are counted by rule."""

_RAW: Final[CodecOptions[Any]] = LENIENT.with_options(document_class=RawBSONDocument)
_COMMENT: Final = "djongo_services counts documents by the rules that they break"
_TOGETHER: Final[Mapping[str, str]] = {
    "exclusiveMinimum": "minimum",
    "exclusiveMaximum": "maximum",
    "additionalItems": "items",
}
"""Keywords that modify another one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ValidatorRule:
    path: Path
    """The path of the field that it applies to; empty for the document, and for a condition."""
    keyword: str
    """``bsonType``, ``required``, ``minLength``, ...; empty for a condition."""
    value: Any
    """The keyword's value; for a condition, the condition itself."""
    together: tuple[tuple[str, Any], ...] = ()
    """Keywords that belong to it, as ``exclusiveMinimum`` does to ``minimum``."""
    pattern: bool = False
    """Whether the path ends with a pattern of names, or with ``*`` for all other names."""
    description: str = ""
    """The schema's description of the field."""
    query: Mapping[str, Any]
    """A validator with only this rule."""

    @property
    def broken(self) -> Document:
        """The filter for documents that break it."""
        return {"$nor": [dict(self.query)]}

    @property
    def digest(self) -> str:
        """A short name that stays the same as long as the rule does."""
        return hashlib.sha256(bson.encode(self.query, codec_options=LENIENT)).hexdigest()[:16]


@dataclass(frozen=True, kw_only=True, slots=True)
class RuleCounts:
    """The first violators, at most :data:`COUNTED`, counted by rule."""

    violators: int
    by_rule: Mapping[str, int]
    """The number of violators of each rule, by its digest."""
    first: tuple[RawBSONDocument, ...]
    """The ``_id`` of the first few, each as a document with only that field."""

    @property
    def is_partial(self) -> bool:
        """Whether there may be more violators."""
        return self.violators >= COUNTED


def validator_rules(query: Mapping[str, Any]) -> Iterator[ValidatorRule]:
    """The rules in the order of the validator."""
    for clause in conditions(query):
        schema = clause.get("$jsonSchema")
        if len(clause) == 1 and isinstance(schema, Mapping):
            yield from _rules(_Place(schema=schema, path=(), wrap=lambda inner: inner))
        else:
            yield ValidatorRule(path=(), keyword="", value=clause, query=clause)


def conditions(query: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The conditions that every document must satisfy, one by one. A part with a comment is one."""
    if "$comment" in query:
        yield query
        return
    for name, value in query.items():
        if name == "$and" and isinstance(value, list):
            for clause in value:
                if isinstance(clause, Mapping):
                    yield from conditions(clause)
        else:
            yield {name: value}


def count_by_rule(
    collection: Collection[Any],
    query: Mapping[str, Any],
    rules: Sequence[ValidatorRule],
    *,
    first: int,
) -> RuleCounts:
    """Count in one scan on the server, which ends when there are enough; raises PyMongo's errors.

    ``first``: how many violators are listed.
    """
    keys = {f"r{place}": rule for place, rule in enumerate(rules)}
    facets: dict[str, list[Document]] = {
        "all": [{"$count": "n"}],
        "first": [{"$limit": first}, {"$project": {"_id": 1}}],
    }
    for key, rule in keys.items():
        facets[key] = [{"$match": rule.broken}, {"$count": "n"}]
    pipeline: list[Document] = [
        {"$match": {"$nor": [dict(query)]}},
        {"$limit": COUNTED},
        {"$facet": facets},
    ]
    (found,) = collection.with_options(codec_options=_RAW).aggregate(pipeline, comment=_COMMENT)
    numbers = {
        key: int(each[0]["n"]) if each else 0 for key, each in found.items() if key != "first"
    }
    return RuleCounts(
        violators=numbers["all"],
        by_rule={rule.digest: numbers[key] for key, rule in keys.items()},
        first=tuple(found["first"]),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Place:
    """A schema within the validator."""

    schema: Schema
    path: Path
    wrap: Wrap
    """Puts a schema for the value at the path into a schema for whole documents."""
    depth: int = 0
    is_pattern: bool = False

    def rule(
        self, keyword: str, value: Any, others: Mapping[str, Any] | None = None
    ) -> ValidatorRule:
        return ValidatorRule(
            path=self.path,
            keyword=keyword,
            value=value,
            pattern=self.is_pattern,
            description=str(self.schema.get("description", "")) if self.path else "",
            query={"$jsonSchema": self.wrap({**(others or {}), keyword: value})},
        )

    def inner(self, schema: Any, name: Any, place: Wrap, *, is_pattern: bool = False) -> _Place:
        """``name`` is a step of the path, or None for another schema of the same value."""
        return _Place(
            schema=schema if isinstance(schema, Mapping) else {},
            path=self.path if name is None else (*self.path, name),
            wrap=lambda found: self.wrap(place(found)),
            depth=self.depth + 1,
            is_pattern=is_pattern,
        )


def _rules(at: _Place) -> Iterator[ValidatorRule]:
    if at.depth > DEEPEST:
        return
    yield from _own(at)
    properties = _mapping(at.schema, "properties")
    required = _names(at.schema)
    for name in dict.fromkeys((*properties, *required)):
        inner = at.inner(properties.get(name), name, _named("properties", name))
        if name in required:
            yield replace(
                inner.rule("required", True), query={"$jsonSchema": at.wrap({"required": [name]})}
            )
        yield from _rules(inner)
    for pattern, below in _mapping(at.schema, "patternProperties").items():
        yield from _rules(
            at.inner(
                below,
                pattern,
                _named("patternProperties", pattern),
                is_pattern=True,
            )
        )
    more, items = at.schema.get("additionalProperties"), at.schema.get("items")
    if isinstance(more, Mapping):
        known = _known(at.schema)
        yield from _rules(
            at.inner(
                more, "*", lambda found: {**known, "additionalProperties": found}, is_pattern=True
            )
        )
    if isinstance(items, Mapping):
        yield from _rules(at.inner(items, ELEMENT, lambda found: {"items": found}))


def _own(at: _Place) -> Iterator[ValidatorRule]:
    """The rules for the value itself."""
    for keyword, value in at.schema.items():
        match keyword, value:
            case "title" | "description" | "properties" | "patternProperties" | "required", _:
                continue
            case "items", Mapping():
                continue
            case "additionalProperties", _:
                if value is False:
                    yield at.rule(keyword, value, _known(at.schema))
            case "allOf", list():
                for schema in value:
                    yield from _rules(at.inner(schema, None, lambda found: {"allOf": [found]}))
            case _ if _TOGETHER.get(keyword) not in at.schema:
                others = {
                    other: at.schema[other]
                    for other, of in _TOGETHER.items()
                    if of == keyword and other in at.schema
                }
                rule = at.rule(keyword, value, others)
                yield replace(rule, together=tuple(others.items()))


def _named(keyword: str, name: str) -> Wrap:
    return lambda found: {keyword: {name: found}}


def _known(schema: Schema) -> Document:
    """The names that a schema mentions, without its conditions for them."""
    return {
        keyword: {name: {} for name in names}
        for keyword in ("properties", "patternProperties")
        if (names := _mapping(schema, keyword))
    }


def _mapping(schema: Schema, keyword: str) -> Mapping[str, Any]:
    found = schema.get(keyword)
    return found if isinstance(found, Mapping) else {}


def _names(schema: Schema) -> tuple[str, ...]:
    found = schema.get("required")
    return tuple(map(str, found)) if isinstance(found, list) else ()
