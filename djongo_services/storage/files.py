"""What ``storage.open()`` gives: Django's File over a file of a bucket, for every mode."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable, Iterator
from typing import IO, Any

from django.core.files import File

from djongo_services.storage.bucket import StoredFile
from djongo_services.storage.reading import StoredFileReader

IN_MEMORY = 2 * 1024 * 1024
"""Bytes of a file that is changed in place; more of them go to a temporary file."""

Replace = Callable[[Iterator[bytes]], StoredFile]
"""Stores content in place of the file's."""


class GridFSFile(File):  # type: ignore[type-arg]  # generic in the stubs only
    """A File whose changes are stored when it is closed, and dropped when its block raises."""

    def __init__(self, file: Any, name: str, mode: str, keep: Callable[[], Any] | None = None):
        super().__init__(file, name)
        self.file: Any = file
        self.mode = mode
        self._keep = keep
        """Stores what was written; None for a file that was opened for reading."""

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
    """A mode of ``open()``, taken apart. Raises ValueError for what is none."""

    def __init__(self, mode: str) -> None:
        base = mode.replace("b", "").replace("t", "").replace("+", "")
        wrong = len(set(mode)) != len(mode) or base not in ("r", "w", "a", "x")
        if wrong or ("b" in mode and "t" in mode):
            raise ValueError(f"Invalid mode {mode!r}; use r, w, a or x, with b or t, and +.")
        self.text = mode
        self.base = base
        self.is_text = "b" not in mode
        self.writes = base != "r" or "+" in mode
        self.keeps_content = base in ("r", "a")


def reading(reader: StoredFileReader, name: str, mode: Mode) -> GridFSFile:
    file: Any = io.BufferedReader(reader, File.DEFAULT_CHUNK_SIZE)
    opened = GridFSFile(_text(file, mode), name, mode.text)
    opened.size = reader.size
    return opened


def changing(content: Iterator[bytes], name: str, mode: Mode, replace: Replace) -> GridFSFile:
    """``content`` is what the file holds at first."""
    binary: IO[bytes] = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115
    for piece in content:
        binary.write(piece)
    if mode.base != "a":
        binary.seek(0)

    def keep() -> None:
        binary.seek(0)
        replace(iter(lambda: binary.read(IN_MEMORY), b""))

    return GridFSFile(_text(binary, mode), name, mode.text, keep)


def _text(binary: Any, mode: Mode) -> Any:
    if not mode.is_text:
        return binary
    return io.TextIOWrapper(binary, encoding="utf-8")
