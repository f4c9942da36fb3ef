"""What happens to candidates: they are counted, or removed from the bucket after another check.

For files the order is: record it in the trash, remove the files document if it is unchanged, check
again whether anything refers to it, and restore it if so. A process that dies in between leaves a
file that is in the trash, or in both collections; then the file in the bucket counts.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol, TypeAlias

from bson import ObjectId
from bson.raw_bson import RawBSONDocument
from pymongo import DeleteOne
from pymongo.errors import BulkWriteError

from djongo_services.progress import Stop
from djongo_services.server_errors import DUPLICATE_KEY
from djongo_services.storage.collector.bson_order import Key, sort_key
from djongo_services.storage.collector.collections import BucketCollections, Document, Documents
from djongo_services.storage.collector.decoding import names_of
from djongo_services.storage.collector.detectors.age import last_chunks
from djongo_services.storage.collector.detectors.superseded import newest_of
from djongo_services.storage.collector.detectors.unfinished import without_owner
from djongo_services.storage.collector.kinds import Candidate, Kind
from djongo_services.storage.collector.references import References
from djongo_services.storage.collector.references.sources import SEARCH_AT_ONCE, Sought
from djongo_services.storage.collector.runs import Journal, KindTally
from djongo_services.storage.collector.trash import delete_for_good, rescue

REMOVE_AT_ONCE = 1_000
SEARCH_AFTER_SECONDS = 600.0
"""All texts are searched for candidates once the first of them has waited this long, or once there
are :data:`SEARCH_AT_ONCE` of them."""
WAIT_SECONDS = 20.0
"""Candidates are removed once there are this many, or once the first of them has waited this long:
an old judgement would have to be repeated, and an interrupted run continues after the last one."""


FoundHook: TypeAlias = Callable[[Sequence[Candidate], Sequence[Candidate]], None]
"""Called with what would be collected, and with broken files that would stay, as they are found."""


class Sink(Protocol):
    def take(self, candidates: Sequence[Candidate], kept: Sequence[Candidate] = ()) -> None:
        """``kept`` are broken files that stay."""

    def passed(self, position: Any, files: int, chunks: int) -> None:
        """Everything up to the id ``position`` was judged; ``files`` and ``chunks`` are the
        totals."""

    def finish(self, files: int, chunks: int) -> None:
        """Everything was judged."""


class CountingSink:
    """A sink that changes nothing."""

    def __init__(self, tally: KindTally, found: FoundHook | None = None) -> None:
        self._tally = tally
        self._found = found

    def take(self, candidates: Sequence[Candidate], kept: Sequence[Candidate] = ()) -> None:
        self._tally.add(candidates)
        if self._found is not None and (candidates or kept):
            self._found(candidates, kept)

    def passed(self, position: Any, files: int, chunks: int) -> None:
        pass

    def finish(self, files: int, chunks: int) -> None:
        pass


class RemovingSink:
    def __init__(self, tally: KindTally, remover: Remover, journal: Journal, run: ObjectId) -> None:
        self._tally = tally
        self._remover = remover
        self._journal = journal
        self._run = run
        self._waiting: list[Candidate] = []
        self._noted = time.monotonic()

    def take(self, candidates: Sequence[Candidate], kept: Sequence[Candidate] = ()) -> None:
        self._waiting += candidates
        while len(self._waiting) >= REMOVE_AT_ONCE:
            self._remove(REMOVE_AT_ONCE)

    def passed(self, position: Any, files: int, chunks: int) -> None:
        if time.monotonic() - self._noted >= WAIT_SECONDS:
            self._remove(len(self._waiting))
            self._journal.note(self._run, files, chunks, (position,))
            self._noted = time.monotonic()

    def finish(self, files: int, chunks: int) -> None:
        self._remove(len(self._waiting))
        self._journal.note(self._run, files, chunks, None)

    def _remove(self, count: int) -> None:
        some, self._waiting = self._waiting[:count], self._waiting[count:]
        if some:
            self._tally.add(self._remover.remove(some))
            self._journal.note_found(self._run, self._tally.counts, self._tally.bytes)


class SearchingSink:
    """Passes on what no text mentions; files that a text mentions stay, and are counted by
    place."""

    def __init__(
        self,
        sink: Sink,
        references: References,
        *,
        stop: Stop | None = None,
        searching: Callable[[], None] | None = None,
    ) -> None:
        """``searching`` is called before each search."""
        self.mentioned: Counter[str] = Counter()
        self._sink = sink
        self._references = references
        self._stop = stop
        self._searching = searching
        self._waiting: list[Candidate] = []
        self._since = time.monotonic()

    def take(self, candidates: Sequence[Candidate], kept: Sequence[Candidate] = ()) -> None:
        if self._references.search is None:
            self._sink.take(candidates, kept)
            return
        wait = [each for each in candidates if each.kind.is_file]
        self._sink.take([each for each in candidates if not each.kind.is_file], kept)
        if wait and not self._waiting:
            self._since = time.monotonic()
        self._waiting += wait
        waited = time.monotonic() - self._since
        if len(self._waiting) >= SEARCH_AT_ONCE or (waited > SEARCH_AFTER_SECONDS and wait):
            self._search()

    def passed(self, position: Any, files: int, chunks: int) -> None:
        if not self._waiting:  # Otherwise an interrupted run would continue after those.
            self._sink.passed(position, files, chunks)

    def finish(self, files: int, chunks: int) -> None:
        self._search()
        self._sink.finish(files, chunks)

    def _search(self) -> None:
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return
        if self._searching is not None:
            self._searching()
        mentioned = self._references.mentioned([_sought(each) for each in waiting], stop=self._stop)
        self.mentioned.update(mentioned.values())
        left = [each for each in waiting if each.key not in mentioned]
        for at in range(0, len(left), REMOVE_AT_ONCE):
            self._sink.take(left[at : at + REMOVE_AT_ONCE])


def _sought(candidate: Candidate) -> Sought:
    """What to search for. The name of an older revision refers to the newer one; only its id refers
    to it."""
    names = () if candidate.kind is Kind.SUPERSEDED else candidate.names
    return Sought(key=candidate.key, id=candidate.id, names=names)


class Remover:
    def __init__(
        self,
        collections: BucketCollections,
        references: References,
        *,
        run: ObjectId,
        cutoff: datetime,
        keep: bool,
        check: Callable[[], None],
    ) -> None:
        """``keep``: in the trash. ``check`` raises an exception if this run may not continue."""
        self._collections = collections
        self._references = references
        self._run = run
        self._cutoff = cutoff
        self._keep = keep
        self._check = check

    def remove(self, candidates: Sequence[Candidate]) -> list[Candidate]:
        """Remove candidates, and return those that were removed; the others are in use after
        all."""
        self._check()
        by_kind: dict[Kind, list[Candidate]] = {}
        for candidate in candidates:
            by_kind.setdefault(candidate.kind, []).append(candidate)
        removed = self._remove_uploads(by_kind.pop(Kind.STALE_UPLOADS, []))
        removed += self._remove_orphans(by_kind.pop(Kind.ORPHAN_CHUNKS, []))
        removed += self._remove_files([each for some in by_kind.values() for each in some])
        if removed and not self._keep:
            delete_for_good(self._collections, [each.id for each in removed])
        return removed

    def _remove_files(self, candidates: Sequence[Candidate]) -> list[Candidate]:
        needed = needed_files(self._collections, self._references, candidates)
        candidates = [each for each in candidates if each.key not in needed]
        documents = self._unchanged(candidates)
        candidates = [each for each in candidates if each.key in documents]
        if not candidates:
            return []
        self._note({each.key: {"file": documents[each.key]} for each in candidates}, candidates)
        left = self._delete(self._collections.files, list(documents.values()))
        back = rescue(
            self._collections,
            self._references,
            [(each.id, each.names) for each in candidates if each.key not in left],
        )
        return [each for each in candidates if each.key not in left | back]

    def _unchanged(self, candidates: Sequence[Candidate]) -> dict[Key, RawBSONDocument]:
        """The files documents of candidates that still have the names under which they were
        judged."""
        found = self._documents(self._collections.files, [each.id for each in candidates])
        return {
            each.key: found[each.key]
            for each in candidates
            if each.key in found and names_of(found[each.key]) == each.names
        }

    def _documents(self, collection: Documents, ids: Sequence[Any]) -> dict[Key, RawBSONDocument]:
        found = self._collections.raw(collection).find({"_id": {"$in": list(ids)}})
        return {sort_key(document["_id"]): document for document in found}

    def _delete(self, collection: Documents, documents: Sequence[RawBSONDocument]) -> set[Key]:
        """Delete documents that are unchanged. The others are returned, and their entries are
        removed."""
        if not documents:
            return set()
        requests = [DeleteOne({"_id": each["_id"], "$expr": _is_still(each)}) for each in documents]
        done = self._collections.raw(collection).bulk_write(requests, ordered=False)
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
        since = last_chunks(self._collections, ids)
        alone = {sort_key(id) for id in without_owner(self._collections, ids)}
        candidates = [
            each
            for each in candidates
            if each.key in alone and since.get(each.key, self._cutoff) <= self._cutoff
        ]
        self._note({}, candidates)
        # An upload that was completed just now has its files document.
        owned = self._forget_those_in(self._collections.files, [each.id for each in candidates])
        return [each for each in candidates if each.key not in owned]

    def _remove_uploads(self, candidates: Sequence[Candidate]) -> list[Candidate]:
        """Remove entries that are unchanged; the upload handler notices that."""
        entries = self._documents(self._collections.uploads, [each.id for each in candidates])
        candidates = [each for each in candidates if each.key in entries]
        self._note({each.key: {"upload": entries[each.key]} for each in candidates}, candidates)
        left = self._delete(self._collections.uploads, list(entries.values()))
        # The file of a completed upload is an ordinary file.
        self._forget_those_in(self._collections.files, [each.id for each in candidates])
        return [each for each in candidates if each.key not in left]

    def _note(self, contents: Mapping[Key, Document], candidates: Sequence[Candidate]) -> None:
        """Write entries into the trash, and replace invalid ones."""
        if not candidates:
            return
        self._forget([each.id for each in candidates])
        now = self._collections.now()
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
            self._collections.trash.insert_many(entries, ordered=False)
        except BulkWriteError as error:
            # Another process moved the file to the trash just now; either entry serves.
            if any(each["code"] != DUPLICATE_KEY for each in error.details["writeErrors"]):
                raise

    def _forget(self, ids: Sequence[Any]) -> None:
        if ids:
            self._collections.trash.delete_many({"_id": {"$in": list(ids)}})


def needed_files(
    collections: BucketCollections, references: References, candidates: Sequence[Candidate]
) -> set[Key]:
    """The candidates that are in use now."""
    used = references.referenced({name for each in candidates for name in each.names})
    revised = [each for each in candidates if each.kind is not Kind.UNREFERENCED]
    newest = newest_of(collections, {name for each in revised for name in each.names[:1]})
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
    """A comparison by $cmp, because a plain $eq of $$ROOT makes 4.4 and 5.0 fail to optimise it
    (16409)."""
    return {"$eq": [{"$cmp": ["$$ROOT", {"$literal": document}]}, 0]}
