"""What tells one state of a file from another: ``ETag`` and ``Last-Modified`` (RFC 9110, 8.8)."""

from __future__ import annotations

import hashlib
import re

import bson
from django.utils.http import http_date, parse_etags

from djongo_services.storage.bucket.file import StoredFile

_CHECKSUM = re.compile(r"[0-9a-f]{64}")


def etag_of(file: StoredFile) -> str:
    """Strong: from the checksum of the bytes.

    A file without one, which another tool stored, is told by its id, date and length: what is
    stored under one id never changes.
    """
    checksum = checksum_of(file)
    if checksum is None:
        identity = {"_id": file.id, "uploadDate": file.upload_date, "length": file.length}
        checksum = hashlib.sha256(bson.encode(identity)).hexdigest()
    return f'"{checksum}"'


def checksum_of(file: StoredFile) -> str | None:
    """The SHA-256 of the bytes in the chunks, in lower case; None unless it is well-formed."""
    found = (file.sha256 or "").lower()
    return found if _CHECKSUM.fullmatch(found) else None


def content_checksum_of(file: StoredFile) -> str | None:
    """That of the content; None where codecs stand between it and the bytes in the chunks."""
    return None if file.metadata.get("codecs") else checksum_of(file)


def last_modified_of(file: StoredFile, now: float) -> int:
    """Whole seconds since 1970; never later than ``now``, which a clock that is ahead would say."""
    return min(int(file.upload_date.timestamp()), int(now))


def if_range_holds(header: str, etag: str, last_modified: int) -> bool:
    """Whether the client's part is of the file as it is, so that a range completes it.

    By the strong comparison: a weak tag never holds, and a date only when it is the very same.
    """
    header = header.strip()
    if header.startswith(('"', "W/")):
        return parse_etags(header) == [etag]
    return header == http_date(last_modified)
