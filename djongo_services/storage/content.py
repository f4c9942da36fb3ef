"""Content that is saved in a bucket, and the content type that is kept with it."""

from __future__ import annotations

import mimetypes
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeAlias

from django.core.exceptions import ImproperlyConfigured
from django.core.files import File
from django.utils.module_loading import import_string

from djongo_services.storage.bucket.sources import pieces
from djongo_services.storage.codecs import Chain

PIECE = 256 * 1024
"""Bytes that are read from the source at once."""

UNKNOWN = "application/octet-stream"
HEAD = 4_096
"""The number of first bytes that suffice to recognise a format."""

POLICIES = ("name", "declared", "content")

Policy: TypeAlias = str
"""``name`` (by its extension), ``declared`` (by the uploader), ``content`` (by its first bytes), or
the dotted path of a function ``(name, content, head) -> str``."""


class IterableFile(File):  # type: ignore[type-arg]  # generic in the stubs only
    """An iterable of bytes that can be saved once, as content."""

    def __init__(self, content: Any, name: str | None) -> None:
        super().__init__(None, name)
        self._content = content

    def chunks(self, chunk_size: int | None = None) -> Iterator[Any]:
        """The bytes in the given pieces. Raises TypeError if it is not an iterable of bytes."""
        yield from pieces(self._content)


def content_pieces(content: Any) -> Iterator[bytes]:
    """The pieces of a Django File from its beginning; text is stored as UTF-8."""
    for piece in content.chunks(PIECE):
        yield piece.encode("utf-8") if isinstance(piece, str) else bytes(piece)


def with_head(content: Iterable[bytes]) -> tuple[bytes, Iterator[bytes]]:
    """The first bytes, and an iterator over all bytes, including those."""
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


# The content type that is kept with a file.
def content_type_of(policy: Policy, name: str, content: Any, head: bytes) -> str:
    """``head`` are the first bytes, at least :data:`HEAD` of them if there are that many."""
    match policy:
        case "name":
            return by_name(name)
        case "declared":
            declared = getattr(content, "content_type", None)
            return declared if isinstance(declared, str) and declared else by_name(name)
        case "content":
            return sniffed(head, name)
    chosen: Callable[[str, Any, bytes], str] = import_string(policy)
    return chosen(name, content, head)


def by_name(name: str) -> str:
    found, encoding = mimetypes.guess_type(name, strict=False)
    # A compressed file has its own type, not that of its decompressed content.
    return found if found and encoding is None else UNKNOWN


def sniffed(head: bytes, name: str) -> str:
    """The type that the bytes show, which cannot be faked; text has no signature, so its name
    decides.

    A name that claims a format without that format's signature is not believed.
    """
    puremagic = sniffer()
    try:
        found: str = puremagic.from_string(head, mime=True)
    except (puremagic.PureError, ValueError):
        found = ""
    if found:
        return found
    named = by_name(name)
    return named if named.startswith("text/") and _is_text(head) else UNKNOWN


def sniffer() -> Any:
    try:
        import puremagic
    except ImportError as error:
        raise ImproperlyConfigured(
            "Recognising content needs the package puremagic: "
            "pip install 'djongo-services[uploads]'."
        ) from error
    return puremagic


def _is_text(head: bytes) -> bool:
    try:
        head[: HEAD - 3].decode("utf-8")
    except UnicodeDecodeError as error:
        # A character that the cut split does not count against text.
        return error.start > len(head[: HEAD - 3]) - 4
    return b"\0" not in head
