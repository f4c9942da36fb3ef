"""Taking candidates out of the bucket, each looked at once more before and after.

For files the order is: note it in the trash, remove the files document if it is still the same,
look again whether anything refers to it, and put it back if so. A process that dies in between
leaves a file that is in the trash, or in both places; the file in the bucket counts then.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from bson import ObjectId
from bson.raw_bson import RawBSONDocument
from pymongo import DeleteOne
from pymongo.errors import BulkWriteError

from djongo_services.storage.collector.candidates import Candidate
from djongo_services.storage.collector.file_rows import names_of
from djongo_services.storage.collector.judging import without_owner
from djongo_services.storage.collector.kinds import Kind
from djongo_services.storage.collector.order import Key, sort_key
from djongo_services.storage.collector.places import Document, Documents, Places
from djongo_services.storage.collector.references import References
from djongo_services.storage.collector.revisions import newest_of
from djongo_services.storage.collector.traces import last_chunks
from djongo_services.storage.collector.trash import DUPLICATE_KEY, delete_for_good, rescue


class Remover:
    def __init__(
        self,
        places: Places,
        references: References,
        *,
        run: ObjectId,
        cutoff: datetime,
        keep: bool,
        check: Callable[[], None],
    ) -> None:
        """``keep``: in the trash. ``check`` raises when this run may not go on."""
        self._places = places
        self._references = references
        self._run = run
        self._cutoff = cutoff
        self._keep = keep
        self._check = check

    def remove(self, candidates: Sequence[Candidate]) -> list[Candidate]:
        """Those that were removed; the others are of use after all."""
        self._check()
        by_kind: dict[Kind, list[Candidate]] = {}
        for candidate in candidates:
            by_kind.setdefault(candidate.kind, []).append(candidate)
        removed = self._remove_uploads(by_kind.pop(Kind.STALE_UPLOADS, []))
        removed += self._remove_orphans(by_kind.pop(Kind.ORPHAN_CHUNKS, []))
        removed += self._remove_files([each for some in by_kind.values() for each in some])
        if removed and not self._keep:
            delete_for_good(self._places, [each.id for each in removed])
        return removed

    def _remove_files(self, candidates: Sequence[Candidate]) -> list[Candidate]:
        needed = needed_files(self._places, self._references, candidates)
        candidates = [each for each in candidates if each.key not in needed]
        documents = self._unchanged(candidates)
        candidates = [each for each in candidates if each.key in documents]
        if not candidates:
            return []
        self._note({each.key: {"file": documents[each.key]} for each in candidates}, candidates)
        left = self._delete(self._places.files, list(documents.values()))
        back = rescue(
            self._places,
            self._references,
            [(each.id, each.names) for each in candidates if each.key not in left],
        )
        return [each for each in candidates if each.key not in left | back]

    def _unchanged(self, candidates: Sequence[Candidate]) -> dict[Key, RawBSONDocument]:
        """The files documents of those that have the names still under which they were judged."""
        found = self._documents(self._places.files, [each.id for each in candidates])
        return {
            each.key: found[each.key]
            for each in candidates
            if each.key in found and names_of(found[each.key]) == each.names
        }

    def _documents(self, collection: Documents, ids: Sequence[Any]) -> dict[Key, RawBSONDocument]:
        found = self._places.raw(collection).find({"_id": {"$in": list(ids)}})
        return {sort_key(document["_id"]): document for document in found}

    def _delete(self, collection: Documents, documents: Sequence[RawBSONDocument]) -> set[Key]:
        """Delete those that are still the same. The others are returned, and noted no more."""
        if not documents:
            return set()
        requests = [DeleteOne({"_id": each["_id"], "$expr": _is_still(each)}) for each in documents]
        done = self._places.raw(collection).bulk_write(requests, ordered=False)
        if done.deleted_count == len(documents):
            return set()
        return self._forget_those_in(collection, [document["_id"] for document in documents])

    def _forget_those_in(self, collection: Documents, ids: Sequence[Any]) -> set[Key]:
        found = [each["_id"] for each in collection.find({"_id": {"$in": list(ids)}}, {"_id": 1})]
        self._forget(found)
        return {sort_key(id) for id in found}

    def _remove_orphans(self, candidates: Sequence[Candidate]) -> list[Candidate]:
        ids = [each.id for each in candidates]
        if not ids:
            return []
        since = last_chunks(self._places, ids)
        alone = {sort_key(id) for id in without_owner(self._places, ids)}
        candidates = [
            each
            for each in candidates
            if each.key in alone and since.get(each.key, self._cutoff) <= self._cutoff
        ]
        self._note({}, candidates)
        # An upload that was finished just now has its files document.
        owned = self._forget_those_in(self._places.files, [each.id for each in candidates])
        return [each for each in candidates if each.key not in owned]

    def _remove_uploads(self, candidates: Sequence[Candidate]) -> list[Candidate]:
        """Their entries go only if nobody touched them meanwhile; a handler notices that."""
        entries = self._documents(self._places.uploads, [each.id for each in candidates])
        candidates = [each for each in candidates if each.key in entries]
        self._note({each.key: {"upload": entries[each.key]} for each in candidates}, candidates)
        left = self._delete(self._places.uploads, list(entries.values()))
        # The file of one that was finished is a file like others.
        self._forget_those_in(self._places.files, [each.id for each in candidates])
        return [each for each in candidates if each.key not in left]

    def _note(self, contents: Mapping[Key, Document], candidates: Sequence[Candidate]) -> None:
        """Write entries into the trash, in place of those that became void."""
        if not candidates:
            return
        self._forget([each.id for each in candidates])
        now = self._places.now()
        self._insert(
            [
                {
                    "_id": each.id,
                    **contents.get(each.key, {}),
                    **({} if each.names else {"chunks": each.chunks, "bytes": each.bytes}),
                    "kind": each.kind.value,
                    "reason": each.reason,
                    "trashedAt": now,
                    "run": self._run,
                }
                for each in candidates
            ]
        )

    def _insert(self, entries: Sequence[Document]) -> None:
        try:
            self._places.trash.insert_many(entries, ordered=False)
        except BulkWriteError as error:
            # Somebody else moved the file to the trash just now; one entry is as good as the other.
            if any(each["code"] != DUPLICATE_KEY for each in error.details["writeErrors"]):
                raise

    def _forget(self, ids: Sequence[Any]) -> None:
        if ids:
            self._places.trash.delete_many({"_id": {"$in": list(ids)}})


def needed_files(
    places: Places, references: References, candidates: Sequence[Candidate]
) -> set[Key]:
    """Those of the candidates that are of use now."""
    used = references.referenced({name for each in candidates for name in each.names})
    revised = [each for each in candidates if each.kind is not Kind.UNREFERENCED]
    newest = newest_of(places, {name for each in revised for name in each.names[:1]})
    return {each.key for each in candidates if _is_needed(each, used, newest)}


def _is_needed(
    candidate: Candidate, used: set[str], newest: Mapping[str, tuple[Key, datetime | None]]
) -> bool:
    is_used = bool(used.intersection(candidate.names))
    is_current = (
        len(candidate.names) != 1 or newest.get(candidate.names[0], (None,))[0] == candidate.key
    )
    match candidate.kind:
        case Kind.UNREFERENCED:
            return is_used
        case Kind.SUPERSEDED:
            return is_current
        case _:
            return is_used and is_current


def _is_still(document: RawBSONDocument) -> Document:
    """By $cmp, because a plain $eq of $$ROOT makes 4.4 and 5.0 fail to optimise it (16409)."""
    return {"$eq": [{"$cmp": ["$$ROOT", {"$literal": document}]}, 0]}
