"""One stored file for all names that have the same content, counted by their number.

The file's document lists its names in ``metadata.aliases``; ``filename`` is one of them, so that
other tools find it too. All that is decided is decided by one update of one document.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from djongo_services.storage.bucket.chunking import Document

ALIASES = "metadata.aliases"


NAMELESS: dict[str, Any] = {f"{ALIASES}.0": {"$exists": False}}
"""A filter: nobody has a name for the file any more."""


def only_name(filename: str) -> dict[str, Any]:
    """A filter: nobody has another name for the file."""
    return {f"{ALIASES}.name": filename, f"{ALIASES}.1": {"$exists": False}}


def make_shareable(document: Document, *, exclusive: bool) -> None:
    """Make a files document one that further names can join, each of them for itself."""
    document["metadata"]["shareable"] = True
    if exclusive:
        document["metadata"]["exclusive"] = True
    document["metadata"]["aliases"] = [_alias(document["filename"], document["uploadDate"])]


def follow_filename(document: Document) -> None:
    """After the filename of a document that is not stored yet has changed."""
    if "aliases" in document["metadata"]:
        at = document["uploadDate"]
        document["metadata"]["aliases"] = [_alias(document["filename"], at)]


def same_content(document: Document) -> dict[str, Any]:
    """A filter for a file that has the same bytes already, and a name, but not this one.

    Files whose content types differ are not the same to whoever is served with them.
    """
    metadata = document["metadata"]
    return {
        "metadata.sha256": metadata["sha256"],
        "metadata.shareable": True,
        "metadata.exclusive": True,
        "length": document["length"],
        "metadata.codecs": metadata.get("codecs"),
        "metadata.contentType": metadata.get("contentType"),
        f"{ALIASES}.0": {"$exists": True},
        f"{ALIASES}.name": {"$ne": document["filename"]},
    }


def add_name(filename: str, at: datetime) -> dict[str, Any]:
    """``at``: since when the file has it."""
    return {"$push": {ALIASES: _alias(filename, at)}}


def drop_name(filename: str) -> list[dict[str, Any]]:
    """A pipeline update: one name less, and another one first where it was that one."""
    others = {
        "$filter": {
            "input": {"$ifNull": [f"${ALIASES}", []]},
            "cond": {"$ne": ["$$this.name", {"$literal": filename}]},
        }
    }
    first = {"$arrayElemAt": [f"${ALIASES}.name", 0]}
    return [
        {"$set": {ALIASES: others}},
        {"$set": {"filename": {"$ifNull": [first, "$filename"]}}},
    ]


def has_no_name(document: Document) -> bool:
    return not document.get("metadata", {}).get("aliases")


def _alias(filename: Any, at: datetime) -> dict[str, Any]:
    return {"name": filename, "addedAt": at}
