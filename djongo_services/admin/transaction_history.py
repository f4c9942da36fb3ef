"""Counters of this process's transactions, reported to the database every few seconds.

Counting costs a transaction some microseconds. A separate thread writes the reports, outside of any
transaction or session, and exists only while there is something to report: an application that
opens no transactions, has no admin, runs tests, or sets ``"ADMIN": {"TRANSACTION_HISTORY": False}``
writes nothing.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from datetime import UTC, datetime, timedelta
from functools import partial

import pymongo
from django.core.exceptions import ImproperlyConfigured
from django.utils.connection import ConnectionDoesNotExist

from djongo_services.admin.jobs.background import Background
from djongo_services.admin.transaction_minutes import (
    KEPT_MINUTES,
    MINUTES,
    Minutes,
    MinuteTally,
    Outcome,
    start_of_minute,
)
from djongo_services.conf import settings
from djongo_services.connections import connections
from djongo_services.database_names import is_testing

EVERY_SECONDS = 10.0
"""The interval between two reports of a process."""
IDLE_SECONDS = 60.0
"""The thread ends after this time without transactions; a process also checks at this interval
whether it should report at all."""
WRITE_SECONDS = 3.0
"""The time limit of a report."""
LONGEST_PAUSE = 300.0
"""The maximum pause between two attempts, if a server does not accept the reports."""

logger = logging.getLogger("djongo_services.admin")


class TransactionHistory:
    """Counters that are safe for threads and for forked processes."""

    def __init__(self) -> None:
        self._forget()

    def _forget(self) -> None:
        """Reset, at the beginning and in a forked child: the parent reports what the parent
        counted."""
        # Reentrant: a transaction can end when the garbage collector runs, in the middle of this.
        self._lock = threading.RLock()
        self._pending: dict[tuple[str, int], MinuteTally] = {}
        """Tallies by alias and minute since the epoch."""
        self._ahead: dict[str, float] = {}
        """By alias, the difference between the server's clock and this process's monotonic one."""
        self._pauses: dict[str, tuple[float, float]] = {}
        """By alias, the end of the pause after a failure, and its length."""
        self._cleared: dict[str, int] = {}
        """By alias, the minute in which old documents were last removed."""
        self._reporter: Background | None = None
        self._quiet_until = 0.0

    def finished(
        self, using: str, view: str, outcome: Outcome, seconds: float, reason: str
    ) -> None:
        with self._lock:
            tally = self._tally(using)
            if tally is not None:
                tally.add_finished(view, outcome, seconds, reason)

    def retried(self, using: str, view: str) -> None:
        with self._lock:
            tally = self._tally(using)
            if tally is not None:
                tally.add_retried(view)

    def report(self) -> None:
        """Write the counted transactions; errors are logged."""
        with self._lock:
            if not is_kept():
                self._pending.clear()
            aliases = {using for using, _minute in self._pending}
        for using in aliases:
            try:
                if self._pauses.get(using, (0.0, 0.0))[0] <= time.monotonic():
                    self._report(using)
                    self._pauses.pop(using, None)
            except (ConnectionDoesNotExist, ImproperlyConfigured):
                self._keep_last(using, 0)
            except Exception as error:  # noqa: BLE001 - a report is not worth a thread's end
                self._pause(using, error)

    def close(self) -> None:
        """Stop reporting, and drop what was counted, before a script drops its database or stops
        its server."""
        with self._lock:
            self._pending.clear()
            self._quiet_until = float("inf")
            reporter = self._reporter
        if reporter is not None:
            reporter.stop.set()
            reporter.ended.wait()

    def _tally(self, using: str) -> MinuteTally | None:
        """The tally to add to; None if nothing should be reported."""
        now = time.monotonic()
        if self._reporter is None and not self._begin(now):
            return None
        ahead = self._ahead.get(using)
        minute = int((time.time() if ahead is None else now + ahead) // 60)
        tally = self._pending.get((using, minute))
        if tally is None:
            tally = self._pending[using, minute] = MinuteTally()
        return tally

    def _begin(self, now: float) -> bool:
        if now < self._quiet_until:
            return False
        if not is_kept():
            self._quiet_until = now + IDLE_SECONDS
            return False
        self._reporter = Background()
        try:
            self._reporter.begin(partial(self._work, self._reporter), name="transactions")
        except RuntimeError:  # A new thread is impossible while the process ends.
            self._reporter = None
        return self._reporter is not None

    def _work(self, reporter: Background) -> None:
        idle_since = time.monotonic()
        while True:
            is_last = reporter.stop.wait(EVERY_SECONDS)
            now = time.monotonic()
            if self._pending:
                idle_since = now
                self.report()
            with self._lock:
                if is_last or (not self._pending and now - idle_since >= IDLE_SECONDS):
                    self._reporter = None
                    self._quiet_until = float("inf") if is_last else 0.0
                    return

    def _report(self, using: str) -> None:
        with pymongo.timeout(WRITE_SECONDS):
            minutes = Minutes(connections[using].database, using)
            now = minutes.now()
            last = int(now.timestamp() // 60)
            # Before the first report, minutes were those of the local clock.
            is_known = using in self._ahead
            behind = 0 if is_known else round((now.timestamp() - time.time()) / 60)
            self._ahead[using] = now.timestamp() - time.monotonic()
            for minute in self._minutes(using):
                self._write(minutes, using, minute, min(minute + behind, last))
            if self._cleared.get(using) != last:
                minutes.forget(start_of_minute(now) - timedelta(minutes=KEPT_MINUTES))
                self._cleared[using] = last

    def _write(self, minutes: Minutes, using: str, minute: int, on_server: int) -> None:
        with self._lock:
            tally = self._pending.pop((using, minute))
        try:
            minutes.add(datetime.fromtimestamp(on_server * 60, UTC), tally)
        except BaseException:
            with self._lock:
                self._pending.setdefault((using, minute), MinuteTally()).add(tally)
            raise

    def _minutes(self, using: str) -> list[int]:
        with self._lock:
            return sorted(minute for alias, minute in self._pending if alias == using)

    def _keep_last(self, using: str, most: int) -> None:
        minutes = self._minutes(using)
        with self._lock:
            for minute in minutes[: max(len(minutes) - most, 0)]:
                del self._pending[using, minute]

    def _pause(self, using: str, error: Exception) -> None:
        now = time.monotonic()
        length = min(2 * self._pauses.get(using, (0.0, EVERY_SECONDS / 2))[1], LONGEST_PAUSE)
        level = logging.DEBUG if using in self._pauses else logging.WARNING
        self._pauses[using] = (now + length, length)
        self._keep_last(using, MINUTES)
        logger.log(
            level,
            "The counts of transactions on %r could not be kept (%s); they are tried again in "
            "%.0f s. DJONGO_SERVICES['ADMIN']['TRANSACTION_HISTORY'] = False turns this off.",
            using,
            type(error).__name__,
            length,
        )


def is_kept() -> bool:
    """Whether this process reports its transactions."""
    # A report in the middle of a test would change, or recreate, the test's database.
    return not is_testing() and settings.admin.transaction_history


history = TransactionHistory()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=history._forget)
