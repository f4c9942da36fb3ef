"""Counting what a run finds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from djongo_services.storage.collector.candidates import Candidate
from djongo_services.storage.collector.kinds import Kind
from djongo_services.storage.collector.report import EXAMPLES, Example, Found


class Tally:
    """Counts, bytes and the first few of each kind."""

    def __init__(
        self,
        kinds: Iterable[Kind],
        counts: Mapping[Kind, int] = MappingProxyType({}),
        bytes: Mapping[Kind, int] = MappingProxyType({}),
    ) -> None:
        """``counts`` and ``bytes`` are of the part of a run that came before."""
        order = [kind for kind in Kind if kind in set(kinds)]
        self.counts = {kind: counts.get(kind, 0) for kind in order}
        self.bytes = {kind: bytes.get(kind, 0) for kind in order}
        self._examples: dict[Kind, list[Example]] = {kind: [] for kind in order}

    def add(self, candidates: Iterable[Candidate]) -> None:
        for each in candidates:
            self.counts[each.kind] += 1
            self.bytes[each.kind] += each.bytes
            examples = self._examples[each.kind]
            if len(examples) < EXAMPLES:
                examples.append(
                    Example(
                        id=each.id,
                        filename=each.filename,
                        bytes=each.bytes,
                        since=each.since,
                        reason=each.reason,
                    )
                )

    def found(self) -> dict[Kind, Found]:
        return {
            kind: Found(
                kind=kind,
                count=self.counts[kind],
                bytes=self.bytes[kind],
                examples=tuple(self._examples[kind]),
            )
            for kind in self.counts
        }
