"""Names of fields in a schema, where a dot means a path and not a character."""

from __future__ import annotations

import re
from typing import Any


def object_schema(
    properties: dict[str, Any], required: list[str], *, closed: bool
) -> tuple[dict[str, Any], list[str]]:
    """``properties``, ``required`` and ``additionalProperties``, and why some name is missing.

    A name with a dot or a leading dollar becomes a pattern that is this name alone. Nothing can
    require it.
    """
    literal = [name for name in properties if "." in name or name.startswith("$")]
    found: dict[str, Any] = {}
    names = [name for name in dict.fromkeys(required) if name not in literal]
    if names:
        found["required"] = names
    found["properties"] = {
        name: schema for name, schema in properties.items() if name not in literal
    }
    if literal:
        found["patternProperties"] = {
            rf"\A{_escaped(name)}\z": properties[name] for name in literal
        }
    if closed:
        found["additionalProperties"] = False
    reasons = [
        f"a schema cannot require {name!r}, because it takes such a name for a path; "
        f"Django alone enforces it."
        for name in required
        if name in literal
    ]
    return found, reasons


def _escaped(name: str) -> str:
    return "".join(one if one.isalnum() else re.escape(one) for one in name)
