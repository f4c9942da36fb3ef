"""Recognising objects whose keys are data, so that each of them is one path, not thousands.

An ordinary record must never be folded, however many optional fields it has; a map must be, or it
takes unlimited memory and rounds. The criteria are, in this order: the form of the keys, the
similarity of their values, and, only for keys that look like names, how many there are and how
sparse they are.
"""

from __future__ import annotations

from collections import Counter
from typing import Final

from djongo_services.bson_types import NUMBERS
from djongo_services.introspection.profiling.shape import (
    KeySet,
    Node,
    ObjectShape,
    is_utf8,
    key_format,
    objects_of,
)

UNMISTAKABLE: Final = frozenset({"objectId", "uuid", "hash", "date", "number"})
"""Formats that fields of a record never have."""

MINIMUM_FORMATTED: Final = 3
"""Distinct keys of one unmistakable format; two may be a typo in one document."""

MINIMUM_LOCALES: Final = 5
"""Distinct language codes. ``id``, ``no``, ``to``, ``is`` are words too, and a record with a name
in two languages is more readable with two fields."""

MINIMUM_NAMES: Final = 64
"""Distinct keys that look like names; records with more optional fields of one type are rare."""

SPARSE: Final = 0.1
"""The greatest share of the objects in which a key that looks like a name may occur to count as
data."""

MANY_NAMES: Final = 512
"""Distinct keys with similar values that are data however dense they are: one document can contain
a whole dictionary, and its density says nothing."""

MAXIMUM_FIELDS: Final = 4_096
"""Distinct keys of one object beyond which the rare ones are folded in any case; schemas of that
size are expensive for the server, and not useful."""

ALIKE: Final = 0.95
"""The share of the keys whose values must be of the same kind."""

FIRST_LOOK: Final = 128
"""The number of fields from which on an object is checked while it is still being read, at each
doubling."""


def fold(shape: ObjectShape) -> None:
    """Fold every map, at any depth, that the known data reveals."""
    fold_object(shape)
    nodes = list(shape.fields.values())
    if shape.map is not None:
        nodes.append(shape.map.value)
    for node in nodes:
        _fold_below(node)


def _fold_below(node: Node) -> None:
    for shape in objects_of(node):
        fold(shape)
    if node.array is not None:
        _fold_below(node.array.element)


def fold_if_data(shape: ObjectShape) -> None:
    """Check an object that grows while it is read: memory must not grow until the end."""
    if len(shape.fields) >= FIRST_LOOK:
        fold_object(shape)
    shape.checked_at = max(len(shape.fields), FIRST_LOOK // 2)


def fold_object(shape: ObjectShape) -> None:
    """Fold the keys of one object that are data; others stay fields."""
    formatted: dict[str, list[bytes]] = {}
    names: list[bytes] = []
    for key in shape.fields:
        found = key_format(key)
        if found is not None:
            formatted.setdefault(found, []).append(key)
        elif not key.startswith(b"$") and key != b"_id" and is_utf8(key):
            names.append(key)
    for format_name, keys in formatted.items():
        if _is_data(shape, format_name, keys):
            shape.fold(keys, KeySet(formats={format_name}))
        else:
            names += keys
    _fold_names(shape, names)


def _is_data(shape: ObjectShape, format_name: str, keys: list[bytes]) -> bool:
    if format_name in UNMISTAKABLE:
        return len(keys) >= MINIMUM_FORMATTED
    return len(keys) >= MINIMUM_LOCALES and _alike([shape.fields[key] for key in keys])


def _fold_names(shape: ObjectShape, names: list[bytes]) -> None:
    if len(names) < MINIMUM_NAMES:
        return
    objects = shape.seen_at_all
    sparse = [name for name in names if shape.fields[name].seen_at_all <= SPARSE * objects]
    if len(sparse) >= MINIMUM_NAMES and _alike([shape.fields[name] for name in sparse]):
        shape.fold(sparse, KeySet(open=True))
    elif len(names) >= MANY_NAMES and _alike([shape.fields[name] for name in names]):
        shape.fold(names, KeySet(open=True))
    elif len(names) >= MAXIMUM_FIELDS:
        shape.fold(sparse or names, KeySet(open=True))


def _alike(nodes: list[Node]) -> bool:
    """Whether nearly all of the values are of the same kind, and records among them similar."""
    kinds = Counter(_kind(node) for node in nodes)
    kinds.pop("null", None)
    if not kinds:
        return False
    kind, frequency = kinds.most_common(1)[0]
    if frequency < ALIKE * kinds.total() or kind == "mixed":
        return False
    return kind != "object" or _alike_records(nodes)


def _kind(node: Node) -> str:
    kinds = {"number" if name in NUMBERS else name for name in node.types} - {"null"}
    match len(kinds):
        case 0:
            return "null"
        case 1:
            return kinds.pop()
        case _:
            return "mixed"


def _alike_records(nodes: list[Node]) -> bool:
    """Whether records share their fields: on average half of those that any of them has."""
    records = [node.object for node in nodes if node.object is not None]
    every: set[bytes] = set()
    total = 0
    for record in records:
        if record.map is None:
            every.update(record.fields)
            total += len(record.fields)
        else:
            total += len(every)
    return total * 2 >= len(every) * len(records)
