"""Who owns a validator: ours carry a mark, so that others are never replaced.

The mark is the ``description`` of the validator's ``$jsonSchema``, a keyword that MongoDB stores
but never evaluates. It contains a digest of everything else, so a validator that was edited
afterwards no longer counts as ours.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from typing import Any

from bson import encode
from bson.binary import UuidRepresentation
from bson.codec_options import CodecOptions

from djongo_services.introspection.catalog import MARK

_OPTIONS: CodecOptions[dict[str, Any]] = CodecOptions(
    uuid_representation=UuidRepresentation.STANDARD
)
_MARK = re.compile(rf"\A{MARK}\b.*\[([0-9a-f]{{16}})\]\Z", re.DOTALL)
_NOTE = re.compile(r"(?:; ([^;\[\]]*))? (?=\[[0-9a-f]{16}\]\Z)")
"""What may be between a mark's models and its digest."""
_SCHEMA = "$jsonSchema"
_SHOWN = 3
"""The maximum number of models that a mark names."""


def marked(query: Mapping[str, Any], models: Iterable[str]) -> dict[str, Any]:
    """The validator with our mark, which shows its origin in the database.

    ``query`` is ``{"$jsonSchema": ...}``, or an ``$and`` whose first part is that; a query without
    such a schema is returned unchanged, because it cannot carry a mark.
    """
    bare = unmarked(query)
    schema = _schema_of(bare)
    if schema is None:
        return bare
    text = f"{MARK}, from {_listed(tuple(models))} [{_digest(bare)}]"
    return _with_schema(bare, {"description": text, **schema})


def remarked(query: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    """Our validator after a change, with the text of the mark that it had before."""
    bare, schema = unmarked(query), _schema_of(before)
    found = None if schema is None else _mark_of(schema)
    new = _schema_of(bare)
    if schema is None or new is None or found is None:
        return bare
    text = schema["description"].replace(f"[{found}]", f"[{_digest(bare)}]")
    return _with_schema(bare, {"description": text, **new})


def models_of_mark(query: Mapping[str, Any]) -> tuple[str, ...]:
    """The labels in our mark; none if the validator is not ours. If there are many, it has only the
    first ones."""
    schema = _schema_of(query)
    if schema is None or not is_ours(query):
        return ()
    listed = _NOTE.sub(" ", schema["description"]).partition(", from ")[2].rpartition(" [")[0]
    return tuple(listed.partition(" and ")[0].split(", "))


def unmarked(query: Mapping[str, Any]) -> dict[str, Any]:
    """The rules alone. A description that is not our mark counts as one of them."""
    schema = _schema_of(query)
    if schema is None or _mark_of(schema) is None:
        return dict(query)
    return _with_schema(query, {key: schema[key] for key in schema if key != "description"})


def is_ours(query: Mapping[str, Any]) -> bool:
    """Whether the validator carries our mark and is unchanged since we wrote it."""
    schema = _schema_of(query)
    mark = None if schema is None else _mark_of(schema)
    return mark is not None and mark == _digest(unmarked(query))


def annotated(query: Mapping[str, Any], note: str) -> dict[str, Any]:
    """Our validator with a note in its mark, which changes no rule; an empty note removes it."""
    schema = _schema_of(query)
    if schema is None or _mark_of(schema) is None:
        return dict(query)
    text = _NOTE.sub(f"; {note} " if note else " ", schema["description"])
    return _with_schema(query, {**schema, "description": text})


def note_of(query: Mapping[str, Any]) -> str:
    """The note in the mark of a validator of ours; empty if there is none."""
    schema = _schema_of(query)
    if schema is None or not is_ours(query):
        return ""
    found = _NOTE.search(schema["description"])
    return (found and found[1]) or ""


def _schema_of(query: Mapping[str, Any]) -> Mapping[str, Any] | None:
    found: Any = query.get(_SCHEMA)
    parts = query.get("$and")
    if found is None and isinstance(parts, list | tuple) and parts:
        found = parts[0].get(_SCHEMA) if isinstance(parts[0], Mapping) else None
    return found if isinstance(found, Mapping) else None


def _with_schema(query: Mapping[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    if _SCHEMA in query:
        return {key: schema if key == _SCHEMA else value for key, value in query.items()}
    first, *checks = query["$and"]
    return {**query, "$and": [{**first, _SCHEMA: schema}, *checks]}


def _mark_of(schema: Mapping[str, Any]) -> str | None:
    description = schema.get("description")
    found = _MARK.match(description) if isinstance(description, str) else None
    return found[1] if found else None


def _digest(query: Mapping[str, Any]) -> str:
    # As BSON, the form in which the server returns its input unchanged.
    return hashlib.sha256(encode(query, codec_options=_OPTIONS)).hexdigest()[:16]


def _listed(models: tuple[str, ...]) -> str:
    named = ", ".join(models[:_SHOWN])
    more = len(models) - _SHOWN
    return f"{named} and {more} more" if more > 0 else named or "the models"
