"""What can be uploaded: bytes, binary files and iterables of bytes."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from typing import Protocol, TypeAlias, runtime_checkable

PIECE = 1024 * 1024
"""Bytes that are read from a file at once."""


@runtime_checkable
class Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


Source: TypeAlias = "bytes | bytearray | memoryview | Readable | Iterable[bytes]"
AsyncSource: TypeAlias = "Source | AsyncIterable[bytes]"


def pieces(source: Source | str) -> Iterator[bytes | bytearray | memoryview]:
    """Raises TypeError for text and for everything else that has no bytes."""
    if isinstance(source, str):
        raise _no_source(source)
    if isinstance(source, bytes | bytearray | memoryview):
        yield source
    elif isinstance(source, Readable):
        while piece := source.read(PIECE):
            yield checked(piece)
    elif isinstance(source, Iterable):
        for piece in source:
            yield checked(piece)
    else:
        raise _no_source(source)


async def apieces(source: AsyncSource | str) -> AsyncIterator[bytes | bytearray | memoryview]:
    """The same; a plain file is read in the event loop's thread."""
    if isinstance(source, AsyncIterable):
        async for each in source:
            yield checked(each)
    else:
        for piece in pieces(source):
            yield piece


def checked(piece: object) -> bytes | bytearray | memoryview:
    if not isinstance(piece, bytes | bytearray | memoryview):
        raise _no_source(piece)
    return piece


def _no_source(found: object) -> TypeError:
    return TypeError(
        f"A file is made of bytes, not of {type(found).__name__}; encode text, or open the source "
        f"in binary mode."
    )
