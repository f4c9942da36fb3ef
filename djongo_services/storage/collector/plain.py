"""Raw batches whose documents are all laid out alike, told and unpacked without decoding them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from struct import Struct
from typing import Any


class Plain:
    """One layout of fixed length.

    ``signature`` has bytes by their offset in every document: the length, the types of the
    elements and what tells their names apart. Elements of these types have these sizes, so that a
    document of that length with those bytes can only be of that layout.
    """

    def __init__(self, struct: Struct, signature: Mapping[int, int]) -> None:
        self._struct = struct
        self._signature = {offset: bytes((byte,)) for offset, byte in signature.items()}

    def fits(self, batch: bytes) -> bool:
        """Whether every document of the batch has this layout."""
        size = self._struct.size
        count, rest = divmod(len(batch), size)
        return not rest and all(
            batch[offset::size] == byte * count for offset, byte in self._signature.items()
        )

    def unpack(self, batch: bytes) -> Iterator[tuple[Any, ...]]:
        return self._struct.iter_unpack(batch)
