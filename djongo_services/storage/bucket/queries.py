"""Queries for files documents: by id, name, revision and folder."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from djongo_services.storage.bucket.chunking import Document
from djongo_services.storage.bucket.layout import checked_name
from djongo_services.storage.errors import NoFile

OLDEST_FIRST = {"uploadDate": 1, "_id": 1}
NEWEST_FIRST = {"uploadDate": -1, "_id": -1}

BATCH = 1_000
"""Ids in one command."""


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


def batches(ids: Sequence[Any]) -> list[list[Any]]:
    return [list(ids[at : at + BATCH]) for at in range(0, len(ids), BATCH)]


def this_very(document: Document) -> Document:
    """A query for the files document itself, and not for another one with the same id."""
    # An id may be a document whose names look like operators.
    return {
        "_id": {"$eq": document["_id"]},
        "uploadDate": document["uploadDate"],
        "metadata.sha256": document["metadata"]["sha256"],
    }


PROVISIONAL = "metadata.provisional"
"""The alias of the row's database, in a file that waits for the commit of its row."""


_SHARED: dict[str, Any] = {"metadata.exclusive": True}
"""This condition makes the server use the index on further names, which is a partial one."""


def named(filename: str, *, shared: bool = False) -> dict[str, Any]:
    """A query for a filename; with ``shared``, also as a further name of a file that has
    several."""
    if shared:
        return {"$or": [{"filename": filename}, {**_SHARED, "metadata.aliases.name": filename}]}
    return {"filename": filename}


def named_or_within(filename: str, *, shared: bool = False) -> dict[str, Any]:
    """The same, or the files below the folder of that name."""
    below = within(f"{filename}/")
    if not shared:
        return {"$or": [named(filename), {"filename": below}]}
    further = _shared_within(f"{filename}/")
    return {"$or": [*named(filename, shared=True)["$or"], {"filename": below}, further]}


def settled(query: Mapping[str, Any]) -> dict[str, Any]:
    """The files of ``query`` that wait for nothing."""
    return {"$and": [query, {PROVISIONAL: {"$exists": False}}]}


def without(query: Mapping[str, Any], hidden: Collection[Any]) -> Mapping[str, Any]:
    """The files of ``query`` that do not have these ids."""
    return {"$and": [query, {"_id": {"$nin": list(hidden)}}]} if hidden else query


def folder_contents(
    folder: str, *, ids: Collection[Any] = (), names: Collection[str] = ()
) -> list[dict[str, Any]]:
    """A pipeline for each name directly in the folder, and whether something lies below it.

    It is answered from the index on filename; what lies deeper is skipped, not sent. Files with
    these ``ids`` and ``names`` do not count.
    """
    found = without({"filename": _within_but(folder, names)}, ids)
    return [{"$match": found}, *_first_parts("$filename", folder)]


def shared_folder_contents(folder: str, names: Collection[str] = ()) -> list[dict[str, Any]]:
    """The same for further names."""
    below = _within_but(folder, names)
    return [
        {"$match": _shared_within(folder)},
        {"$project": {"_id": 0, "aliases": "$metadata.aliases"}},
        {"$unwind": "$aliases"},
        {"$match": {"aliases.name": below}},
        *_first_parts("$aliases.name", folder),
    ]


def within(folder: str) -> dict[str, Any]:
    """All filenames in the folder, whose name ends with a slash; the character after a slash is the
    zero."""
    return {"$gte": folder, "$lt": f"{folder[:-1]}0"} if folder else {"$type": "string"}


def _within_but(folder: str, names: Collection[str]) -> dict[str, Any]:
    return {**within(folder), **({"$nin": list(names)} if names else {})}


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
