"""A value from a document as one short piece of text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from bson import DatetimeMS, Decimal128, Int64, ObjectId, Timestamp
from bson.binary import Binary, UuidRepresentation
from bson.json_util import JSONMode, JSONOptions, dumps

from djongo_services.introspection.rendering.numbers import size
from djongo_services.introspection.rendering.printable import printable

LONGEST = 40
"""Characters; what is longer ends in an ellipsis."""


def value_text(value: Any, longest: int = LONGEST) -> str:
    """``"text"``, ``12``, ``2024-05-01 12:00:00Z``, ``ObjectId(...)``, ``{"a": 1}``."""
    return shortened(printable(_text(value)), longest)


def document_text(document: Mapping[str, Any]) -> str:
    """A document on one line, whole: Extended JSON."""
    return printable(extended_json(document))


def extended_json(value: Any, indent: int | None = None) -> str:
    """Relaxed Extended JSON in ASCII; out-of-range dates and native UUIDs included."""
    text: str = dumps(value, json_options=EXTENDED_JSON, indent=indent)
    return text


EXTENDED_JSON: JSONOptions = JSONOptions(
    json_mode=JSONMode.RELAXED, uuid_representation=UuidRepresentation.STANDARD
)
"""Numbers and dates of the years 1970 to 9999 are plain; UUIDs have subtype 4."""


def shortened(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"


def _text(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case str():
            return f'"{value}"'
        case int() | float() | Int64() | Decimal128():
            return str(value)
        case datetime():
            return value.strftime("%Y-%m-%d %H:%M:%S").removesuffix(" 00:00:00")
        case DatetimeMS():
            return f"date {int(value)} ms"
        case ObjectId() | UUID():
            return str(value)
        case Timestamp():
            return f"Timestamp({value.time}, {value.inc})"
        case Binary() | bytes():
            return f"binary of {size(len(value))}"
        case Mapping() | Sequence():
            return extended_json(value)
        case _:
            return repr(value)
