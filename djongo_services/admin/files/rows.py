"""The rows of a list of files: read without large parts, and made safe to display.

Names, types and metadata may contain anything. The server truncates what is too long for a line, so
that even a page of files with names of a megabyte each is small.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from djongo_services.admin.address import shown_name
from djongo_services.admin.files.address import BucketAddress, FileAddress
from djongo_services.admin.files.families import Family, family_of
from djongo_services.admin.files.previews import MAX_BYTES, can_make_thumbnails
from djongo_services.formatting import count, printable, shortened, size
from djongo_services.storage.serving.policy import is_inline

Document = Mapping[str, Any]

LONGEST_NAME = 500
"""The maximum number of characters of a filename that are read for a list."""
LONGEST_ID_BYTES = 1_000
SMALL_BYTES = 300_000
"""The size up to which images are shown unchanged in a list."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FileRow:
    address: FileAddress | None
    """The address; None if the id is too long for one."""
    id: str
    """The id as in addresses; empty without one."""
    name: str
    type: str
    family: Family
    badge: str
    """Shown instead of a picture: ``PDF``."""
    size: str
    added: str
    picture: Literal["", "raw", "thumbnail"]
    """The page with a picture of it, which is only displayed."""
    note: str = ""
    """The reason why a file is in the trash, or was found."""


def projection(prefix: str = "") -> dict[str, Any]:
    """A projection of files documents; ``prefix`` is their path in another document: ``file.``."""
    declared = {"$ifNull": [f"${prefix}metadata.contentType", f"${prefix}contentType"]}
    return {
        "_id": 0,
        "id": _no_longer_than("$_id", LONGEST_ID_BYTES),
        "filename": _cut(f"${prefix}filename", LONGEST_NAME),
        "length": _no_longer_than(f"${prefix}length", 100),
        "uploadDate": _no_longer_than(f"${prefix}uploadDate", 100),
        "type": _cut(declared, 100),
    }


def trash_projection() -> dict[str, Any]:
    """A projection of entries of the trash: files, abandoned uploads, and chunks alone."""
    return {
        **projection("file."),
        "filename": _cut({"$ifNull": ["$file.filename", "$upload.filename"]}, LONGEST_NAME),
        "length": {"$ifNull": ["$file.length", "$bytes"]},
        "kind": _cut("$kind", 40),
        "trashedAt": _no_longer_than("$trashedAt", 100),
        "reason": _cut("$reason", 200),
        "isFile": {"$eq": [{"$type": "$file"}, "object"]},
    }


def file_row(address: BucketAddress, document: Document, note: str = "") -> FileRow:
    """The row of a document with :func:`projection`."""
    filename, length = document.get("filename"), document.get("length")
    declared = document.get("type")
    kind = declared if isinstance(declared, str) else ""
    family = family_of(kind)
    own = None if document.get("id") is None else address.file(document["id"])
    return FileRow(
        address=own,
        id=own.text if own else "",
        name=filename_text(filename),
        type=shortened(printable(kind), 60),
        family=family,
        badge=badge_of(filename, kind),
        size=size_text(length),
        added=moment_text(document.get("uploadDate")),
        picture=_picture(length) if family == "image" and is_inline(kind) else "",
        note=note,
    )


def _picture(length: object) -> Literal["", "raw", "thumbnail"]:
    if not isinstance(length, int | float) or not 0 < length <= MAX_BYTES:
        return ""
    if length <= SMALL_BYTES:
        return "raw"
    return "thumbnail" if can_make_thumbnails() else ""


def filename_text(filename: object) -> str:
    if isinstance(filename, str) and filename:
        return shown_name(filename)
    return _("(without a name)")


def size_text(length: object) -> str:
    if isinstance(length, int | float) and not isinstance(length, bool) and length >= 0:
        return size(length)
    return "?"


def moment_text(when: object) -> str:
    """``2026-11-26 21:15 UTC``, if it is a date."""
    if not isinstance(when, datetime):
        return "?"
    aware = when if when.tzinfo else when.replace(tzinfo=UTC)
    return f"{aware.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def badge_of(filename: object, kind: str) -> str:
    """The extension of the name if it has one, otherwise the last part of the type."""
    ending = filename.rpartition(".")[2] if isinstance(filename, str) and "." in filename else ""
    if not (ending.isascii() and ending.isalnum() and len(ending) <= 4):
        ending = kind.partition("/")[2]
    return ending.upper()[:4] if ending.isascii() and ending.isalnum() else "?"


def _cut(value: Any, longest: int) -> dict[str, Any]:
    """A truncated text; None for other values."""
    is_text = {"$eq": [{"$type": value}, "string"]}
    text = {"$cond": [is_text, value, ""]}
    # Counting the characters of 16 MB of text takes long; its bytes are known.
    short = {"$lte": [{"$strLenBytes": text}, 4 * longest]}
    first = {"$substrCP": [text, 0, longest]}
    return {"$cond": [is_text, {"$cond": [short, value, first]}, None]}


def _no_longer_than(value: str, longest: int) -> dict[str, Any]:
    return {"$cond": [{"$lte": [{"$bsonSize": {"v": value}}, longest]}, value, None]}


def files_text(number: int) -> str:
    return ngettext("%(count)s file", "%(count)s files", number) % {"count": count(number)}


def uploads_text(number: int) -> str:
    text = ngettext("%(count)s upload in progress", "%(count)s uploads in progress", number)
    return text % {"count": count(number)}


def trash_text(number: int) -> str:
    text = ngettext("%(count)s in the trash", "%(count)s in the trash", number)
    return text % {"count": count(number)}


def chunks_text(number: int) -> str:
    return ngettext("%(count)s chunk", "%(count)s chunks", number) % {"count": count(number)}
