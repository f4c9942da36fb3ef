"""Full-text search, which the ORM does not support: PyMongo on the ORM's own connection."""

from __future__ import annotations

import datetime as dt
from time import perf_counter

from bson import ObjectId
from django.utils import timezone

from demo_project.archive.models import Note, Search
from djongo_services.connections import connections

MOST = 200


def search(words: str) -> list[ObjectId]:
    """Keys of the published notes that match best, at most :data:`MOST`; the search is logged."""
    started = perf_counter()
    collection = connections["default"].database[Note._meta.db_table]
    score = {"score": {"$meta": "textScore"}}
    cursor = (
        collection.find({"$text": {"$search": words}, "status": Note.Status.PUBLISHED.value}, score)
        .sort([("score", {"$meta": "textScore"})])
        .limit(MOST)
    )
    found: list[ObjectId] = [document["_id"] for document in cursor]
    Search.objects.create(
        words=words,
        results=len(found),
        took=dt.timedelta(seconds=round(perf_counter() - started, 3)),
        searched_at=timezone.now(),
    )
    return found
