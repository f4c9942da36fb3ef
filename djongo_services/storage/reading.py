"""A stored file as a Python binary file: read in windows that grow while it is read in order."""

from __future__ import annotations

import errno
import hashlib
import io
from collections.abc import Callable, Iterator
from typing import Any

from djongo_services.storage.bucket import StoredFile
from djongo_services.storage.errors import CorruptFile

FIRST_WINDOW = 256 * 1024
LARGEST_WINDOW = 4 * 1024 * 1024
"""Bytes that are read ahead: few after a seek, more with every window that follows."""

ReadRange = Callable[[int, int], Iterator[bytes]]


class StoredFileReader(io.RawIOBase):
    """Each window is a query of its own, and at most one window is in memory.

    Where a range costs all that comes before it (``random_access`` is False), one query goes on
    while the file is read in order; closing the reader frees its cursor.

    A file that was read from its beginning to its end is compared with its checksum.
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
        """What is read in order, from the end of the window on."""
        self._position = 0
        self._window = memoryview(b"")
        self._begin = 0
        """Where the window lies in the file."""
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
        """At least ``wanted`` bytes, since pieces come as they are.

        With the last of them the stream is read out, because what follows them proves them.
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


class Checksum:
    """Of what is read in order from the beginning on; it is given up with the first gap.

    That of a file is of its stored bytes; encoded ones are checked by their codecs.
    """

    def __init__(self, file: StoredFile, size: int) -> None:
        self._file = file
        self._size = size
        self._next = 0
        is_checkable = file.sha256 is not None and not file.metadata.get("codecs")
        self._hash = hashlib.sha256() if is_checkable else None

    def take(self, position: int, data: bytes) -> None:
        """Raises CorruptFile when ``data`` is the end of a file that is another one."""
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
    """Where ``seek()`` leads; raises what that of Python's own files raises."""
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
