"""One stored file for all names with the same content; its names are counted.

The file's document lists its names in ``metadata.aliases``; ``filename`` is one of them, so that
other tools find it too. Each decision is made by one update of one document.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from djongo_services.storage.bucket.chunking import Document

ALIASES = "metadata.aliases"


NAMELESS: dict[str, Any] = {f"{ALIASES}.0": {"$exists": False}}
"""A filter: no name refers to the file any more."""


def only_name(filename: str) -> dict[str, Any]:
    """A filter: the file has no other name."""
    return {f"{ALIASES}.name": filename, f"{ALIASES}.1": {"$exists": False}}


def make_shareable(document: Document, *, exclusive: bool) -> None:
    """Change a files document so that further names can join it, each independently."""
    document["metadata"]["shareable"] = True
    if exclusive:
        document["metadata"]["exclusive"] = True
    document["metadata"]["aliases"] = [_alias(document["filename"], document["uploadDate"])]


def follow_filename(document: Document) -> None:
    """Update the names after the filename of a document that is not stored yet has changed."""
    if "aliases" in document["metadata"]:
        at = document["uploadDate"]
        document["metadata"]["aliases"] = [_alias(document["filename"], at)]


def same_content(document: Document) -> dict[str, Any]:
    """A filter for a file that already has the same bytes and a name, but not this name.

    Files with different content types are not shared, because they are served differently.
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
    """An update that adds a name; ``at`` is since when the file has it."""
    return {"$push": {ALIASES: _alias(filename, at)}}


def drop_name(filename: str) -> list[dict[str, Any]]:
    """A pipeline update that removes a name, and makes another one the first if it was the
    first."""
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
