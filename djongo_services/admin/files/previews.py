"""The parts of a file that can be shown safely.

Text is read here and shown as text, whatever language it is in; the browser shows images, sound,
video and PDF, from :mod:`raw`, if their type cannot run scripts.
"""

from __future__ import annotations

import io
import os
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from pymongo.errors import PyMongoError

from djongo_services.admin.files import pictures
from djongo_services.admin.files.families import family_of
from djongo_services.formatting import printable
from djongo_services.storage import GridFSStorage
from djongo_services.storage.bucket import StoredFile
from djongo_services.storage.errors import StorageError
from djongo_services.storage.serving.policy import content_type_of, is_inline

TEXT_BYTES = 32 * 1024
"""The number of bytes of a text that are displayed."""
PICTURE_BYTES = 25_000_000
"""The size of the largest image that a page loads automatically."""
LONGEST_LINE = 2_000

Kind = Literal["image", "audio", "video", "pdf", "text", "none"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Preview:
    kind: Kind
    text: str = ""
    is_cut: bool = False
    """Whether the file is longer than the displayed text."""


def preview(storage: GridFSStorage, stored: StoredFile) -> Preview:
    """Read the beginning of the file if it may be text. Raises what reading raises."""
    name = stored.filename if isinstance(stored.filename, str) else ""
    kind = content_type_of(stored.content_type, name)
    size = storage.size_of(stored)
    family = family_of(kind)
    if not size:
        return Preview(kind="none")
    if family == "image" and is_inline(kind):
        return Preview(kind="image" if size <= PICTURE_BYTES else "none")
    if family == "audio":
        return Preview(kind="audio")
    if family == "video":
        return Preview(kind="video")
    if kind.partition(";")[0] == "application/pdf":
        return Preview(kind="pdf")
    if family in ("document", "archive"):
        return Preview(kind="none")
    with closing(storage.read_range(stored, 0, min(size, TEXT_BYTES))) as pieces:
        head = b"".join(pieces)
    text = _text(head)
    if text is None:
        return Preview(kind="none")
    return Preview(kind="text", text=text, is_cut=size > len(head))


def _text(head: bytes) -> str | None:
    """The text; None if it is not text. Control characters are made visible."""
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError as error:
        # A character that the cut split does not count against text.
        if error.start < len(head) - 3:
            return None
        text = head[: error.start].decode("utf-8")
    if "\0" in text:
        return None
    lines = text.expandtabs(4).split("\n")
    return "\n".join(printable(line.removesuffix("\r"))[:LONGEST_LINE] for line in lines)


# Thumbnails of images, if Pillow is installed.
MAX_BYTES = PICTURE_BYTES
"""The maximum size of a file: some decoders keep all of it in memory."""
SECONDS = 20.0
"""The time limit in seconds of a separate process, for a busy machine."""

_CONTAINER = b"ftyp"
"""From the fifth byte on: AVIF, whose decoder uses the frame's size and not the header that was
checked, and allocates that much."""


class _Bounded(io.BufferedReader):
    """A reader that allocates no more than a file has: a header may announce any number of bytes,
    and Pillow requests all of them at once."""

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(size if size is None or size < 0 else min(size, MAX_BYTES))


class NoThumbnail(Exception):
    """The bytes are not an image, or the image is too large."""


def can_make_thumbnails() -> bool:
    return find_spec("PIL") is not None


def thumbnail(file: io.RawIOBase | io.BytesIO) -> bytes:
    """A PNG of at most 144 pixels on a side.

    Raises NoThumbnail, and what reading the file raises.
    """
    try:
        buffered = _Bounded(file)
        if buffered.peek(8)[4:8] == _CONTAINER:
            return _made_apart(buffered.read())
        return pictures.make_small(buffered)
    except (NoThumbnail, PyMongoError, StorageError):
        raise
    except Exception as error:  # Pillow raises what its decoders raise, which may be anything.
        raise NoThumbnail(str(error)) from error


def _made_apart(data: bytes) -> bytes:
    """Make a thumbnail in a process with limited memory and time."""
    if find_spec("resource") is None:
        raise NoThumbnail("This system cannot limit a process.")
    spec = find_spec("PIL")
    folder = Path(spec.origin).parent.parent if spec is not None and spec.origin else Path()
    limits = (str(pictures.MEMORY), str(pictures.CPU_SECONDS))
    done = subprocess.run(  # noqa: S603 - our own interpreter and file
        # -I: only what is named here is imported.
        [sys.executable, "-I", pictures.__file__, str(folder), *limits],
        input=data,
        capture_output=True,
        # Each arena of the allocator would use as much address space as an image.
        env={**os.environ, "MALLOC_ARENA_MAX": "1"},
        timeout=SECONDS,
        check=False,
    )
    if done.returncode or not done.stdout:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise NoThumbnail(said[-1] if said else f"The decoder ended with {done.returncode}.")
    return done.stdout
