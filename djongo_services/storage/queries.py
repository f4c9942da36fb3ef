"""Queries on the files documents of a bucket, by name."""

from __future__ import annotations

from typing import Any

NEWEST_FIRST = {"uploadDate": -1, "_id": -1}

_SHARED: dict[str, Any] = {"metadata.exclusive": True}
"""So that the index on further names, which is a partial one, is used."""


def named(filename: str, *, shared: bool = False) -> dict[str, Any]:
    """``shared``: also as one of the further names of a file that several have."""
    if shared:
        return {"$or": [{"filename": filename}, {**_SHARED, "metadata.aliases.name": filename}]}
    return {"filename": filename}


def named_or_within(filename: str, *, shared: bool = False) -> dict[str, Any]:
    """The same, or below the folder of that name."""
    below = within(f"{filename}/")
    if not shared:
        return {"$or": [named(filename), {"filename": below}]}
    further = _shared_within(f"{filename}/")
    return {"$or": [*named(filename, shared=True)["$or"], {"filename": below}, further]}


def folder_contents(folder: str) -> list[dict[str, Any]]:
    """A pipeline: each name right in the folder once, and whether something lies below it.

    Answered from the index on filename; what lies deeper is passed over, not sent.
    """
    return [{"$match": {"filename": within(folder)}}, *_first_parts("$filename", folder)]


def shared_folder_contents(folder: str) -> list[dict[str, Any]]:
    """The same of further names."""
    below = within(folder)
    return [
        {"$match": _shared_within(folder)},
        {"$project": {"_id": 0, "aliases": "$metadata.aliases"}},
        {"$unwind": "$aliases"},
        {"$match": {"aliases.name": below}},
        *_first_parts("$aliases.name", folder),
    ]


def within(folder: str) -> dict[str, Any]:
    """All that begin with the folder, which ends with a slash: it is followed by a zero."""
    return {"$gte": folder, "$lt": f"{folder[:-1]}0"} if folder else {"$type": "string"}


def _shared_within(folder: str) -> dict[str, Any]:
    one = {"$elemMatch": {"name": within(folder)}}
    return {**_SHARED, "metadata.aliases": one, "metadata.aliases.name": {"$exists": True}}


def _first_parts(name: str, folder: str) -> list[dict[str, Any]]:
    rest = {"$substrBytes": [name, len(folder.encode("utf-8")), -1]}
    return [
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
