"""Earlier profiles: a series for each collection, limited in number and bytes.

One document for each: ``{"_id": {"c": "notes", "r": <run>}, "kept": {"finished", "reached",
"documents", "by", ...}, "size": 1234, "profile": <bytes>}``. The name is in the ``_id``, so that
the index of every collection finds a series in order.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from bson import MaxKey, MinKey, ObjectId
from pymongo import DESCENDING
from pymongo.database import Database

COLLECTION: Final = "djongo_services_past_profiles"
MOST: Final = 60
"""The maximum number of profiles of a collection: two months of nights."""
MOST_BYTES: Final = 16_000_000
"""The maximum size in bytes of one collection's profiles."""

Document = dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class PastProfile:
    """What is known about a profile without reading it."""

    id: ObjectId
    """The id of the run that took it."""
    finished: datetime
    reached: str
    documents: int
    by: str
    size: int
    """The size in bytes."""


class Series:
    """The profiles of one collection. All methods raise PyMongo's errors."""

    def __init__(self, database: Database[Document], name: str) -> None:
        self._profiles = database[COLLECTION]
        self._name = name

    def add(self, run: ObjectId, summed: Mapping[str, Any], data: bytes) -> None:
        """Add a profile, and delete the oldest ones beyond the limits."""
        kept = {name: {"$literal": value} for name, value in summed.items()}
        stage = {
            "kept": {**kept, "finished": "$$NOW"},
            "size": len(data),
            "profile": {"$literal": data},
        }
        self._profiles.update_one({"_id": self._id(run)}, [{"$set": stage}], upsert=True)
        if old := [one.id for one in _beyond(self.listed(MOST * 2))]:
            self._profiles.delete_many({"_id": {"$in": [self._id(run) for run in old]}})

    def listed(self, most: int = MOST) -> list[PastProfile]:
        """The profiles, newest first, without their content."""
        found = self._profiles.find(self._query(), {"profile": 0})
        return [_past(one) for one in found.sort("_id", DESCENDING).limit(most)]

    def read(self, runs: Iterable[ObjectId]) -> dict[ObjectId, bytes]:
        """The packed profiles of these runs, as far as they still exist."""
        wanted = [self._id(run) for run in runs]
        if not wanted:
            return {}
        found = self._profiles.find({"_id": {"$in": wanted}}, {"profile": 1})
        return {one["_id"]["r"]: one["profile"] for one in found}

    def _id(self, run: Any) -> Document:
        return {"c": self._name, "r": run}

    def _query(self) -> Document:
        return {"_id": {"$gt": self._id(MinKey()), "$lt": self._id(MaxKey())}}


def _beyond(newest_first: Iterable[PastProfile]) -> Iterator[PastProfile]:
    """The profiles beyond the limits; the newest is never among them."""
    size = 0
    for number, one in enumerate(newest_first):
        size += one.size
        if number and (number >= MOST or size > MOST_BYTES):
            yield one


def _past(document: Document) -> PastProfile:
    kept = document["kept"]
    return PastProfile(
        id=document["_id"]["r"],
        finished=kept["finished"],
        reached=kept["reached"],
        documents=kept["documents"],
        by=kept["by"],
        size=document["size"],
    )
