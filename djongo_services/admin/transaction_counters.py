"""Counters of this process's transactions since its start, by view.

They count signals, and only if :func:`count_transactions` was called, which the app does in
projects with Django's admin, whose page shows the figures.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from django.db import DatabaseError
from pymongo.errors import OperationFailure

from djongo_services.admin.transaction_history import history
from djongo_services.admin.transaction_minutes import OTHERS, OUTSIDE, Count, Outcome
from djongo_services.transaction.reporting import transaction_finished, transaction_retried
from djongo_services.transaction.requests.context import served

MOST_VIEWS = 500
"""The number of views that are counted individually; further ones are counted together."""

_OUTCOMES: dict[str, Outcome] = {"committed": "committed", "rolled back": "rolled_back"}


class Counters:
    """Thread-safe counters."""

    def __init__(self) -> None:
        self._forget()

    def _forget(self) -> None:
        """Reset the counters, at the beginning and in a forked child, which is a process of its
        own."""
        self.since = datetime.now(UTC)
        # Reentrant: a transaction can end when the garbage collector runs, in the middle of this.
        self._lock = threading.RLock()
        self._by_view: dict[tuple[str, str], Count] = {}

    def finished(self, using: str, view: str, outcome: Outcome, seconds: float) -> None:
        with self._lock:
            self._count(using, view).add_finished(outcome, seconds)

    def retried(self, using: str, view: str) -> None:
        with self._lock:
            self._count(using, view).retried += 1

    def by_view(self, using: str) -> Mapping[str, Count]:
        """Counters by the name of the view; OUTSIDE for transactions outside of views."""
        with self._lock:
            found = self._by_view.items()
            return {view: replace(one) for (alias, view), one in found if alias == using}

    def _count(self, using: str, view: str) -> Count:
        key = (using, view)
        if key not in self._by_view and len(self._by_view) >= MOST_VIEWS:
            key = (using, OTHERS)
        return self._by_view.setdefault(key, Count())


counters = Counters()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=counters._forget)


def count_transactions() -> None:
    """Begin to count; repeating it does nothing."""
    transaction_finished.connect(_on_finished, dispatch_uid="djongo_services.counting")
    transaction_retried.connect(_on_retried, dispatch_uid="djongo_services.counting")


def _on_finished(
    *, using: str, outcome: str, duration: float, reason: BaseException | None, **kwargs: Any
) -> None:
    view, kind = _view(), _OUTCOMES.get(outcome, "unknown")
    counters.finished(using, view, kind, duration)
    history.finished(using, view, kind, duration, reason_name(reason))


def _on_retried(*, using: str, **kwargs: Any) -> None:
    view = _view()
    counters.retried(using, view)
    history.retried(using, view)


def reason_name(reason: BaseException | None) -> str:
    """The kind of an error: the driver's if Django's error only wraps it, and the server's name of
    it if PyMongo's error is a general one. Empty for None."""
    if reason is None:
        return ""
    if isinstance(reason, DatabaseError) and reason.__cause__ is not None:
        reason = reason.__cause__
    details = reason.details if type(reason) is OperationFailure else None
    code = details.get("codeName") if details else None
    return str(code or type(reason).__name__)


def _view() -> str:
    """The name of this context's view, from Django's resolver."""
    serving = served()
    match = None if serving is None else serving.request.resolver_match
    return OUTSIDE if match is None else match.view_name
