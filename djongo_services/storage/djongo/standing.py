"""How far a page of files is in the new storage already."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from djongo_services.storage.bucket import StoredFile
from djongo_services.storage.codecs import plain_size
from djongo_services.storage.gridfs import GridFSStorage

Key = Any
"""An id as a key of dicts, which not all BSON values can be."""


def key_of(id: Any) -> Key:
    return id if type(id).__hash__ is not None else repr(id)


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """One file that is to be in the new storage."""

    name: str
    """In the new storage."""
    stored: StoredFile
    """The original."""
    newest: bool
    """Whether it is the current revision of its name."""


class Standing:
    """Looked up for a page at once; each file is compared only where its name is taken."""

    def __init__(self, new: GridFSStorage, wanted: Sequence[Wanted]) -> None:
        self._new = new
        self._own: dict[str, set[Key]] = {}
        for each in wanted:
            self._own.setdefault(each.name, set()).add(key_of(each.stored.id))
        ids = [each.stored.id for each in wanted]
        names = [new.full_name(each.name) for each in wanted]
        files, trash = new.bucket.files, new.bucket.trash
        self._copies = {key_of(each["_id"]): each for each in files.find({"_id": {"$in": ids}})}
        self._trashed = {
            key_of(each["_id"]) for each in trash.find({"_id": {"$in": ids}}, {"_id": 1})
        }
        self._named: dict[str, list[dict[str, Any]]] = {}
        for document in files.find(_named(new, names), sort={"uploadDate": 1, "_id": 1}):
            for name in _names_of(document):
                self._named.setdefault(name, []).append(document)

    def is_copied(self, wanted: Wanted) -> bool:
        """Whether an earlier run copied it."""
        copy = self._copies.get(key_of(wanted.stored.id))
        if copy is None or self._new.full_name(wanted.name) not in _names_of(copy):
            return False
        return plain_size(StoredFile.from_document(copy)) == plain_size(wanted.stored)

    def other(self, wanted: Wanted) -> StoredFile | None:
        """The current one of the files that have its name and are no copies of its revisions."""
        others = self._others(wanted)
        return StoredFile.from_document(others[-1]) if others else None

    def is_free(self, wanted: Wanted) -> bool:
        """Whether nothing has its id."""
        key = key_of(wanted.stored.id)
        return key not in self._copies and key not in self._trashed

    def is_new(self, wanted: Wanted) -> bool:
        """Whether nothing has its id or its name."""
        return self.is_free(wanted) and not self._others(wanted)

    def obstacle(self, wanted: Wanted) -> str | None:
        """Why it cannot be copied, in a sentence; None when it can."""
        key = key_of(wanted.stored.id)
        if key in self._copies:
            return "The new storage has another file with its id."
        if key in self._trashed:
            return "A file with its id is in the trash of the new bucket; restore or purge it."
        if self._others(wanted):
            return "The new storage has another file of its name."
        return None

    def _others(self, wanted: Wanted) -> list[dict[str, Any]]:
        named = self._named.get(self._new.full_name(wanted.name), ())
        return [each for each in named if key_of(each["_id"]) not in self._own[wanted.name]]


def same_content(old: GridFSStorage, a: StoredFile, new: GridFSStorage, b: StoredFile) -> bool:
    return plain_size(a) == plain_size(b) and _digest(old, a) == _digest(new, b)


def _digest(storage: GridFSStorage, stored: StoredFile) -> str:
    found = hashlib.sha256()
    for piece in storage.read_range(stored, 0, plain_size(stored)):
        found.update(piece)
    return found.hexdigest()


def _named(new: GridFSStorage, names: Sequence[str]) -> dict[str, Any]:
    by_filename: dict[str, Any] = {"filename": {"$in": list(names)}}
    if not new.options.deduplicate:
        return by_filename
    return {"$or": [by_filename, {"metadata.aliases.name": {"$in": list(names)}}]}


def _names_of(document: dict[str, Any]) -> set[str]:
    aliases = (document.get("metadata") or {}).get("aliases") or ()
    return {document["filename"], *(each["name"] for each in aliases)}
