"""The names of BSON types as MongoDB's ``$type`` and ``bsonType`` spell them.

Two refinements are ours, because they matter for modelling and the server's aliases do not
distinguish them: binary values have their subtype after a colon (``binData:uuid``; the generic
subtype 0 stays ``binData``), and an embedded document with ``$ref`` and ``$id`` is a ``dbRef``.
:func:`server_type` converts a refined name to the server's alias.

Source: BSON specification 1.1 (https://bsonspec.org/spec.html), MongoDB manual "BSON Types".
"""

from __future__ import annotations

ALIASES: tuple[str, ...] = (
    "double",
    "string",
    "object",
    "array",
    "binData",
    "undefined",
    "objectId",
    "bool",
    "date",
    "null",
    "regex",
    "dbPointer",
    "javascript",
    "symbol",
    "javascriptWithScope",
    "int",
    "timestamp",
    "long",
    "decimal",
    "minKey",
    "maxKey",
)
"""Every alias that ``$type`` returns, in the order of the BSON type numbers."""

NUMBERS: frozenset[str] = frozenset({"int", "long", "double", "decimal"})
"""The types that MongoDB's ``"number"`` alias includes."""

BINARY_SUBTYPES: dict[int, str] = {
    0: "generic",
    1: "function",
    2: "old",
    3: "uuidOld",
    4: "uuid",
    5: "md5",
    6: "encrypted",
    7: "column",
    8: "sensitive",
    9: "vector",
}


def binary_type(subtype: int) -> str:
    """The refined name of a binary value: ``binData``, ``binData:uuid``, ``binData:user128``."""
    if subtype == 0:
        return "binData"
    name = BINARY_SUBTYPES.get(subtype, f"user{subtype}")
    return f"binData:{name}"


def server_type(name: str) -> str:
    """The server's alias, in ``$type`` and ``bsonType``, for a refined name."""
    if name == "dbRef":
        return "object"
    return name.partition(":")[0]
