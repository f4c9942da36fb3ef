"""Deciding about a window: what of it is garbage, and what only looks like it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from djongo_services.storage.collector.candidates import Candidate, can_be_named, is_sendable
from djongo_services.storage.collector.file_rows import NAMES, FileRow, bytes_of, names_of
from djongo_services.storage.collector.integrity import examine
from djongo_services.storage.collector.kinds import Kind
from djongo_services.storage.collector.merging import Window
from djongo_services.storage.collector.order import Key, sort_key
from djongo_services.storage.collector.places import Document, Places
from djongo_services.storage.collector.references import References
from djongo_services.storage.collector.revisions import Revisions
from djongo_services.storage.collector.traces import (
    file_traces,
    last_chunks,
    newest,
    orphan_runs,
    restored_at,
)


@dataclass(kw_only=True, slots=True)
class Verdict:
    """About one window."""

    candidates: list[Candidate] = field(default_factory=list)
    kept: list[Candidate] = field(default_factory=list)
    """Broken files that stay."""
    young: int = 0
    undated: int = 0
    """That stay because nothing says how old they are."""
    unnameable: int = 0
    """Orphan chunks whose files_id no query can name."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Suspicion:
    """Why a file may be a candidate, before its age is known."""

    kind: Kind
    reason: str = ""
    kept: bool = False
    superseded: datetime | None = None
    """When a newer revision came."""


class Judge:
    def __init__(
        self,
        places: Places,
        references: References,
        *,
        kinds: Collection[Kind],
        asked: Collection[Kind],
        cutoff: datetime,
        read: bool,
        undated_stay: bool,
        revisions: Revisions,
    ) -> None:
        """``kinds`` are looked for; ``asked`` are those of them that the user named. ``cutoff``
        is the end of the grace period; ``read`` reads every byte of what may be broken;
        ``undated_stay`` leaves alone what has no date at all."""
        self._places = places
        self._references = references
        self._kinds = kinds
        self._asked = asked
        self._cutoff = cutoff
        self._read = read
        self._undated_stay = undated_stay
        self._revisions = revisions

    def judge(self, window: Window) -> Verdict:
        verdict = Verdict()
        if Kind.ORPHAN_CHUNKS in self._kinds:
            self._judge_orphans(window.orphans, verdict)
        self._judge_files(window, verdict)
        return verdict

    def _judge_orphans(self, orphans: Sequence[Any], verdict: Verdict) -> None:
        ids = [id for id in orphans if can_be_named(id)]
        verdict.unnameable += len(orphans) - len(ids)
        ids = without_owner(self._places, ids) if ids else []
        if not ids:
            return
        restored = restored_at(self._places, ids)
        for run in orphan_runs(self._places, ids):
            candidate = Candidate(
                kind=Kind.ORPHAN_CHUNKS,
                id=run.id,
                bytes=run.bytes,
                chunks=run.chunks,
                since=run.since,
            )
            if run.since is None:
                self._add_undated(candidate, verdict)
            elif max(run.since, restored.get(candidate.key, run.since)) > self._cutoff:
                verdict.young += 1
            else:
                verdict.candidates.append(candidate)

    def _add_undated(self, candidate: Candidate, verdict: Verdict) -> None:
        if self._undated_stay:
            verdict.undated += 1
        else:
            verdict.candidates.append(candidate)

    def _judge_files(self, window: Window, verdict: Verdict) -> None:
        rows, suspicions = self._suspicions(window)
        if not suspicions:
            return
        ids = [row.id for row in rows if row.key in suspicions]
        documents = {
            sort_key(document["_id"]): document
            for document in self._places.files.find({"_id": {"$in": ids}})
        }
        chunks, restored = last_chunks(self._places, ids), restored_at(self._places, ids)
        for row in rows:
            suspicion, document = suspicions.get(row.key), documents.get(row.key)
            if suspicion is None or document is None or names_of(document) != row.names:
                continue  # It was deleted or renamed meanwhile.
            since = newest([*file_traces(document), chunks.get(row.key), restored.get(row.key)])
            candidate = _candidate(suspicion, document, since)
            until = newest([since, suspicion.superseded])
            if suspicion.kept:
                verdict.kept.append(candidate)
            elif until is None:
                self._add_undated(candidate, verdict)
            elif until > self._cutoff:
                verdict.young += 1
            else:
                verdict.candidates.append(candidate)

    def _suspicions(self, window: Window) -> tuple[Sequence[FileRow], dict[Key, _Suspicion]]:
        """Rows that are not just files in use, and what is suspicious about some of them."""
        broken: dict[Key, str] = {}
        if Kind.BROKEN in self._kinds and window.suspects:
            suspects = [id for id in window.suspects if can_be_named(id)]
            broken = examine(self._places, suspects, read=self._read)
        rows: Sequence[FileRow] = window.rows
        if not rows and broken:
            rows = self._rows([id for id in window.suspects if sort_key(id) in broken])
        used = self._used(rows)
        superseded = self._revisions.superseded(rows)
        rows = [
            row
            for row in rows
            if row.key in broken or row.key in superseded or used.isdisjoint(row.names)
            if can_be_named(row.id)
        ]
        found = {row.key: self._suspicion(row, broken, used, superseded) for row in rows}
        return rows, {key: each for key, each in found.items() if each is not None}

    def _rows(self, ids: Sequence[Any]) -> list[FileRow]:
        found = self._places.files.find({"_id": {"$in": list(ids)}}, NAMES)
        return [FileRow(sort_key(each["_id"]), each["_id"], names_of(each)) for each in found]

    def _suspicion(
        self,
        row: FileRow,
        broken: Mapping[Key, str],
        used: Set[str],
        superseded: Mapping[Key, datetime | None],
    ) -> _Suspicion | None:
        is_used = not used.isdisjoint(row.names)
        is_unused = not is_used and self._is_known(row)
        is_old = row.key in superseded
        since = superseded.get(row.key)
        if row.key in broken:
            goes = is_old or is_unused or (Kind.BROKEN in self._asked and not is_used)
            return _Suspicion(
                kind=Kind.BROKEN, reason=broken[row.key], kept=not goes, superseded=since
            )
        if is_unused and Kind.UNREFERENCED in self._kinds:
            return _Suspicion(kind=Kind.UNREFERENCED, superseded=since)
        if is_old and Kind.SUPERSEDED in self._kinds and self._is_discarded(row.names[0]):
            return _Suspicion(kind=Kind.SUPERSEDED, superseded=since)
        return None

    def _used(self, rows: Sequence[FileRow]) -> set[str]:
        names = {name for row in rows for name in row.names}
        if not is_sendable("".join(names)):
            names = set(filter(is_sendable, names))
        return self._references.referenced(names)

    def _is_known(self, row: FileRow) -> bool:
        """Whether the sources would know of it, if it were in use."""
        return bool(row.names) and all(
            is_sendable(name) and self._references.covers(name) for name in row.names
        )

    def _is_discarded(self, name: str) -> bool:
        """Whether its storage keeps no revisions; without a storage, whether the user says so."""
        keeps = self._references.keeps_revisions(name)
        return Kind.SUPERSEDED in self._asked if keeps is None else not keeps


def without_owner(places: Places, ids: Sequence[Any]) -> list[Any]:
    """Those of the ids that are of no file, no entry of the trash and no upload."""
    owned: set[Key] = set()
    for collection in (places.files, places.trash, places.uploads):
        found = collection.find({"_id": {"$in": list(ids)}}, {"_id": 1})
        owned |= {sort_key(document["_id"]) for document in found}
    return [id for id in ids if sort_key(id) not in owned]


def _candidate(suspicion: _Suspicion, document: Document, since: datetime | None) -> Candidate:
    return Candidate(
        kind=suspicion.kind,
        id=document["_id"],
        names=names_of(document),
        bytes=bytes_of(document.get("length")),
        since=since,
        reason=suspicion.reason,
    )
