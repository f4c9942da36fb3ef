"""The kinds of garbage, and one item with everything that its removal checks again."""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import bson
import bson.errors
from bson import Regex

from djongo_services.formatting import count
from djongo_services.storage.collector.bson_order import Key, sort_key
from djongo_services.translation import gettext_noop, ngettext


class Kind(enum.StrEnum):
    """Kinds of garbage, with their names in ``--only``, in reports and in entries of the trash."""

    ORPHAN_CHUNKS = "orphan-chunks"
    """Chunks that belong to no file, no upload and no entry of the trash; all chunks with one
    files_id count as one."""
    BROKEN = "broken"
    """Files whose chunks do not match their files document."""
    UNREFERENCED = "unreferenced"
    """Files that no row and no provider refers to."""
    SUPERSEDED = "superseded"
    """Files with a newer revision of the same name."""
    STALE_UPLOADS = "stale-uploads"
    """Uploads that the upload handler began and that were abandoned."""

    @property
    def words(self) -> str:
        """The words of several, to be translated."""
        return _KINDS[self].words

    def counted(self, number: int) -> str:
        """``1 broken file``, ``1,234 broken files``, in the reader's language."""
        return _KINDS[self].counted(number) % {"count": count(number)}

    @property
    def heading(self) -> str:
        """The name for all of them on a page, to be translated."""
        return _KINDS[self].heading or self.words

    @property
    def meaning(self) -> str:
        """A sentence that explains it, to be translated."""
        return _KINDS[self].meaning

    @property
    def is_file(self) -> bool:
        """Whether it has a files document, which a row or a text may refer to."""
        return _KINDS[self].is_file

    @property
    def needs_names(self) -> bool:
        """Whether the names of all files are needed to find it."""
        return _KINDS[self].needs_names

    @property
    def needs_chunks(self) -> bool:
        """Whether all chunks are read to find it."""
        return _KINDS[self].needs_chunks


@dataclass(frozen=True, kw_only=True, slots=True)
class _About:
    words: str
    """The plural."""
    counted: Callable[[int], str]
    """A number of them, in words."""
    meaning: str
    heading: str = ""
    """The heading on the pages, if it is not the plural."""
    is_file: bool = False
    needs_names: bool = False
    needs_chunks: bool = False


_KINDS = {
    Kind.ORPHAN_CHUNKS: _About(
        words=gettext_noop("runs of orphan chunks"),
        counted=lambda number: ngettext(
            "%(count)s run of orphan chunks", "%(count)s runs of orphan chunks", number
        ),
        meaning=gettext_noop("Chunks without a file or an upload."),
        heading=gettext_noop("orphan chunks"),
        needs_chunks=True,
    ),
    Kind.BROKEN: _About(
        words=gettext_noop("broken files"),
        counted=lambda number: ngettext("%(count)s broken file", "%(count)s broken files", number),
        meaning=gettext_noop("Files whose chunks do not match their files document."),
        is_file=True,
        needs_chunks=True,
    ),
    Kind.UNREFERENCED: _About(
        words=gettext_noop("unreferenced files"),
        counted=lambda number: ngettext(
            "%(count)s unreferenced file", "%(count)s unreferenced files", number
        ),
        meaning=gettext_noop("Files that nothing in the project refers to."),
        is_file=True,
        needs_names=True,
    ),
    Kind.SUPERSEDED: _About(
        words=gettext_noop("superseded revisions"),
        counted=lambda number: ngettext(
            "%(count)s superseded revision", "%(count)s superseded revisions", number
        ),
        meaning=gettext_noop("Files with a newer revision of the same name."),
        is_file=True,
        needs_names=True,
    ),
    Kind.STALE_UPLOADS: _About(
        words=gettext_noop("stale uploads"),
        counted=lambda number: ngettext(
            "%(count)s stale upload", "%(count)s stale uploads", number
        ),
        meaning=gettext_noop("Abandoned uploads."),
    ),
}

ALL = frozenset(Kind)
FILE_KINDS = tuple(kind for kind in Kind if kind.is_file)


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidate:
    kind: Kind
    id: Any
    names: tuple[str, ...] = ()
    bytes: int
    chunks: int = 0
    """The number of chunks of orphan chunks."""
    since: datetime | None
    reason: str = ""

    @property
    def key(self) -> Key:
        return sort_key(self.id)

    @property
    def filename(self) -> str | None:
        return self.names[0] if self.names else None


def can_be_named(id: Any) -> bool:
    """Whether a query for the id finds exactly that id.

    The server would treat a regular expression as a pattern, a document with a dollar as an
    operator, and an array as its elements; text that is not UTF-8 cannot be sent at all.
    """
    if isinstance(id, Regex | list):
        return False
    if isinstance(id, dict) and any(name.startswith("$") for name in id):
        return False
    try:
        bson.encode({"": id})
    except (bson.errors.BSONError, UnicodeEncodeError, OverflowError):
        return False
    return True


def is_sendable(name: str) -> bool:
    """Whether a filename is text that can be sent to a database."""
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
