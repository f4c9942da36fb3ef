"""A profile as the strictest ``$jsonSchema`` that all documents satisfy.

MongoDB accepts it as a validator: it contains no unknown keywords, no empty ``required``, uses
``patternProperties`` for names that would be read as a path, and has a bounded depth.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from djongo_services.bson_types import server_type
from djongo_services.formatting import counted
from djongo_services.introspection.path import ELEMENT
from djongo_services.introspection.profiling.proof import is_plain
from djongo_services.introspection.profiling.shape import PATTERNS
from djongo_services.introspection.report import Coverage, Field, Profile

Schema = dict[str, Any]

MAXIMUM_DEPTH: Final = 60
"""The number of levels described. The server parses 200 levels of BSON, and one level of data takes
up to three; what is deeper is not constrained."""

_ENUMERABLE: Final = frozenset(
    {"string", "int", "long", "double", "decimal", "bool", "objectId", "date", "null"}
)

_BYTE: Final = re.compile(r"\\x[89a-f][0-9a-f]")


def json_schema(profile: Profile, *, closed: bool = True) -> Schema:
    """The schema of a collection's documents, for ``{"$jsonSchema": ...}``.

    ``closed`` forbids fields that the profile does not have. Fields are ``required`` if the profile
    is based on a proof; a sample proves nothing, and the description says so.
    """
    writer = _ClosedSchemaWriter(closed=closed, proven=profile.coverage.proven)
    schema: Schema = {"bsonType": "object"}
    described = _description(profile.coverage)
    if described is not None:
        schema["description"] = described
    if not profile.fields:
        return schema
    schema |= writer.object(profile.fields, "mixed", 1)
    if "additionalProperties" in schema and not _has_id(profile.fields):
        # The server refuses a closed schema that forbids a field of every document.
        schema["properties"] = {"_id": {}, **schema.get("properties", {})}
    return schema


def _has_id(fields: Iterable[Field]) -> bool:
    return any(field.path == ("_id",) for field in fields)


def _description(coverage: Coverage) -> str | None:
    if coverage.proven:
        return None
    return (
        f"From {coverage.examined} of {counted(coverage.documents, 'document')}; "
        "others may have other fields and types."
    )


@dataclass(frozen=True, slots=True)
class _ClosedSchemaWriter:
    closed: bool
    proven: bool

    def object(self, fields: Iterable[Field], key_format: str, depth: int) -> Schema:
        """Keywords for embedded documents with these fields."""
        properties: Schema = {}
        patterns: Schema = {}
        others: Schema | bool = not self.closed
        for field in fields:
            schema = self.field(field, depth)
            match field.path[-1]:
                case str(name) if is_plain(name):
                    properties[name] = schema
                case str(name):
                    patterns[_exactly(name)] = schema
                case _ if key_format in PATTERNS:
                    patterns[f"^(?:{PATTERNS[key_format]})$"] = schema
                case _:
                    others = schema
        keywords: Schema = {
            "required": self._required(fields),
            "properties": properties,
            "patternProperties": patterns,
        }
        schema = {keyword: content for keyword, content in keywords.items() if content}
        names = (field.path[-1] for field in fields)
        if others is True or any(isinstance(name, str) and _is_broken(name) for name in names):
            return schema
        return {**schema, "additionalProperties": others}

    def _required(self, fields: Iterable[Field]) -> list[str]:
        """Plain names only: the server reads a dot in ``required`` as a path."""
        if not self.proven:
            return []
        names = (field.path[-1] for field in fields if field.missing == 0)
        return [name for name in names if isinstance(name, str) and _is_listable(name)]

    def field(self, field: Field, depth: int) -> Schema:
        types = sorted({server_type(name) for name in field.types})
        schema: Schema = {"bsonType": types[0] if len(types) == 1 else types}
        values = self._enum(field)
        if values:
            schema["enum"] = values
        if depth >= MAXIMUM_DEPTH:
            return schema
        if "array" in field.types:
            schema |= self._items(field, depth)
        if "object" in field.types:
            schema |= self._embedded(field, depth)
        elif "dbRef" in field.types:
            schema["required"] = ["$ref", "$id"]
        return schema

    def _items(self, field: Field, depth: int) -> Schema:
        for child in field.children:
            if child.path[-1] is ELEMENT:
                return {"items": self.field(child, depth + 1)}
        return {"maxItems": 0} if self.closed else {}

    def _embedded(self, field: Field, depth: int) -> Schema:
        inner = [child for child in field.children if child.path[-1] is not ELEMENT]
        key_format = field.map.format if field.map is not None else "mixed"
        schema = self.object(inner, key_format, depth + 1)
        if "dbRef" not in field.types:
            return schema
        return {"anyOf": [schema, {"required": ["$ref", "$id"]}]}

    def _enum(self, field: Field) -> list[Any]:
        """Every value of a field with few values; only if every document was read."""
        values = field.values
        if not (self.closed and values and values.exact and values.enum):
            return []
        if not _ENUMERABLE.issuperset(field.types):
            return []
        found = [value for value, _ in values.enum]
        return [*found, None] if "null" in field.types and None not in found else found


def _is_listable(name: str) -> bool:
    return is_plain(name) and not _is_broken(name)


def _is_broken(name: str) -> bool:
    """Whether it seems to represent the bytes of a name that is not UTF-8. No schema can list such
    a name, so the object with it stays open."""
    return _BYTE.search(name) is not None


def _exactly(name: str) -> str:
    """A pattern that matches one key, in the syntax that PCRE and ECMAScript share."""
    text = ""
    for character in name:
        if ord(character) < 0x20 or character == "\x7f":
            text += f"\\x{ord(character):02x}"
        elif character.isascii() and not character.isalnum() and character not in " _":
            text += f"\\{character}"
        else:
            text += character
    return f"^{text}$"
