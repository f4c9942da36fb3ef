"""Commands as text for mongosh."""

from __future__ import annotations

import base64
import datetime as dt
import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from bson import Decimal128, Int64, ObjectId, Regex
from bson.binary import Binary

_LARGEST_EXACT = 2**53


def shell_text(value: Any) -> str:
    """``{"a": ObjectId("...")}``: text that can be pasted into mongosh."""
    match value:
        case None | bool() | float() | str():
            return json.dumps(value)
        case Int64():
            return f'Long("{int(value)}")'
        case int():
            return str(value) if abs(value) <= _LARGEST_EXACT else f'Long("{value}")'
        case Decimal128() | Decimal():
            return f'Decimal128("{value}")'
        case ObjectId():
            return f'ObjectId("{value}")'
        case dt.datetime():
            return f'ISODate("{value.isoformat(timespec="milliseconds")}Z")'
        case Binary() | bytes():
            kind = getattr(value, "subtype", 0)
            return f'BinData({kind}, "{_base64(value)}")'
        case Regex():
            return f"RegExp({json.dumps(value.pattern)})"
        case Mapping():
            inside = ", ".join(f"{json.dumps(str(k))}: {shell_text(v)}" for k, v in value.items())
            return "{" + inside + "}"
        case list() | tuple() | set() | frozenset():
            return "[" + ", ".join(map(shell_text, value)) + "]"
    return json.dumps(str(value))


def command_text(command: Mapping[str, Any]) -> str:
    return f"db.runCommand({shell_text(command)});"


def update_text(collection: str, query: Mapping[str, Any], update: Any) -> str:
    name = json.dumps(collection)
    return f"db.getCollection({name}).updateMany({shell_text(query)}, {shell_text(update)});"


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode()
