"""Looking over a bucket and judging it, window by window."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from djongo_services.introspection.progress import Progress, ProgressHook, Stop
from djongo_services.introspection.rendering.numbers import counted
from djongo_services.storage.collector.errors import Interrupted
from djongo_services.storage.collector.hands import Hand
from djongo_services.storage.collector.judging import Judge, Verdict
from djongo_services.storage.collector.kinds import Kind
from djongo_services.storage.collector.places import Places
from djongo_services.storage.collector.quiet import quiet_gc
from djongo_services.storage.collector.references import References
from djongo_services.storage.collector.revisions import Revisions
from djongo_services.storage.collector.scanning import scan
from djongo_services.storage.collector.scope import Scope
from djongo_services.storage.collector.stale import stale_uploads
from djongo_services.storage.collector.tally import Tally


class Survey:
    """Hands over what it finds; what stays, it counts."""

    def __init__(
        self,
        places: Places,
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
        """``files`` and ``chunks`` were looked at in the part of the run that came before."""
        self.files, self.chunks = files, chunks
        self.kept = Tally([Kind.BROKEN])
        """Broken files that stay."""
        self.young = self.undated = self.unnameable = 0
        self._places = places
        self._references = references
        self._scope = scope
        self._cutoff = cutoff
        self._undated_stay = undated_stay
        self._batch_size = batch_size
        self._progress = progress
        self._stop = stop

    def run(self, hand: Hand, *, after: tuple[Any] | None) -> None:
        """Behind the id ``after``. Raises Interrupted when it is stopped."""
        if Kind.STALE_UPLOADS in self._scope.kinds:
            for candidates in stale_uploads(self._places, self._cutoff, size=self._batch_size):
                hand.take(candidates)
        if self._scope.scans:
            self._scan(hand, after)
        self._check()
        hand.finish(self.files, self.chunks)

    def notes(self) -> list[str]:
        """What was left alone although it may be garbage, in sentences."""
        found = []
        if self.undated:
            found.append(
                f"{counted(self.undated, 'thing')} without a date stayed: without the trash, only "
                f"what is known to be old is deleted."
            )
        if self.unnameable:
            found.append(
                f"Chunks of {counted(self.unnameable, 'files_id', 'files_id')} stayed: no query "
                f"can name a regular expression, an array or text that is no UTF-8."
            )
        return found

    def _scan(self, hand: Hand, after: tuple[Any] | None) -> None:
        total = self._total()
        revisions = Revisions(self._places)
        with quiet_gc():
            if Kind.SUPERSEDED in self._scope.kinds:
                self._tell("names", 0, None)
                revisions.prepare(stop=self._stop)
            judge = Judge(
                self._places,
                self._references,
                kinds=self._scope.kinds,
                asked=self._scope.asked,
                cutoff=self._cutoff,
                read=self._scope.read,
                undated_stay=self._undated_stay,
                revisions=revisions,
            )
            with scan(
                self._places,
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
                    hand.take(verdict.candidates, verdict.kept)
                    if not window.is_last:
                        hand.passed(window.last, self.files, self.chunks)
                    self._tell("files and chunks", self.files + self.chunks, total)

    def _count(self, verdict: Verdict) -> None:
        self.kept.add(verdict.kept)
        self.young += verdict.young
        self.undated += verdict.undated
        self.unnameable += verdict.unnameable

    def _total(self) -> int | None:
        files = self._places.files.estimated_document_count()
        return files + self._places.chunks.estimated_document_count()

    def _tell(self, phase: str, done: int, total: int | None) -> None:
        if self._progress is not None:
            self._progress(
                Progress(collection=self._places.name, phase=phase, done=done, total=total)
            )

    def _check(self) -> None:
        if self._stop is not None and self._stop.is_set():
            raise Interrupted
