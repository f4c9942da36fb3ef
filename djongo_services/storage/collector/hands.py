"""What becomes of candidates: they are counted, or removed as well."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeAlias

from bson import ObjectId

from djongo_services.storage.collector.candidates import Candidate
from djongo_services.storage.collector.history import Journal
from djongo_services.storage.collector.removing import Remover
from djongo_services.storage.collector.tally import Tally

REMOVE_AT_ONCE = 1_000
WAIT_SECONDS = 20.0
"""Candidates are removed when there are so many, or when the first of them has waited so long: what
was judged long ago has to be looked at anew, and an interrupted run goes on behind the last."""


FoundHook: TypeAlias = Callable[[Sequence[Candidate], Sequence[Candidate]], None]
"""Called with what would be collected, and with broken files that would stay, as they are found."""


class Hand(Protocol):
    def take(self, candidates: Sequence[Candidate], kept: Sequence[Candidate] = ()) -> None:
        """``kept`` are broken files that stay."""

    def passed(self, position: Any, files: int, chunks: int) -> None:
        """All up to the id ``position`` was judged; so many files and chunks in all."""

    def finish(self, files: int, chunks: int) -> None:
        """All was judged."""


class CountingHand:
    """Changes nothing."""

    def __init__(self, tally: Tally, found: FoundHook | None = None) -> None:
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


class RemovingHand:
    def __init__(self, tally: Tally, remover: Remover, journal: Journal, run: ObjectId) -> None:
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
