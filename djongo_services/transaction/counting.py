"""How the transactions of this process went since it began, by view.

Counted from the signals, so only where :func:`count_transactions` has been called: the app does
that in projects that have Django's admin, whose page shows the figures.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from djongo_services.transaction.requests.served import served
from djongo_services.transaction.signals import transaction_finished, transaction_retried

MOST_VIEWS = 500
"""Views that are counted one by one; those after them are counted together."""
OTHERS = "…"
"""The name under which they are."""
OUTSIDE = ""
"""The name of what belongs to no request."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Count:
    """Of one view, or of all."""

    committed: int = 0
    rolled_back: int = 0
    unknown: int = 0
    """Commits whose result nobody knows."""
    retried: int = 0
    """Further attempts that were begun."""
    seconds: float = 0.0
    """All transactions together."""
    slowest: float = 0.0
    """Seconds of the longest."""

    @property
    def finished(self) -> int:
        return self.committed + self.rolled_back + self.unknown

    @property
    def average(self) -> float:
        """Seconds."""
        return self.seconds / self.finished if self.finished else 0.0

    def __add__(self, other: Count) -> Count:
        return Count(
            committed=self.committed + other.committed,
            rolled_back=self.rolled_back + other.rolled_back,
            unknown=self.unknown + other.unknown,
            retried=self.retried + other.retried,
            seconds=self.seconds + other.seconds,
            slowest=max(self.slowest, other.slowest),
        )


class Counters:
    """Safe for threads."""

    def __init__(self) -> None:
        self.since = datetime.now(UTC)
        self._lock = threading.Lock()
        self._by_view: dict[tuple[str, str], Count] = {}

    def finished(self, using: str, view: str, outcome: str, seconds: float) -> None:
        name = {"committed": "committed", "rolled back": "rolled_back"}.get(outcome, "unknown")
        one = Count(seconds=seconds, slowest=seconds)
        self._add(using, view, replace(one, **{name: 1}))

    def retried(self, using: str, view: str) -> None:
        self._add(using, view, Count(retried=1))

    def by_view(self, using: str) -> Mapping[str, Count]:
        """By the name of the view; :data:`OUTSIDE` for what belongs to none."""
        with self._lock:
            return {view: count for (alias, view), count in self._by_view.items() if alias == using}

    def _add(self, using: str, view: str, count: Count) -> None:
        key = (using, view)
        with self._lock:
            if key not in self._by_view and len(self._by_view) >= MOST_VIEWS:
                key = (using, OTHERS)
            self._by_view[key] = self._by_view.get(key, Count()) + count


counters = Counters()


def count_transactions() -> None:
    """From now on; calling it again changes nothing."""
    transaction_finished.connect(_on_finished, dispatch_uid="djongo_services.counting")
    transaction_retried.connect(_on_retried, dispatch_uid="djongo_services.counting")


def _on_finished(*, using: str, outcome: str, duration: float, **kwargs: Any) -> None:
    counters.finished(using, _view(), outcome, duration)


def _on_retried(*, using: str, **kwargs: Any) -> None:
    counters.retried(using, _view())


def _view() -> str:
    """The name of the view that this context serves, as Django's resolver has it."""
    serving = served()
    match = None if serving is None else serving.request.resolver_match
    return OUTSIDE if match is None else match.view_name
