"""Keys of seeded documents: the n-th document of a kind has the same ObjectId in every run.

Twelve bytes: a fixed date, four letters for the kind, the number. The seeded documents of a kind
are therefore one range of ``_id``, separate from everything that is added later.
"""

from __future__ import annotations

import struct
from typing import Any

from bson import ObjectId

SEEDED_AT = 1_704_067_200  # 2024-01-01 UTC, in the bytes of an ObjectId that hold its date
LIMIT = 2**32 - 1


def key(kind: str, number: int) -> ObjectId:
    """``kind`` is four ASCII letters."""
    return ObjectId(struct.pack(">I4sI", SEEDED_AT, kind.encode("ascii"), number))


def all_of(kind: str) -> dict[str, Any]:
    """The query for every seeded document of a kind."""
    return {"_id": {"$gte": key(kind, 0), "$lte": key(kind, LIMIT)}}
