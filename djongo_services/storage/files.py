"""What ``storage.open()`` returns: a Django File for a file of a bucket, for every mode."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable, Iterator
from typing import Any, Self

from django.core.files import File

from djongo_services.storage.reading import StoredFileReader, moved

IN_MEMORY = 2 * 1024 * 1024
"""A file that is changed in place stays in memory up to this many bytes; a larger one goes to a
temporary file."""

Keep = Callable[[Iterator[bytes]], object]
"""A function that stores content."""


class GridFSFile(File):  # type: ignore[type-arg]  # generic in the stubs only
    """A File whose changes are stored when it is closed, and discarded when its block raises."""

    def __init__(
        self,
        file: Any,
        name: str,
        mode: str,
        reopen: Callable[[str], GridFSFile],
        keep: Callable[[], object] | None = None,
    ) -> None:
        super().__init__(file, name)
        self.file: Any = file
        self.mode = mode
        self._reopen = reopen
        self._keep = keep
        """Stores what was written; None if the file was opened for reading."""

    def open(self, mode: str | None = None, *args: Any, **kwargs: Any) -> Self:
        """Start again from the beginning; after :meth:`close`, open the file in the storage
        again."""
        if not self.closed:
            self.seek(0)
            return self
        again = self._reopen(mode or self.mode)
        self.file, self.mode, self._keep = again.file, again.mode, again._keep
        # Django's File caches its size.
        vars(self).pop("size", None)
        if "size" in vars(again):
            self.size = again.size
        return self

    def __exit__(self, exc_type: Any, exc_value: Any, tb: Any) -> None:
        if exc_value is not None:
            self._keep = None
        self.close()

    def close(self) -> None:
        keep, self._keep = self._keep, None
        try:
            if keep is not None and not self.file.closed:
                self.file.flush()
                keep()
        finally:
            self.file.close()


class Mode:
    """A parsed mode of ``open()``. Raises ValueError for an invalid one."""

    def __init__(self, mode: str) -> None:
        base = mode.replace("b", "").replace("t", "").replace("+", "")
        wrong = len(set(mode)) != len(mode) or base not in ("r", "w", "a", "x")
        if wrong or ("b" in mode and "t" in mode):
            raise ValueError(f"Invalid mode {mode!r}; use r, w, a or x, with b or t, and +.")
        self.text = mode
        self.base = base
        self.is_text = "b" not in mode
        self.updates = "+" in mode
        self.writes = base != "r" or self.updates
        self.keeps_content = base in ("r", "a")


def reading(
    reader: StoredFileReader, name: str, mode: Mode, reopen: Callable[[str], GridFSFile]
) -> GridFSFile:
    file: Any = io.BufferedReader(reader, File.DEFAULT_CHUNK_SIZE)
    opened = GridFSFile(_text(file, mode), name, mode.text, reopen)
    opened.size = reader.size
    return opened


def changing(
    content: Iterator[bytes],
    name: str,
    mode: Mode,
    keep: Keep,
    reopen: Callable[[str], GridFSFile],
) -> GridFSFile:
    """``content`` is the initial content of the file."""
    draft = _Draft(content, appends=mode.base == "a")
    buffered = (io.BufferedRandom if mode.updates else io.BufferedWriter)(draft)
    file = _text(buffered, mode)
    return GridFSFile(file, name, mode.text, reopen, lambda: keep(draft.pieces()))


class _Draft(io.RawIOBase):
    """A temporary file that becomes the content of a stored one."""

    def __init__(self, content: Iterator[bytes], *, appends: bool) -> None:
        super().__init__()
        self._file = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115
        self._appends = appends
        for piece in content:
            self._file.write(piece)
        if not appends:
            self._file.seek(0)

    def pieces(self) -> Iterator[bytes]:
        self._file.seek(0)
        while piece := self._file.read(IN_MEMORY):
            yield piece

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        piece = self._file.read(len(buffer))
        buffer[: len(piece)] = piece
        return len(piece)

    def write(self, data: Any) -> int:
        if self._appends:
            self._file.seek(0, io.SEEK_END)
        return self._file.write(data)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._file.seek(moved(self._file.tell(), self._length(), offset, whence))

    def tell(self) -> int:
        return self._file.tell()

    def truncate(self, size: int | None = None) -> int:
        wanted = self._file.tell() if size is None else size
        if wanted > self._length():
            # A file in memory would keep its shorter length.
            self._file.rollover()
        self._file.truncate(wanted)
        return wanted

    def _length(self) -> int:
        position = self._file.tell()
        length = self._file.seek(0, io.SEEK_END)
        self._file.seek(position)
        return length

    def close(self) -> None:
        if not self.closed:
            super().close()
            self._file.close()


def _text(binary: Any, mode: Mode) -> Any:
    if not mode.is_text:
        return binary
    return io.TextIOWrapper(binary, encoding="utf-8")
