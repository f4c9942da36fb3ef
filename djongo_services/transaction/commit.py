"""The result of a transaction's end: its outcome, its error, and what is retried.

The end itself, for clients of either flavour, is in ``asynchronous`` and ``synchronous``.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import pymongo
from pymongo.errors import OperationFailure, PyMongoError

from djongo_services.conf import settings
from djongo_services.server_errors import MAX_TIME_EXPIRED, NO_SUCH_TRANSACTION
from djongo_services.transaction.causal_consistency import Clock
from djongo_services.transaction.errors import (
    CommitResultUnknown,
    TransactionManagementError,
    asking_to_run_again,
    is_unknown_commit,
)
from djongo_services.transaction.state import ActiveTransaction, Outcome

logger = logging.getLogger("djongo_services.transaction")

FENCE = "djongo_services.fence"
"""A collection that does not exist, and is never written to."""


SHORTEST = 0.1
"""Seconds that the last commit within the limit gets at least."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Ending:
    outcome: Outcome
    error: BaseException | None = None
    """The exception that the block raises; None if it ends normally or its own exception
    propagates."""
    begun: bool = True
    """False for a lazy transaction in which no operation was run."""


def patience(error: BaseException | None) -> float:
    """Seconds to wait for an operation in progress in another thread or task."""
    limits = settings.transaction
    return limits.commit_timeout if error is None else limits.rollback_timeout


def give_up_waiting(transaction: ActiveTransaction) -> None:
    """Kill an operation that does not end, together with its session."""
    transaction.interrupted = True
    transaction.mark_rollback_only(TimeoutError("an operation of the transaction did not end"))


def never_begun(transaction: ActiveTransaction, error: BaseException | None) -> Ending:
    if error is None and not transaction.rollback_only:
        return Ending(outcome="committed", begun=False)
    return replace(rolled_back(transaction, error), begun=False)


def rolled_back(transaction: ActiveTransaction, error: BaseException | None) -> Ending:
    cause = transaction.rollback_cause
    if error is not None or cause is None:
        return Ending(outcome="rolled back")
    if isinstance(cause, TransactionManagementError):
        return Ending(outcome="rolled back", error=cause)
    lost = TransactionManagementError(
        f"The transaction on {transaction.alias!r} was rolled back, though its block ended "
        f"without an exception: an inner {type(cause).__name__} was caught inside of it. Catch "
        f"it outside of the outermost atomic block, or let it propagate."
    )
    lost.__cause__ = cause
    return Ending(outcome="rolled back", error=lost)


def commit_failed(transaction: ActiveTransaction, error: BaseException) -> Ending:
    """The Ending for a commit that raised ``error``."""
    if not isinstance(error, PyMongoError):
        return Ending(outcome="unknown", error=error)
    if is_unknown_commit(error):
        unknown = CommitResultUnknown(
            f"Whether the transaction on {transaction.alias!r} was committed is unknown: "
            f"{error}. Look at the data before the work is done again."
        )
        unknown.__cause__ = error
        return Ending(outcome="unknown", error=unknown)
    if getattr(error, "code", None) == NO_SUCH_TRANSACTION and transaction.failure is not None:
        error = transaction.rolled_back_by_server(transaction.failure)
    elif isinstance(error, OperationFailure):
        error = asking_to_run_again("the commit", transaction.alias, error)
    return Ending(outcome="rolled back", error=error)


def final(error: PyMongoError) -> bool:
    """Whether sending the commit again would be wrong or pointless."""
    expired = isinstance(error, OperationFailure) and error.code == MAX_TIME_EXPIRED
    return expired or not is_unknown_commit(error)


class CommitRetry:
    """Jittered, growing pauses within COMMIT_TIMEOUT, counted from the first commit."""

    def __init__(self, began: float) -> None:
        self._deadline = began + settings.transaction.commit_timeout
        self._ceiling = 0.01

    def delay(self) -> float:
        self._ceiling = min(self._ceiling * 2, 0.5)
        return min(random.uniform(0, self._ceiling), self.remaining())  # noqa: S311

    def remaining(self) -> float:
        """The remaining time in seconds."""
        return max(SHORTEST, self._deadline - time.monotonic())


@contextmanager
def within_rollback_timeout(transaction: ActiveTransaction) -> Iterator[None]:
    """Limit the time of the clean-up, and never let its errors hide the original one."""
    try:
        with pymongo.timeout(settings.transaction.rollback_timeout):
            yield
    except PyMongoError as error:
        logger.warning(
            "The transaction on %r could not be ended on the server, which will do it by itself "
            "after transactionLifetimeLimitSeconds (60 s by default): %s",
            transaction.alias,
            error,
            extra={"using": transaction.alias, "reason": type(error).__name__},
        )


def take_times(transaction: ActiveTransaction, session: Any, parent: Any) -> None:
    """Copy the causal times of the session bound around a transaction to it."""
    transaction.parent = parent
    if parent.cluster_time is not None:
        session.advance_cluster_time(parent.cluster_time)
    if parent.operation_time is not None:
        session.advance_operation_time(parent.operation_time)


def give_times_back(transaction: ActiveTransaction) -> None:
    session, parent = transaction.session, transaction.parent
    if parent is None or parent.has_ended:
        return
    if session.cluster_time is not None:
        parent.advance_cluster_time(session.cluster_time)
    if session.operation_time is not None:
        parent.advance_operation_time(session.operation_time)
    if transaction.wrote and isinstance(parent, Clock):
        parent.note_write()
