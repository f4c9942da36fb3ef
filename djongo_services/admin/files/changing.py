"""Changes to files documents that leave the chunks where they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pymongo.errors import DuplicateKeyError

from djongo_services.admin.files.buckets import files_of
from djongo_services.admin.patience import Mongo
from djongo_services.introspection.rendering.printable import printable
from djongo_services.storage.bucket.chunking import now
from djongo_services.storage.collector.places import Places
from djongo_services.storage.errors import FileChanged, NameTaken

Document = dict[str, Any]


def rename(database: Mongo, bucket: str, document: Mapping[str, Any], filename: str) -> None:
    """Raises NameTaken where another file has the name, FileChanged when this one changed."""
    files = Places.of(database, bucket).files
    if files.find_one({"filename": filename}, {"_id": 1}) is not None:
        raise _taken(filename)
    before = document.get("filename")
    change: Document = {"$set": {"filename": filename}}
    options: Document = {}
    metadata = document.get("metadata")
    if isinstance(metadata, Mapping) and isinstance(metadata.get("aliases"), list):
        # A file that several names share lists them all.
        change["$set"]["metadata.aliases.$[same].name"] = filename
        options["array_filters"] = [{"same.name": before}]
    query: Document = {"_id": {"$eq": document["_id"]}, "filename": {"$eq": before}}
    try:
        done = files.update_one(query, change, **options)
    except DuplicateKeyError as error:
        raise _taken(filename) from error
    if not done.matched_count:
        raise FileChanged("The file was deleted or renamed meanwhile; nothing was done.")


def make_current(database: Mongo, bucket: str, document: Mapping[str, Any]) -> None:
    """Let an older revision be the newest of its name: it counts as stored now."""
    files = Places.of(database, bucket).files
    query: Document = {
        "_id": {"$eq": document["_id"]},
        "filename": {"$eq": document.get("filename")},
    }
    if not files.update_one(query, {"$set": {"uploadDate": now()}}).matched_count:
        raise FileChanged("The file was deleted or renamed meanwhile; nothing was done.")


def revisions(database: Mongo, bucket: str, filename: str, most: int) -> list[Document]:
    """Ids, dates and lengths of the files of a name; the first is the current one."""
    found = files_of(database, bucket).find(
        {"filename": {"$eq": filename}},
        {"uploadDate": 1, "length": 1},
        sort={"uploadDate": -1, "_id": -1},
        limit=most,
    )
    return list(found)


def _taken(filename: str) -> NameTaken:
    return NameTaken(f"There is a file {printable(filename)!r} in the bucket already.")
