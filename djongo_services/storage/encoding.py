"""What a file passes through on its way into the bucket."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from django.core.files import File

from djongo_services.storage.bucket.sources import pieces
from djongo_services.storage.codecs import Chain
from djongo_services.storage.content_types import HEAD

PIECE = 256 * 1024
"""Bytes that are asked of the source at once."""


class IterableFile(File):  # type: ignore[type-arg]  # generic in the stubs only
    """An iterable of bytes as content to be saved, once."""

    def __init__(self, content: Any, name: str | None) -> None:
        super().__init__(None, name)
        self._content = content

    def chunks(self, chunk_size: int | None = None) -> Iterator[Any]:
        """As they come. Raises TypeError for what is no iterable of bytes."""
        yield from pieces(self._content)


def content_pieces(content: Any) -> Iterator[bytes]:
    """From the beginning of a Django File; text is stored as UTF-8."""
    for piece in content.chunks(PIECE):
        yield piece.encode("utf-8") if isinstance(piece, str) else bytes(piece)


def with_head(content: Iterable[bytes]) -> tuple[bytes, Iterator[bytes]]:
    """The first bytes, and all of them again."""
    source = iter(content)
    first: list[bytes] = []
    while sum(map(len, first)) < HEAD and (piece := next(source, None)) is not None:
        first.append(piece)

    def everything() -> Iterator[bytes]:
        yield from first
        first.clear()
        yield from source

    return b"".join(first)[:HEAD], everything()


def encoded(chain: Chain, content: Iterable[bytes]) -> Iterator[bytes]:
    for piece in content:
        yield from chain.encode(piece)
    yield from chain.finish()
