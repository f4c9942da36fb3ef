"""Queries on the files documents of a bucket, by name."""

from __future__ import annotations

from typing import Any

from djongo_services.storage.bucket import StoredFile

NEWEST_FIRST = {"uploadDate": -1, "_id": -1}


def named(filename: str, *, shared: bool = False) -> dict[str, Any]:
    """``shared``: also as one of the further names of a file that several have."""
    if shared:
        return {"$or": [{"filename": filename}, {"metadata.aliases.name": filename}]}
    return {"filename": filename}


def older_than(stored: StoredFile) -> dict[str, Any]:
    """The revisions of the same name that came before ``stored``."""
    return {
        "filename": stored.filename,
        "_id": {"$ne": stored.id},
        "$or": [
            {"uploadDate": {"$lt": stored.upload_date}},
            {"uploadDate": stored.upload_date, "_id": {"$lt": stored.id}},
        ],
    }


def folder_contents(folder: str) -> list[dict[str, Any]]:
    """A pipeline: each name right in the folder once, and whether something lies below it.

    Answered from the index on filename; what lies deeper is passed over, not sent.
    """
    within: dict[str, Any] = {"$type": "string"}
    if folder:
        # All that begin with the folder: "/" is followed by "0".
        within = {"$gte": folder, "$lt": f"{folder[:-1]}0"}
    rest = {"$substrBytes": ["$filename", len(folder.encode("utf-8")), -1]}
    return [
        {"$match": {"filename": within}},
        {"$project": {"_id": 0, "parts": {"$split": [rest, "/"]}}},
        {
            "$group": {
                "_id": {
                    "name": {"$arrayElemAt": ["$parts", 0]},
                    "folder": {"$gt": [{"$size": "$parts"}, 1]},
                }
            }
        },
    ]
