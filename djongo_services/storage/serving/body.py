"""The bytes of a response's content, read from the storage.

All bytes that Content-Length announces are sent only if all of them are right: the last piece is
held back until nothing can go wrong any more. An error that is found earlier ends the response
early, which clients notice.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncGenerator, AsyncIterator, Generator
from contextlib import aclosing, closing
from itertools import chain
from typing import Any

from django.http import StreamingHttpResponse
from pymongo.errors import AutoReconnect, CursorNotFound

from djongo_services.storage.bucket.file import StoredFile
from djongo_services.storage.errors import CorruptFile
from djongo_services.storage.serving.byteranges import ByteRange, Content
from djongo_services.storage.serving.conditional import content_checksum_of
from djongo_services.storage.serving.protocol import ServedStorage

_INTERRUPTIONS = (AutoReconnect, CursorNotFound)
"""A member that stopped, and a cursor that the server closed because the client is slow. What is
stored under one id never changes, so reading continues where it was."""


def read(
    storage: ServedStorage, stored: StoredFile, content: Content
) -> Generator[bytes, None, None]:
    """Yield the bytes; closing it frees the cursor. Raises CorruptFile, FileChanged and PyMongo's
    errors."""
    held = _HeldBack(stored, content)
    for step in content.steps:
        if isinstance(step, bytes):
            yield from held.exchange(step)
            continue
        with closing(_range(storage, stored, step)) as pieces:
            for piece in pieces:
                yield from held.exchange(piece)
    yield from held.release()


async def aread(
    storage: ServedStorage, stored: StoredFile, content: Content
) -> AsyncGenerator[bytes, None]:
    held = _HeldBack(stored, content)
    for step in content.steps:
        if isinstance(step, bytes):
            for before in held.exchange(step):
                yield before
            continue
        async with aclosing(_arange(storage, stored, step)) as pieces:
            async for piece in pieces:
                for ready in held.exchange(piece):
                    yield ready
    for last in held.release():
        yield last


class _HeldBack:
    """The last piece, and the checksum of all pieces."""

    def __init__(self, stored: StoredFile, content: Content) -> None:
        self._stored = stored
        self._expected = content_checksum_of(stored) if content.is_whole else None
        self._sum = hashlib.sha256()
        self._pieces: list[bytes] = []

    def exchange(self, piece: bytes) -> list[bytes]:
        """What may be sent now that another piece has arrived."""
        if self._expected is not None:
            self._sum.update(piece)
        ready, self._pieces = self._pieces, [piece]
        return ready

    def release(self) -> list[bytes]:
        if self._expected is not None and self._sum.hexdigest() != self._expected:
            raise CorruptFile(
                f"The file {self._stored.filename!r} (id {self._stored.id!r}) is damaged: its "
                f"bytes do not have the checksum of those that were stored."
            )
        return self._pieces


class _Progress:
    """The position of the reading within a range."""

    def __init__(self, stored: StoredFile, wanted: ByteRange) -> None:
        self.position = wanted.start
        self._stored, self._stop = stored, wanted.stop
        self._begun_at = -1

    def begin(self) -> int:
        self._begun_at = self.position
        return self.position

    def take(self, piece: bytes) -> bytes:
        self.position += len(piece)
        if self.position > self._stop:
            raise self._wrong_length()
        return piece

    def may_go_on(self) -> bool:
        """Whether there was progress since the last start."""
        return self.position > self._begun_at

    def finish(self) -> None:
        if self.position != self._stop:
            raise self._wrong_length()

    def _wrong_length(self) -> CorruptFile:
        return CorruptFile(
            f"The file {self._stored.filename!r} (id {self._stored.id!r}) is damaged: it does not "
            f"have the length in its files document."
        )


def _range(
    storage: ServedStorage, stored: StoredFile, wanted: ByteRange
) -> Generator[bytes, None, None]:
    progress = _Progress(stored, wanted)
    while True:
        pieces: Any = storage.read_range(stored, progress.begin(), wanted.stop)
        try:
            with closing(pieces):
                for piece in pieces:
                    yield progress.take(piece)
        except _INTERRUPTIONS:
            if progress.may_go_on():
                continue
            raise
        progress.finish()
        return


async def _arange(
    storage: ServedStorage, stored: StoredFile, wanted: ByteRange
) -> AsyncGenerator[bytes, None]:
    progress = _Progress(stored, wanted)
    while True:
        pieces: Any = storage.aread_range(stored, progress.begin(), wanted.stop)
        try:
            async with aclosing(pieces):
                async for piece in pieces:
                    yield progress.take(piece)
        except _INTERRUPTIONS:
            if progress.may_go_on():
                continue
            raise
        progress.finish()
        return


# A response that streams a content, and always closes what it reads from.
class FileStream(StreamingHttpResponse):
    """A streaming response that closes an async source itself; Django would leave that to the
    garbage collector.

    :param first: bytes that were already read from the source.
    """

    def __init__(
        self,
        content: Content,
        first: bytes,
        source: Generator[bytes, None, None] | AsyncGenerator[bytes, None],
    ) -> None:
        started: Any = (
            chain([first], source) if isinstance(source, Generator) else _achain(first, source)
        )
        super().__init__(started, status=content.status, headers=content.headers)
        self._source = source

    def close(self) -> None:
        if isinstance(self._source, Generator):
            self._source.close()
        super().close()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for piece in super().__aiter__():
                yield piece
        finally:
            if not isinstance(self._source, Generator):
                await self._source.aclose()


async def _achain(first: bytes, source: AsyncGenerator[bytes, None]) -> AsyncIterator[bytes]:
    if first:
        yield first
    async for piece in source:
        yield piece
