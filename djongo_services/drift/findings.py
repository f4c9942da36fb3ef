"""Differences during a comparison; which of them are chance is known only at its end."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from djongo_services.drift.comparison import LEVEL, Difference
from djongo_services.drift.proportions import significant


@dataclass(slots=True)
class Findings:
    """The differences of all collections of one comparison."""

    tolerance: float
    tests: int = 0
    _found: dict[str, list[Difference]] = field(default_factory=dict)
    _notes: dict[str, list[str]] = field(default_factory=dict)
    _chancy: set[int] = field(default_factory=set)
    """Differences (by identity) that are dropped if chance explains them."""

    def add(self, difference: Difference) -> None:
        """Add a certain difference, or one that was added or removed as far as samples show."""
        self.tests += difference.p is not None
        self._found.setdefault(difference.collection, []).append(difference)

    def moved(self, difference: Difference) -> None:
        """Add a difference that is dropped unless it is more than chance."""
        self.add(difference)
        if difference.p is not None:
            self._chancy.add(id(difference))

    def tested(self, p: float | None) -> None:
        """Count a test, also if it found nothing to report."""
        self.tests += p is not None

    def note(self, collection: str, sentence: str) -> None:
        self._notes.setdefault(collection, []).append(sentence)

    def judged(self) -> Mapping[str, tuple[Difference, ...]]:
        """The remaining differences by collection, each with its certainty."""
        chances = [one for found in self._found.values() for one in found if one.p is not None]
        verdicts = significant(
            [one.p for one in chances if one.p is not None], tests=self.tests, level=LEVEL
        )
        doubtful = {id(one) for one, real in zip(chances, verdicts, strict=True) if not real}
        return {name: tuple(self._certain(found, doubtful)) for name, found in self._found.items()}

    def notes(self, collection: str) -> tuple[str, ...]:
        return tuple(self._notes.get(collection, ()))

    def noted(self) -> Iterable[str]:
        return self._notes

    def _certain(self, found: Iterable[Difference], doubtful: set[int]) -> Iterable[Difference]:
        for one in found:
            if id(one) not in doubtful:
                yield one
            elif id(one) not in self._chancy:
                yield replace(one, certain=False)
