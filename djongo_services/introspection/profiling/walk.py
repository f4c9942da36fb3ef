"""Learning shapes from raw BSON.

The bytes are read directly, because decoding loses what matters here: PyMongo converts symbols to
strings, undefined to null, dbPointers to DBRefs, and stops at invalid UTF-8 and at dates that
Python does not support. It is not slower either: values are skipped, not created.

Source: BSON specification 1.1 (https://bsonspec.org/spec.html).
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct
from typing import Final

from djongo_services.bson_types import binary_type
from djongo_services.introspection.profiling.folding import fold_if_data
from djongo_services.introspection.profiling.shape import ArrayShape, Node, ObjectShape

_int32: Final = Struct("<i").unpack_from

_OBJECT, _ARRAY, _BINARY, _REGEX = 0x03, 0x04, 0x05, 0x0B

_NAMES: Final[dict[int, str]] = {
    0x01: "double",
    0x02: "string",
    0x06: "undefined",
    0x07: "objectId",
    0x08: "bool",
    0x09: "date",
    0x0A: "null",
    0x0B: "regex",
    0x0C: "dbPointer",
    0x0D: "javascript",
    0x0E: "symbol",
    0x0F: "javascriptWithScope",
    0x10: "int",
    0x11: "timestamp",
    0x12: "long",
    0x13: "decimal",
    0x7F: "maxKey",
    0xFF: "minKey",
}

_SIZES: Final[dict[int, tuple[int, bool]]] = {
    0x01: (8, False),
    0x02: (4, True),
    0x03: (0, True),
    0x04: (0, True),
    0x05: (5, True),
    0x06: (0, False),
    0x07: (12, False),
    0x08: (1, False),
    0x09: (8, False),
    0x0A: (0, False),
    0x0C: (16, True),
    0x0D: (4, True),
    0x0E: (4, True),
    0x0F: (0, True),
    0x10: (4, False),
    0x11: (8, False),
    0x12: (8, False),
    0x13: (16, False),
    0x7F: (0, False),
    0xFF: (0, False),
}
"""The size of a value in bytes, and whether its leading length is added."""


def split_documents(batch: bytes) -> Iterator[bytes]:
    """The documents in a raw batch, one after the other."""
    position = 0
    while position < len(batch):
        size = _int32(batch, position)[0]
        yield batch[position : position + size]
        position += size


def learn(shape: ObjectShape, document: bytes, tally: int) -> None:
    """Widen ``shape`` by one document and count its values in ``tally``."""
    _Walk(document, tally).object(shape, 0)


def value_end(data: bytes, kind: int, position: int) -> int:
    """The position after the value that begins at ``position``; ValueError for an unknown type."""
    if kind == _REGEX:
        return data.index(0, data.index(0, position) + 1) + 1
    try:
        size, prefixed = _SIZES[kind]
    except KeyError:
        raise ValueError(f"there is no BSON type 0x{kind:02x}") from None
    if prefixed:
        size += int(_int32(data, position)[0])
    return position + size


class _Walk:
    """The walk over one document; the recursion is as deep as the document, which BSON limits to
    200."""

    __slots__ = ("data", "tally")

    def __init__(self, data: bytes, tally: int) -> None:
        self.data = data
        self.tally = tally

    def object(self, shape: ObjectShape, position: int) -> None:
        data = self.data
        shape.objects[self.tally] += 1
        fields = shape.fields
        position += 4
        while kind := data[position]:
            end = data.index(0, position)
            key = data[position + 1 : end]
            node = fields.get(key)
            if node is None:
                node = shape.node(key)
                if len(fields) >= 2 * shape.checked_at:
                    fold_if_data(shape)
                    node = shape.node(key)
            position = self.value(node, kind, end + 1)

    def array(self, shape: ArrayShape, position: int) -> None:
        data = self.data
        element = shape.element
        length = 0
        position += 4
        while kind := data[position]:
            position = self.value(element, kind, data.index(0, position + 1) + 1)
            length += 1
        shape.lengths[self.tally].add(length)

    def value(self, node: Node, kind: int, position: int) -> int:
        """Count one value and everything below it, and return its end."""
        name = _NAMES.get(kind)
        if name is not None:
            node.counts[self.tally][name] += 1
            return self.end(kind, position)
        data = self.data
        match kind:
            case 0x03:
                self.embedded(node, position)
            case 0x04:
                node.counts[self.tally]["array"] += 1
                if node.array is None:
                    node.array = ArrayShape()
                self.array(node.array, position)
            case 0x05:
                node.counts[self.tally][binary_type(data[position + 4])] += 1
        return value_end(data, kind, position)

    def end(self, kind: int, position: int) -> int:
        found = _SIZES.get(kind)
        if found is None:
            return value_end(self.data, kind, position)
        size, prefixed = found
        if prefixed:
            size += _int32(self.data, position)[0]
        return position + size

    def embedded(self, node: Node, position: int) -> None:
        if self.is_ref(position):
            node.counts[self.tally]["dbRef"] += 1
            if node.ref is None:
                node.ref = ObjectShape()
            self.object(node.ref, position)
        else:
            node.counts[self.tally]["object"] += 1
            if node.object is None:
                node.object = ObjectShape()
            self.object(node.object, position)

    def is_ref(self, position: int) -> bool:
        """Whether the document at ``position`` has ``$ref`` and ``$id``."""
        data = self.data
        end = position + _int32(data, position)[0]
        if data.find(b"$ref\0", position, end) < 0 or data.find(b"$id\0", position, end) < 0:
            return False
        keys = set()
        position += 4
        while kind := data[position]:
            name_end = data.index(0, position + 1)
            keys.add(data[position + 1 : name_end])
            position = value_end(data, kind, name_end + 1)
        return {b"$ref", b"$id"} <= keys


def identity(document: bytes) -> bytes | None:
    """The element ``_id`` of a document as a BSON document of its own; None if it has none."""
    position = 4
    while kind := document[position]:
        name_end = document.index(0, position + 1)
        end = value_end(document, kind, name_end + 1)
        if document[position + 1 : name_end] == b"_id":
            element = document[position:end]
            return (len(element) + 5).to_bytes(4, "little") + element + b"\0"
        position = end
    return None
