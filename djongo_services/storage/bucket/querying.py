"""Which files documents are meant, the same for both flavours of a bucket."""

from __future__ import annotations

from typing import Any

from djongo_services.storage.bucket.options import checked_name
from djongo_services.storage.errors import NoFile

OLDEST_FIRST = {"uploadDate": 1, "_id": 1}
NEWEST_FIRST = {"uploadDate": -1, "_id": -1}


def revision(filename: str, number: int) -> dict[str, Any]:
    """Arguments of ``find_one``: 0 is the oldest file of a name, 1 the next, -1 the newest."""
    newest = number < 0
    return {
        "filter": {"filename": checked_name(filename)},
        "sort": NEWEST_FIRST if newest else OLDEST_FIRST,
        "skip": -number - 1 if newest else number,
    }


def no_id(files_id: Any) -> NoFile:
    return NoFile(f"There is no file with the id {files_id!r}.")


def no_name(filename: str, number: int) -> NoFile:
    if number in (0, -1):
        return NoFile(f"There is no file {filename!r}.")
    return NoFile(f"There is no revision {number} of the file {filename!r}.")
