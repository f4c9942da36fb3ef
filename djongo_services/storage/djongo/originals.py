"""What a bucket of djongo's holds, name by name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from djongo_services.storage.bucket import Bucket
from djongo_services.storage.bucket.chunking import Document

PAGE = 500
"""Files documents that are read at once, by a query of their own: copying the files of one may take
longer than a server keeps a cursor."""

_IN_ORDER = {"filename": 1, "uploadDate": 1, "_id": 1}


@dataclass(frozen=True, kw_only=True, slots=True)
class Original:
    """One name, and the files documents of its revisions, the current one last."""

    filename: str
    revisions: tuple[Document, ...]


def pages(bucket: Bucket) -> Iterator[list[Original]]:
    """In the order of their names. Files without a name are left out."""
    after: dict[str, Any] = {"$type": "string"}
    while found := _find(bucket, {"filename": after}, limit=PAGE):
        page = [
            Original(filename=filename, revisions=tuple(revisions))
            for filename, revisions in groupby(found, key=lambda each: each["filename"])
        ]
        if len(found) == PAGE:
            # The last name may go on after the page.
            last = page.pop().filename
            if not page:
                revisions = tuple(_find(bucket, {"filename": last}))
                page.append(Original(filename=last, revisions=revisions))
        yield page
        after = {"$gt": page[-1].filename}


def nameless(bucket: Bucket) -> Iterator[Document]:
    yield from bucket.files.find({"filename": {"$not": {"$type": "string"}}}, batch_size=PAGE)


def _find(bucket: Bucket, query: dict[str, Any], *, limit: int = 0) -> list[Document]:
    found = bucket.files.find(query, sort=_IN_ORDER, limit=limit, allow_disk_use=True)
    return list(found)
