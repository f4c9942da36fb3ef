"""A stored file as a Python binary file: read in windows that grow while it is read in order."""

from __future__ import annotations

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
    """Holds no cursor: each window is a query of its own, and at most one window is in memory.

    A file that was read from its beginning to its end is compared with its checksum.
    """

    def __init__(self, file: StoredFile, size: int, read_range: ReadRange) -> None:
        super().__init__()
        self.stored = file
        self.size = size
        self._read_range = read_range
        self._position = 0
        self._window = memoryview(b"")
        self._begin = 0
        """Where the window lies in the file."""
        self._next_size = FIRST_WINDOW
        self._hash = hashlib.sha256() if _is_checkable(file) else None

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self.size}[whence]
        if base + offset < 0:
            raise ValueError(f"A file has no position {base + offset}.")
        self._position = base + offset
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

    def _fetch(self) -> None:
        in_order = self._position == self._begin + len(self._window)
        self._next_size = (
            min(self._next_size * 2, LARGEST_WINDOW) if in_order and self._window else FIRST_WINDOW
        )
        stop = min(self.size, self._position + self._next_size)
        data = b"".join(self._read_range(self._position, stop))
        self._check(data, in_order=in_order)
        self._begin, self._window = self._position, memoryview(data)

    def _check(self, data: bytes, *, in_order: bool) -> None:
        if self._hash is None:
            return
        if not in_order:
            self._hash = None
            return
        self._hash.update(data)
        if self._position + len(data) == self.size:
            digest, self._hash = self._hash.hexdigest(), None
            if digest != self.stored.sha256:
                raise CorruptFile(
                    f"The file {self.stored.filename!r} (id {self.stored.id!r}) is damaged: its "
                    f"bytes do not have the checksum that they were stored with."
                )


def _is_checkable(file: StoredFile) -> bool:
    """The checksum is that of the stored bytes; encoded ones are checked by their codecs."""
    return file.sha256 is not None and not file.metadata.get("codecs")
