"""Finding files that are older revisions of a name.

Names that occur once, as nearly all do, are recognised in one pass over the index on names with a
bitmap; only the others are queried. The bitmap has the same size for any number of files: a name
that shares its bit with another causes a needless query, and nothing worse.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import bson

from djongo_services.progress import Stop
from djongo_services.storage.bucket.queries import PROVISIONAL
from djongo_services.storage.collector.bson_order import Key, sort_key
from djongo_services.storage.collector.collections import EXACT, BucketCollections, IndexStream
from djongo_services.storage.collector.decoding import ScannedFile

_AT_ONCE = 2_000
BITS = 1 << 23
"""One megabyte. With 100,000 repeated names, one other name in 84 causes a needless query."""


class Revisions:
    def __init__(self, collections: BucketCollections) -> None:
        self._collections = collections
        self._repeated: bytearray | None = None
        """None: any name may be repeated."""
        self._any = False

    def prepare(self, *, stop: Stop | None) -> None:
        """Read all names, if there is an index on them."""
        if not self._collections.has_names_index():
            return
        stream = IndexStream(
            collection=self._collections.files,
            keys=("filename", "uploadDate"),
            projection={"_id": 0, "filename": 1, "uploadDate": 1},
            batch_size=_AT_ONCE,
            stop=stop,
        )
        self._repeated = repeated = bytearray(BITS // 8)
        before: Any = None
        for batch in stream.batches():
            for document in bson.decode_all(batch, EXACT):
                name = document.get("filename")
                if name == before and isinstance(name, str):
                    bit = hash(name) % BITS
                    repeated[bit >> 3] |= 1 << (bit & 7)
                    self._any = True
                before = name

    def superseded(self, rows: Sequence[ScannedFile]) -> dict[Key, datetime | None]:
        """The files among the rows that are not the newest of their name, with the newest one's
        date.

        A file that several names share is never among them: it is the only one of each name.
        """
        if self._repeated is not None and not self._any:
            return {}
        asked = {row.names[0]: row for row in rows if self._may_repeat(row)}
        newest = newest_of(self._collections, asked) if asked else {}
        found: dict[Key, datetime | None] = {}
        for row in rows:
            if len(row.names) == 1 and row.names[0] in newest:
                key, date = newest[row.names[0]]
                if key != row.key:
                    found[row.key] = date
        return found

    def _may_repeat(self, row: ScannedFile) -> bool:
        if len(row.names) != 1:
            return False
        if self._repeated is None:
            return True
        bit = hash(row.names[0]) % BITS
        return bool(self._repeated[bit >> 3] & 1 << (bit & 7))


def newest_of(
    collections: BucketCollections, names: Iterable[str]
) -> dict[str, tuple[Key, datetime | None]]:
    """The current file of each name: the newest uploadDate, and the greater id if two are equal.

    A file that waits for the commit of its row replaces no other.
    """
    pipeline: list[dict[str, Any]] = [
        {"$match": {"filename": {"$in": list(names)}}},
        {
            "$group": {
                "_id": "$filename",
                # Documents compare by their values in order.
                "newest": {
                    "$max": {
                        "settled": {"$eq": [{"$type": f"${PROVISIONAL}"}, "missing"]},
                        "date": {"$ifNull": ["$uploadDate", None]},
                        "id": "$_id",
                    }
                },
            }
        },
    ]
    found: dict[str, tuple[Key, datetime | None]] = {}
    for group in collections.files.aggregate(pipeline):
        date = group["newest"]["date"]
        key = sort_key(group["newest"]["id"])
        found[group["_id"]] = key, date if isinstance(date, datetime) else None
    return found
