"""Commit and roll back, so that neither session nor server transaction is left behind."""

from __future__ import annotations

import logging
import os
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import pymongo
from pymongo.errors import OperationFailure, PyMongoError

from djongo_services.conf import settings
from djongo_services.transaction import driver
from djongo_services.transaction.causality import Clock
from djongo_services.transaction.errors import (
    NO_SUCH_TRANSACTION,
    CommitResultUnknown,
    TransactionManagementError,
    is_unknown_commit,
)
from djongo_services.transaction.reporting import Outcome
from djongo_services.transaction.state import ENDING, Transaction

logger = logging.getLogger("djongo_services.transaction")

FENCE = "djongo_services.fence"
"""A collection that does not exist, and that nobody writes to."""

MAX_TIME_EXPIRED = 50

SHORTEST = 0.1
"""Seconds that the last commit within the bound is given."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Ending:
    outcome: Outcome
    error: BaseException | None = None
    """What the block raises; None when it ends quietly or its own exception goes on."""
    begun: bool = True
    """False for a delayed transaction in which no operation was run."""


def end(transaction: Transaction, error: BaseException | None) -> Ending:
    """End the server's transaction and the session; never raises what belongs into the Ending.

    ``error`` is the exception that leaves the block.
    """
    if transaction.pid != os.getpid():
        return Ending(outcome="unknown")  # a forked child leaves the block of its parent
    token = ENDING.set(transaction)
    try:
        _wait_for_the_last_operation(transaction, error)
        return _commit_or_roll_back(transaction, error)
    finally:
        transaction.gate.leave()
        transaction.forget_sessions()
        ENDING.reset(token)


def _wait_for_the_last_operation(transaction: Transaction, error: BaseException | None) -> None:
    if not transaction.gate.try_enter() and not transaction.gate.enter(patience(error)):
        give_up_waiting(transaction)
    transaction.ended = True


def _commit_or_roll_back(transaction: Transaction, error: BaseException | None) -> Ending:
    if transaction.session is None:
        return never_begun(transaction, error)
    try:
        if error is None and not transaction.rollback_only:
            return _commit(transaction)
        _roll_back(transaction)
        return rolled_back(transaction, error)
    finally:
        _release(transaction)


def _commit(transaction: Transaction) -> Ending:
    if not transaction.transactional:
        return Ending(outcome="committed")
    if not transaction.wrote:
        # A commit of reads alone waits for the majority and gains nothing but that wait.
        _roll_back(transaction)
        return Ending(outcome="committed")
    try:
        _commit_until_known(transaction)
    except BaseException as error:  # noqa: BLE001 - the Ending carries it to the block
        _kill(transaction, error)
        return commit_failed(transaction, error)
    return Ending(outcome="committed")


def _commit_until_known(transaction: Transaction) -> None:
    began = time.monotonic()
    try:
        transaction.session.commit_transaction()
        return
    except PyMongoError as error:
        if final(error):
            raise
    retry = CommitRetry(began)
    while True:
        time.sleep(retry.delay())
        try:
            with pymongo.timeout(retry.remaining()):
                transaction.session.commit_transaction()
            return
        except PyMongoError as error:
            if final(error) or retry.remaining() <= SHORTEST:
                raise


def _roll_back(transaction: Transaction) -> None:
    session = transaction.session
    if not session.in_transaction:
        return
    if not transaction.interrupted:
        session.abort_transaction()
    if transaction.interrupted:
        with within_rollback_timeout(transaction):
            _fence_off(transaction)


def _fence_off(transaction: Transaction) -> None:
    """End a transaction of which an operation may still be on its way to the server.

    An abort could overtake that operation, which would then begin the transaction anew and hold
    it open for a minute. A later transaction number on the same session makes the server refuse
    everything that belongs to the earlier one, whenever it arrives.
    """
    session = transaction.session
    if session.in_transaction and driver.nothing_sent(session):
        session.abort_transaction()
        return
    _kill_session(session)
    if session.in_transaction:
        session.abort_transaction()
    session.start_transaction()
    session.client[transaction.database][FENCE].find_one({}, session=session)
    session.abort_transaction()
    _kill_session(session)  # should that abort have been lost as well


def _kill(transaction: Transaction, error: BaseException) -> None:
    """After a commit that failed the driver refuses to abort, yet the server may wait on."""
    if not (isinstance(error, OperationFailure) and error.code == NO_SUCH_TRANSACTION):
        with within_rollback_timeout(transaction):
            _kill_session(transaction.session)


def _kill_session(session: Any) -> None:
    session.client.admin.command("killSessions", [dict(session.session_id)])


def _release(transaction: Transaction) -> None:
    session = transaction.session
    driver.let_go_of_twins(transaction)
    give_times_back(transaction)
    session.end_session()


# What the asyncio flavour shares:


def patience(error: BaseException | None) -> float:
    """Seconds to wait for an operation that is under way in another thread or task."""
    limits = settings.transaction
    return limits.commit_timeout if error is None else limits.rollback_timeout


def give_up_waiting(transaction: Transaction) -> None:
    """An operation does not come back: it is killed together with its session."""
    transaction.interrupted = True
    transaction.doom(TimeoutError("an operation of the transaction did not end"))


def never_begun(transaction: Transaction, error: BaseException | None) -> Ending:
    if error is None and not transaction.rollback_only:
        return Ending(outcome="committed", begun=False)
    return replace(rolled_back(transaction, error), begun=False)


def rolled_back(transaction: Transaction, error: BaseException | None) -> Ending:
    cause = transaction.rollback_cause
    if error is not None or cause is None:
        return Ending(outcome="rolled back")
    if isinstance(cause, TransactionManagementError):
        return Ending(outcome="rolled back", error=cause)
    lost = TransactionManagementError(
        f"The transaction on {transaction.alias!r} was rolled back, though its block ended "
        f"without an exception: an inner {type(cause).__name__} was caught inside of it. Catch "
        f"it outside of the outermost atomic block, or let it through."
    )
    lost.__cause__ = cause
    return Ending(outcome="rolled back", error=lost)


def commit_failed(transaction: Transaction, error: BaseException) -> Ending:
    """The Ending of a commit that raised ``error``."""
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
    return Ending(outcome="rolled back", error=error)


def final(error: PyMongoError) -> bool:
    """Whether sending the commit again would be wrong or pointless."""
    expired = isinstance(error, OperationFailure) and error.code == MAX_TIME_EXPIRED
    return expired or not is_unknown_commit(error)


class CommitRetry:
    """Jittered, growing pauses within COMMIT_TIMEOUT; counted from the first commit."""

    def __init__(self, began: float) -> None:
        self._deadline = began + settings.transaction.commit_timeout
        self._ceiling = 0.01

    def delay(self) -> float:
        self._ceiling = min(self._ceiling * 2, 0.5)
        return min(random.uniform(0, self._ceiling), self.remaining())  # noqa: S311

    def remaining(self) -> float:
        """Seconds."""
        return max(SHORTEST, self._deadline - time.monotonic())


@contextmanager
def within_rollback_timeout(transaction: Transaction) -> Iterator[None]:
    """Bound the clean-up, and never let its trouble hide what it cleans up after."""
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


def take_times(transaction: Transaction, session: Any, parent: Any) -> None:
    """Let a transaction see what the session bound around it has seen."""
    transaction.parent = parent
    if parent.cluster_time is not None:
        session.advance_cluster_time(parent.cluster_time)
    if parent.operation_time is not None:
        session.advance_operation_time(parent.operation_time)


def give_times_back(transaction: Transaction) -> None:
    session, parent = transaction.session, transaction.parent
    if parent is None or parent.has_ended:
        return
    if session.cluster_time is not None:
        parent.advance_cluster_time(session.cluster_time)
    if session.operation_time is not None:
        parent.advance_operation_time(session.operation_time)
    if transaction.wrote and isinstance(parent, Clock):
        parent.note_write()
