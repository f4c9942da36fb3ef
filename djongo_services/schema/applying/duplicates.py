"""Documents that prevent a unique index."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pymongo.collation import Collation
from pymongo.database import Database

from djongo_services.bson_decoding import LENIENT
from djongo_services.schema.spec import IndexSpec

Document = dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Duplicate:
    """One key that several documents share."""

    key: Document
    """Values by field, in the order of the index's keys."""
    documents: int
    examples: tuple[Any, Any]
    """Two of their ``_id`` values."""


def find_duplicates(
    database: Database[Document], collection: str, index: IndexSpec, *, limit: int = 10
) -> list[Duplicate]:
    """The keys that most documents share first; the server groups them, and may use its disk.

    A missing field counts as null, and a partial or sparse index considers only its own documents,
    as in the server. An array is compared as a whole: a duplicate between elements of two arrays is
    not listed.
    """
    names = [name for name, _ in index.keys]
    filter_ = dict(index.options.get("partialFilterExpression", {}))
    if index.options.get("sparse"):
        filter_["$or"] = [{name: {"$exists": True}} for name in names]
    key = {str(n): {"$ifNull": [f"${name}", None]} for n, name in enumerate(names)}
    pipeline: list[Document] = [
        {"$match": filter_},
        {
            "$group": {
                "_id": key,
                "n": {"$sum": 1},
                "low": {"$min": "$_id"},
                "high": {"$max": "$_id"},
            }
        },
        {"$match": {"n": {"$gt": 1}}},
        {"$sort": {"n": -1, "_id": 1}},
        {"$limit": limit},
    ]
    collation = index.options.get("collation")
    found = database.with_options(codec_options=LENIENT)[collection].aggregate(
        pipeline,
        allowDiskUse=True,
        collation=Collation(**_known(collation)) if collation else None,
    )
    return [
        Duplicate(
            key={name: group["_id"].get(str(n)) for n, name in enumerate(names)},
            documents=group["n"],
            examples=(group["low"], group["high"]),
        )
        for group in found
    ]


def _known(collation: Any) -> Document:
    return {name: value for name, value in collation.items() if name != "version"}
