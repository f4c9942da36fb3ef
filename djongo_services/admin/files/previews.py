"""What of a file can be shown without danger.

Text is read here and shown as text, whatever language it is in; images, sound, film and PDF are
shown by the browser, out of :mod:`raw`, if their type is one that runs nothing.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import Literal

from djongo_services.admin.files.families import family_of
from djongo_services.introspection.rendering.printable import printable
from djongo_services.storage import GridFSStorage
from djongo_services.storage.bucket import StoredFile
from djongo_services.storage.serving.policy import content_type_of, is_inline

TEXT_BYTES = 32 * 1024
"""Of a text that are shown."""
PICTURE_BYTES = 25_000_000
"""Of the largest image that a page loads by itself."""
LONGEST_LINE = 2_000

Kind = Literal["image", "audio", "video", "pdf", "text", "none"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Preview:
    kind: Kind
    text: str = ""
    is_cut: bool = False
    """Whether the file goes on behind the text."""


def preview(storage: GridFSStorage, stored: StoredFile) -> Preview:
    """Reads nothing unless it may be text. Raises what reading raises."""
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
    """None for what is none. What would steer the page around it is spelled out."""
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError as error:
        # A character that the cut went through is no objection.
        if error.start < len(head) - 3:
            return None
        text = head[: error.start].decode("utf-8")
    if "\0" in text:
        return None
    lines = text.expandtabs(4).split("\n")
    return "\n".join(printable(line.removesuffix("\r"))[:LONGEST_LINE] for line in lines)
