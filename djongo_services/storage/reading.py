"""A stored file that is opened for reading: a Python binary file, and its equivalent for
coroutines."""

from __future__ import annotations

import errno
import hashlib
import io
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import aclosing
from typing import Any, Protocol, Self

from djongo_services.storage.bucket import StoredFile
from djongo_services.storage.codecs import plain_size
from djongo_services.storage.codecs.chain import has_random_access
from djongo_services.storage.errors import CorruptFile

FIRST_WINDOW = 256 * 1024
LARGEST_WINDOW = 4 * 1024 * 1024
"""Bytes that are read ahead: few after a seek, and more with each window."""

ReadRange = Callable[[int, int], Iterator[bytes]]


class StoredFileReader(io.RawIOBase):
    """A binary file that is read in windows, which grow during sequential reading.

    Each window is a query of its own, and at most one window is in memory.

    If a range cannot be read without everything before it (``random_access`` is False), one query
    continues while the file is read sequentially; closing the reader frees its cursor.

    The checksum is verified when a file was read from beginning to end.
    """

    def __init__(
        self,
        file: StoredFile,
        size: int,
        read_range: ReadRange,
        *,
        random_access: bool = True,
    ) -> None:
        super().__init__()
        self.stored = file
        self.size = size
        self._read_range = read_range
        self._random_access = random_access
        self._stream: Any = None
        """The stream for sequential reading, from the end of the window on."""
        self._position = 0
        self._window = memoryview(b"")
        self._begin = 0
        """The position of the window in the file."""
        self._next_size = FIRST_WINDOW
        self._checksum = Checksum(file, size)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._position = moved(self._position, self.size, offset, whence)
        return self._position

    def readinto(self, buffer: Any) -> int:
        target = memoryview(buffer).cast("B")
        if not self._begin <= self._position < self._begin + len(self._window):
            if self._position >= self.size or not target:
                return 0
            self._fetch()
        start = self._position - self._begin
        piece = self._window[start : start + len(target)]
        target[: len(piece)] = piece
        self._position += len(piece)
        return len(piece)

    def readall(self) -> bytes:
        pieces = []
        while piece := self.read(LARGEST_WINDOW):
            pieces.append(piece)
        return b"".join(pieces)

    def close(self) -> None:
        if not self.closed:
            self._drop_stream()
            self._window = memoryview(b"")
            super().close()

    def _fetch(self) -> None:
        in_order = self._position == self._begin + len(self._window)
        self._next_size = (
            min(self._next_size * 2, LARGEST_WINDOW) if in_order and self._window else FIRST_WINDOW
        )
        stop = min(self.size, self._position + self._next_size)
        if self._random_access:
            data = b"".join(self._read_range(self._position, stop))
        else:
            data = self._read_on(stop - self._position, in_order=in_order)
        self._checksum.take(self._position, data)
        self._begin, self._window = self._position, memoryview(data)

    def _read_on(self, wanted: int, *, in_order: bool) -> bytes:
        """Read at least ``wanted`` bytes; pieces keep their size.

        With the last bytes, the stream is read to its end, because what follows verifies them.
        """
        if not in_order or self._stream is None:
            self._drop_stream()
            self._stream = self._read_range(self._position, self.size)
        found = bytearray()
        left = self.size - self._position
        try:
            while (
                not wanted <= len(found) < left and (piece := next(self._stream, None)) is not None
            ):
                found += piece
        except BaseException:
            self._drop_stream()
            raise
        return bytes(found)

    def _drop_stream(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()


class AsyncReadable(Protocol):
    """What a storage must offer so that a file of it can be read."""

    def aread_range(
        self, stored: StoredFile, start: int, stop: int
    ) -> AsyncGenerator[bytes, None]: ...


class AsyncGridFSFile:
    """A file opened for reading: ``await read()``, ``seek()``, ``async for`` over its chunks.

    The checksum is verified when a file was read from beginning to end. Leaving its block, or
    ``await close()``, frees the cursor of a file that can only be read sequentially.
    """

    def __init__(self, storage: AsyncReadable, name: str, stored: StoredFile) -> None:
        self.name = name
        self.stored = stored
        self.size = plain_size(stored)
        self.closed = False
        self._storage = storage
        self._position = 0
        self._checksum = Checksum(stored, self.size)
        self._random_access = has_random_access(stored)
        self._stream: AsyncGenerator[bytes, None] | None = None
        self._left = b""
        """What the stream has returned already, from ``_left_at`` on."""
        self._left_at = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.close()

    async def close(self) -> None:
        self.closed = True
        await self._drop_stream()

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._position = moved(self._position, self.size, offset, whence)
        return self._position

    async def read(self, size: int = -1) -> bytes:
        """At most ``size`` bytes, or all remaining ones if it is negative."""
        if self.closed:
            raise ValueError(f"The file {self.name!r} is closed.")
        start = self._position
        stop = self.size if size < 0 else min(self.size, start + size)
        if start >= stop:
            return b""
        data = await (self._range(start, stop) if self._random_access else self._on(start, stop))
        self._position = start + len(data)
        self._checksum.take(start, data)
        return data

    async def chunks(self, chunk_size: int = FIRST_WINDOW) -> AsyncIterator[bytes]:
        """Yield the content from its beginning, in pieces of ``chunk_size`` bytes."""
        self.seek(0)
        while piece := await self.read(min(chunk_size, LARGEST_WINDOW)):
            yield piece

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self.chunks()

    async def _range(self, start: int, stop: int) -> bytes:
        async with aclosing(self._storage.aread_range(self.stored, start, stop)) as pieces:
            return b"".join([piece async for piece in pieces])

    async def _on(self, start: int, stop: int) -> bytes:
        """Continue one query, because a new one would have to read everything before it."""
        if self._stream is None or self._left_at != start:
            await self._drop_stream()
            self._stream = self._storage.aread_range(self.stored, start, self.size)
        found = bytearray(self._left)
        try:
            # With the last bytes, the stream is read to its end, because what follows verifies
            # them.
            while not stop - start <= len(found) < self.size - start:
                piece = await anext(self._stream, None)
                if piece is None:
                    break
                found += piece
        except BaseException:
            await self._drop_stream()
            raise
        self._left, self._left_at = bytes(found[stop - start :]), stop
        return bytes(found[: stop - start])

    async def _drop_stream(self) -> None:
        stream, self._stream, self._left = self._stream, None, b""
        if stream is not None:
            await stream.aclose()


class Checksum:
    """The checksum of sequentially read bytes, from the beginning; abandoned at the first gap.

    It covers the stored bytes; codecs check encoded ones.
    """

    def __init__(self, file: StoredFile, size: int) -> None:
        self._file = file
        self._size = size
        self._next = 0
        is_checkable = file.sha256 is not None and not file.metadata.get("codecs")
        self._hash = hashlib.sha256() if is_checkable else None

    def take(self, position: int, data: bytes) -> None:
        """Raises CorruptFile if ``data`` completes a file that does not match its checksum."""
        if self._hash is None:
            return
        if position != self._next:
            self._hash = None
            return
        self._hash.update(data)
        self._next += len(data)
        if self._next < self._size:
            return
        digest, self._hash = self._hash.hexdigest(), None
        if digest != self._file.sha256:
            raise CorruptFile(
                f"The file {self._file.filename!r} (id {self._file.id!r}) is damaged: its bytes "
                f"do not have the checksum that they were stored with."
            )


def moved(position: int, size: int, offset: int, whence: int) -> int:
    """The position after ``seek()``; raises what Python's own files raise."""
    match whence:
        case io.SEEK_SET:
            wanted = offset
        case io.SEEK_CUR:
            wanted = position + offset
        case io.SEEK_END:
            wanted = size + offset
        case _:
            raise ValueError(f"whence is 0, 1 or 2, not {whence!r}.")
    if wanted < 0:
        raise OSError(errno.EINVAL, f"A file has no position {wanted}.")
    return wanted
