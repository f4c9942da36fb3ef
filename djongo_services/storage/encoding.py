"""What a file passes through on its way into the bucket."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from djongo_services.storage.codecs import Chain
from djongo_services.storage.content_types import HEAD

PIECE = 256 * 1024
"""Bytes that are asked of the source at once."""


def content_pieces(content: Any) -> Iterator[bytes]:
    """From the beginning of a Django File; text is stored as UTF-8."""
    for piece in content.chunks(PIECE):
        yield piece.encode("utf-8") if isinstance(piece, str) else bytes(piece)


def with_head(pieces: Iterable[bytes]) -> tuple[bytes, Iterator[bytes]]:
    """The first bytes, and all of them again."""
    source = iter(pieces)
    first: list[bytes] = []
    while sum(map(len, first)) < HEAD and (piece := next(source, None)) is not None:
        first.append(piece)

    def everything() -> Iterator[bytes]:
        yield from first
        first.clear()
        yield from source

    return b"".join(first)[:HEAD], everything()


def encoded(chain: Chain, pieces: Iterable[bytes]) -> Iterator[bytes]:
    for piece in pieces:
        yield from chain.encode(piece)
    yield from chain.finish()
