"""Scanning a bucket and judging it, window by window."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from djongo_services.formatting import count, counted
from djongo_services.progress import Progress, ProgressHook, Stop
from djongo_services.storage.collector.collections import BucketCollections
from djongo_services.storage.collector.detectors.age import GracePeriod, Verdict
from djongo_services.storage.collector.detectors.files import Judge
from djongo_services.storage.collector.detectors.superseded import Revisions
from djongo_services.storage.collector.detectors.unfinished import stale_uploads
from djongo_services.storage.collector.errors import CollectorInterrupted
from djongo_services.storage.collector.kinds import Kind
from djongo_services.storage.collector.references import References
from djongo_services.storage.collector.removing import SearchingSink, Sink
from djongo_services.storage.collector.runs import KindTally
from djongo_services.storage.collector.scan import Scope, scan

MOST_PLACES = 5


class Survey:
    """Passes on what it finds, and counts what stays."""

    def __init__(
        self,
        collections: BucketCollections,
        references: References,
        scope: Scope,
        *,
        cutoff: datetime,
        undated_stay: bool,
        batch_size: int,
        progress: ProgressHook | None,
        stop: Stop | None,
        files: int = 0,
        chunks: int = 0,
    ) -> None:
        """``files`` and ``chunks`` were checked in the earlier part of the run."""
        self.files, self.chunks = files, chunks
        self.kept = KindTally([Kind.BROKEN])
        """Broken files that stay."""
        self.mentioned: Mapping[str, int] = {}
        """Files that stay because a text mentions them, by place."""
        self.young = self.undated = self.unnameable = self.excluded = 0
        self._collections = collections
        self._references = references
        self._scope = scope
        self._cutoff = cutoff
        self._undated_stay = undated_stay
        self._batch_size = batch_size
        self._progress = progress
        self._stop = stop

    def run(self, sink: Sink, *, after: tuple[Any] | None) -> None:
        """Scan from the id ``after`` on. Raises CollectorInterrupted when it is stopped."""
        sink = searching = SearchingSink(
            sink, self._references, stop=self._stop, searching=self._tell_search
        )
        try:
            self._run(sink, after)
        finally:
            self.mentioned = searching.mentioned

    def _run(self, sink: Sink, after: tuple[Any] | None) -> None:
        if Kind.STALE_UPLOADS in self._scope.kinds:
            for candidates in stale_uploads(self._collections, self._cutoff, size=self._batch_size):
                sink.take(candidates)
        if self._scope.scans:
            self._scan(sink, after)
        self._check()
        sink.finish(self.files, self.chunks)

    def notes(self) -> list[str]:
        """Sentences about what was left alone although it may be garbage."""
        found = [_mentioned_text(self.mentioned)] if self.mentioned else []
        if self.excluded:
            found.append(f"{counted(self.excluded, 'excluded file')} stayed.")
        if self.undated:
            found.append(
                f"{counted(self.undated, 'thing')} without a date stayed: without the trash, only "
                f"what is known to be old is deleted."
            )
        if self.unnameable:
            found.append(
                f"Chunks of {counted(self.unnameable, 'files_id', 'files_id')} stayed: no query "
                f"can name a regular expression, an array or text that is not UTF-8."
            )
        return found

    def _scan(self, sink: Sink, after: tuple[Any] | None) -> None:
        total = self._total()
        revisions = Revisions(self._collections)
        with quiet_gc():
            if Kind.SUPERSEDED in self._scope.kinds:
                self._tell("names", 0, None)
                revisions.prepare(stop=self._stop)
            judge = Judge(
                self._collections,
                self._references,
                kinds=self._scope.kinds,
                asked=self._scope.asked,
                grace=GracePeriod(end=self._cutoff, undated_stay=self._undated_stay),
                read=self._scope.read,
                revisions=revisions,
            )
            with scan(
                self._collections,
                self._scope,
                after=after,
                batch_size=self._batch_size,
                stop=self._stop,
            ) as windows:
                for window in windows:
                    self._check()
                    verdict = judge.judge(window)
                    self._count(verdict)
                    self.files += window.files
                    self.chunks += window.chunks
                    sink.take(verdict.candidates, verdict.kept)
                    if not window.is_last:
                        sink.passed(window.last, self.files, self.chunks)
                    self._tell("files and chunks", self.files + self.chunks, total)

    def _count(self, verdict: Verdict) -> None:
        self.kept.add(verdict.kept)
        self.young += verdict.young
        self.undated += verdict.undated
        self.unnameable += verdict.unnameable
        self.excluded += verdict.excluded

    def _total(self) -> int | None:
        files = self._collections.files.estimated_document_count()
        return files + self._collections.chunks.estimated_document_count()

    def _tell_search(self) -> None:
        self._tell("texts", 0, None)

    def _tell(self, phase: str, done: int, total: int | None) -> None:
        if self._progress is not None:
            self._progress(
                Progress(collection=self._collections.name, phase=phase, done=done, total=total)
            )

    def _check(self) -> None:
        if self._stop is not None and self._stop.is_set():
            raise CollectorInterrupted


def _mentioned_text(mentioned: Mapping[str, int]) -> str:
    most = sorted(mentioned.items(), key=lambda each: (-each[1], each[0]))
    shown = [f"{where} ({count(number)})" for where, number in most[:MOST_PLACES]]
    if more := len(most) - len(shown):
        shown.append(f"{counted(more, 'more place')}")
    files = sum(mentioned.values())
    stayed = "1 file stayed that no field names, because a text mentions it"
    if files > 1:
        stayed = f"{count(files)} files stayed that no field names, because texts mention them"
    return f"{stayed}: {', '.join(shown)}."


# Running code that creates millions of short-lived objects without the garbage collector.
_OBJECTS = 50_000
"""Objects that are created before they are examined; a batch of decoded documents has a tenth of
that."""


@contextmanager
def quiet_gc() -> Iterator[None]:
    """Do not examine existing objects again and again, and new ones less often; otherwise the
    garbage collector takes half of the time. Objects that the program has frozen itself stay
    frozen."""
    thresholds, frozen = gc.get_threshold(), gc.get_freeze_count()
    gc.set_threshold(_OBJECTS, *thresholds[1:])
    if not frozen:
        gc.freeze()
    try:
        yield
    finally:
        if not frozen:
            gc.unfreeze()
        gc.set_threshold(*thresholds)
