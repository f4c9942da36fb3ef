"""Judging a window: which files are garbage, and which only look like it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from djongo_services.storage.collector.bson_order import Key, sort_key
from djongo_services.storage.collector.collections import BucketCollections, Document
from djongo_services.storage.collector.decoding import NAMES, ScannedFile, bytes_of, names_of
from djongo_services.storage.collector.detectors.age import (
    GracePeriod,
    Verdict,
    file_traces,
    last_chunks,
    newest,
    restored_at,
)
from djongo_services.storage.collector.detectors.broken import examine
from djongo_services.storage.collector.detectors.superseded import Revisions
from djongo_services.storage.collector.detectors.unfinished import judge_orphans
from djongo_services.storage.collector.kinds import Candidate, Kind, can_be_named, is_sendable
from djongo_services.storage.collector.references import References
from djongo_services.storage.collector.scan import Window


@dataclass(frozen=True, kw_only=True, slots=True)
class _Suspicion:
    """Why a file may be a candidate, before its age is known."""

    kind: Kind
    reason: str = ""
    kept: bool = False
    superseded: datetime | None = None
    """When a newer revision was stored."""


class Judge:
    def __init__(
        self,
        collections: BucketCollections,
        references: References,
        *,
        kinds: Collection[Kind],
        asked: Collection[Kind],
        grace: GracePeriod,
        read: bool,
        revisions: Revisions,
    ) -> None:
        """``kinds`` are searched for; ``asked`` are those of them that the user named. ``read``
        reads every byte of files that may be broken."""
        self._collections = collections
        self._references = references
        self._kinds = kinds
        self._asked = asked
        self._grace = grace
        self._read = read
        self._revisions = revisions

    def judge(self, window: Window, verdict: Verdict | None = None) -> Verdict:
        """Judge a window, and add the result to ``verdict`` if one is given."""
        verdict = Verdict() if verdict is None else verdict
        if Kind.ORPHAN_CHUNKS in self._kinds:
            judge_orphans(self._collections, window.orphans, self._grace, verdict)
        self._judge_files(window, verdict)
        return verdict

    def _judge_files(self, window: Window, verdict: Verdict) -> None:
        rows, suspicions = self._suspicions(window)
        if not suspicions:
            return
        ids = [row.id for row in rows if row.key in suspicions]
        documents = {
            sort_key(document["_id"]): document
            for document in self._collections.files.find({"_id": {"$in": ids}})
        }
        chunks, restored = last_chunks(self._collections, ids), restored_at(self._collections, ids)
        for row in rows:
            suspicion, document = suspicions.get(row.key), documents.get(row.key)
            if suspicion is None or document is None or names_of(document) != row.names:
                continue  # It was deleted or renamed in the meantime.
            since = newest([*file_traces(document), chunks.get(row.key), restored.get(row.key)])
            candidate = _candidate(suspicion, document, since)
            until = newest([since, suspicion.superseded])
            is_excluded = any(map(self._references.excludes, row.names))
            if suspicion.kept or (is_excluded and suspicion.kind is Kind.BROKEN):
                verdict.kept.append(candidate)
            elif is_excluded:
                verdict.excluded += 1
            else:
                verdict.add(candidate, until, self._grace)

    def _suspicions(self, window: Window) -> tuple[Sequence[ScannedFile], dict[Key, _Suspicion]]:
        """Files that are not simply in use, and what is suspicious about some of them."""
        broken: dict[Key, str] = {}
        if Kind.BROKEN in self._kinds and window.suspects:
            suspects = [id for id in window.suspects if can_be_named(id)]
            broken = examine(self._collections, suspects, read=self._read)
        rows: Sequence[ScannedFile] = window.rows
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

    def _rows(self, ids: Sequence[Any]) -> list[ScannedFile]:
        found = self._collections.files.find({"_id": {"$in": list(ids)}}, NAMES)
        return [ScannedFile(sort_key(each["_id"]), each["_id"], names_of(each)) for each in found]

    def _suspicion(
        self,
        row: ScannedFile,
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

    def _used(self, rows: Sequence[ScannedFile]) -> set[str]:
        names = {name for row in rows for name in row.names}
        if not is_sendable("".join(names)):
            names = set(filter(is_sendable, names))
        return self._references.referenced(names)

    def _is_known(self, row: ScannedFile) -> bool:
        """Whether the sources would know if it were in use."""
        return bool(row.names) and all(
            is_sendable(name) and self._references.covers(name) for name in row.names
        )

    def _is_discarded(self, name: str) -> bool:
        """Whether its storage keeps no revisions; without a storage, whether the user says so."""
        keeps = self._references.keeps_revisions(name)
        return Kind.SUPERSEDED in self._asked if keeps is None else not keeps


def _candidate(suspicion: _Suspicion, document: Document, since: datetime | None) -> Candidate:
    return Candidate(
        kind=suspicion.kind,
        id=document["_id"],
        names=names_of(document),
        bytes=bytes_of(document.get("length")),
        since=since,
        reason=suspicion.reason,
    )
