"""The transaction that an operation belongs to, and its state."""

from __future__ import annotations

import contextlib
import os
import time
import warnings
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Literal

from pymongo.errors import ConnectionFailure, OperationFailure, PyMongoError, WriteError

from djongo_services.server_errors import NO_SUCH_TRANSACTION, NOT_IN_TRANSACTION
from djongo_services.transaction import participants
from djongo_services.transaction.errors import (
    ConcurrentUse,
    TransactionManagementError,
    asking_to_run_again,
    refused_in_transaction,
)
from djongo_services.transaction.fair_lock import FairLock
from djongo_services.transaction.hooks import Hooks
from djongo_services.transaction.options import Options
from djongo_services.transaction.participants import Part, none_owned, owned

Key = tuple[str, str]
"""``Connection.key``, which identifies the clients, and therefore their transactions."""

Outcome = Literal["committed", "rolled back", "unknown"]

READS = frozenset({"find", "aggregate", "distinct", "getMore", "count"})


class ActiveTransaction:
    """One transaction from the outermost block's beginning to its end.

    All threads and tasks that joined it share it; :attr:`lock` allows one operation at a time, and
    the other attributes are changed by its holder.
    """

    __slots__ = (
        "_warned",
        "alias",
        "attempt",
        "begin",
        "creates_collections",
        "database",
        "ended",
        "failure",
        "has_parts",
        "home",
        "hooks",
        "interrupted",
        "key",
        "last_own_part",
        "left_out",
        "lock",
        "of_test",
        "options",
        "outcome",
        "owner",
        "parent",
        "pid",
        "rollback_cause",
        "rollback_only",
        "session",
        "sessions",
        "settle",
        "started",
        "transactional",
        "wrote",
    )

    def __init__(
        self,
        *,
        key: Key,
        alias: str,
        database: str,
        options: Options,
        transactional: bool,
        attempt: int = 1,
    ) -> None:
        self.key = key
        self.alias = alias
        self.database = database
        self.options = options
        self.transactional = transactional
        """False on a server without transactions, where each operation is independent."""
        self.attempt = attempt
        self.started = time.monotonic()
        self.pid = os.getpid()
        self.lock = FairLock()
        self.hooks = Hooks()
        self.session: Any = None
        """The ClientSession or AsyncClientSession that began it and will end it."""
        self.sessions: dict[int, Any] = {}
        """By the ``id()`` of the client, because clients of the same servers are equal: that
        session, and linked ones for the alias's other clients."""
        self.begin: Callable[[Any], None] | None = None
        """Starts the session for the client of the first operation; None: it has been started
        already."""
        self.settle: Callable[[], Awaitable[None]] | None = None
        """Finds out whether the server has transactions, if that could not be known immediately."""
        self.parent: Any = None
        """A session bound around the block; causal times are copied from and to it."""
        self.owner: Any = None
        """The backend's wrapper when its own atomic began this transaction and will end it."""
        self.rollback_only = False
        self.rollback_cause: BaseException | None = None
        """Why an inner block or an operation requires a rollback; None: set_rollback(True)."""
        self.failure: BaseException | None = None
        """The first error response of the server; after most of them it rolls back by itself."""
        self.wrote = False
        self.interrupted = False
        """Whether an operation ended without a response, so that it may still be on its way."""
        self.left_out: set[Any] = set()
        """What was written outside of it; see ``current.left_out``."""
        self.ended = False
        self.outcome: Outcome | None = None
        """The outcome; None while it is open and while it is ending."""
        self.creates_collections = transactional
        """Whether the collection of its first write is created before it begins."""
        self.home: Any = None
        """The task, or the identifier of the thread, that runs the outermost block."""
        self.of_test: Callable[[], bool] = _never
        """Whether a Django TestCase has begun it, which asynchronous blocks join as well."""
        self.has_parts = False
        self.last_own_part: Part | None = None
        """Whether others than :attr:`home` took part, and the last part of the outermost block's
        own context: see :mod:`participants`."""
        self._warned = False

    def forget_sessions(self) -> None:
        """Remove the references after the end, so that no cycle must be garbage-collected."""
        self.session = self.parent = self.begin = self.settle = self.home = None
        self.sessions = {}

    def ending(self) -> None:
        """Accept no further operation; it is committed or rolled back next."""

    def end_session(self) -> Any:
        """End the session, once the server's transaction has ended. With an asynchronous client,
        the result must be awaited."""
        return self.session.end_session()

    def mark_rollback_only(self, cause: BaseException) -> None:
        """Allow only a rollback from now on."""
        if not self.rollback_only or self.rollback_cause is None:
            self.rollback_only = True
            self.rollback_cause = cause

    def check_usable(self) -> None:
        """Raise TransactionManagementError if no more operations may be run."""
        if self.ended:
            raise TransactionManagementError(participants.why_refused(self))
        if self.pid != os.getpid():
            raise TransactionManagementError(
                f"A forked process cannot take part in the transaction on {self.alias!r} that its "
                f"parent began; fork before the block, or work in a new context."
            )
        if self.rollback_only:
            raise TransactionManagementError(
                f"The transaction on {self.alias!r} will be rolled back{_because(self)}, so no "
                f"further operation can be run until the end of the outermost atomic block."
            ) from self.rollback_cause

    def warn_of_concurrency(self) -> None:
        """Warn once: the caller is about to wait for another operation of this transaction."""
        if not self._warned:
            self._warned = True
            warnings.warn(
                f"Operations of one transaction on {self.alias!r} were started at the same time; "
                f"MongoDB runs them one after the other, so concurrency gains nothing here.",
                ConcurrentUse,
                stacklevel=4,
            )

    def refuse_waiting_for_oneself(self) -> None:
        raise TransactionManagementError(
            f"A blocking operation was called in the event loop's thread while another operation "
            f"of the same transaction on {self.alias!r} was in progress; await one before the "
            f"other, or call it through sync_to_async."
        )

    routes = False
    """Whether operations must call :meth:`route` and :meth:`recover`."""

    def route(self, operation: str, session: Any, options: dict[str, Any]) -> Any:
        """The session to send an operation with, which came with one of this transaction's;
        ``options`` are those of PyMongo's ``_retry_internal``."""
        return session

    def recover(self, operation: str, session: Any, error: BaseException) -> Any:
        """A session with which a failed operation is sent again, or None."""
        return None

    def open_savepoint(self, name: str = "") -> str | None:
        """Open a savepoint and return its name; None if a failed inner block rolls back the
        whole."""
        return None

    def release(self, name: str) -> None:
        """Release a savepoint; what was done since stays part of the transaction."""

    def roll_back_to(self, name: str) -> None:
        """Undo what was done since; without savepoints, only the whole can be rolled back."""
        self.mark_rollback_only(RuntimeError("an inner block failed"))

    def has_something_to_lose(self) -> bool:
        """Whether there are writes before a savepoint, which an error of the server would
        discard."""
        return False

    def leave_savepoint(self, name: str | None, error: BaseException | None) -> None:
        """End an inner block's savepoint; ``error`` is the exception that ended the block, or
        None."""
        if error is None:
            if name is not None:
                self.release(name)
            return
        if name is not None:
            with contextlib.suppress(PyMongoError):
                self.roll_back_to(name)
                self.release(name)
                return
        self.mark_rollback_only(error)

    def sent(self, operation: str) -> None:
        self.wrote = self.wrote or operation not in READS

    def failed(self, operation: str, error: BaseException) -> BaseException:
        """Record the consequences of an operation's error, and return the error to raise
        instead."""
        if not self.transactional:
            return error
        if isinstance(error, ConnectionFailure) or not isinstance(error, Exception):
            # Whether it took effect is unknown: committing the rest might commit only a part.
            self.interrupted = True
            self.mark_rollback_only(error)
            return error
        if not isinstance(error, OperationFailure):
            return error
        return self._refused(operation, error)

    @contextmanager
    def noticing_a_failed_abort(self, operation: str) -> Iterator[None]:
        """Notice errors of an abort, which the driver ignores: the transaction may still be
        open."""
        try:
            yield
        except BaseException as error:
            if operation == "abortTransaction" and not _already_gone(error):
                self.interrupted = True
            raise

    def _refused(self, operation: str, error: OperationFailure) -> BaseException:
        operation = str.__str__(operation)  # PyMongo's are of an enum with other names
        if error.code == NO_SUCH_TRANSACTION and self.failure is not None:
            return self.rolled_back_by_server(self.failure)
        if error.code == NOT_IN_TRANSACTION:
            error = refused_in_transaction(operation, error)
        error = asking_to_run_again(operation, self.alias, error)
        if self.failure is None:
            self.failure = error
        return error

    def rolled_back_by_server(self, cause: BaseException) -> TransactionManagementError:
        self.mark_rollback_only(cause)
        error = TransactionManagementError(
            f"MongoDB rolled the transaction on {self.alias!r} back when an earlier operation "
            f"failed ({type(cause).__name__}); an error that is caught inside of an atomic block "
            f"cannot save the block. Catch it outside."
        )
        error.__cause__ = cause
        return error

    def answered(self, reply: Any) -> None:
        """Check a response of the server: a bulk write's errors are not raised as one error."""
        errors = reply.get("writeErrors")
        if errors and self.failure is None:
            first = errors[0]
            self.failure = WriteError(first.get("errmsg", ""), first.get("code"), first)


@dataclass(frozen=True, slots=True, eq=False)
class Level:
    """One atomic block that is open in this context."""

    transaction: ActiveTransaction
    test: bool = False
    """Whether test helpers opened it: a durable block inside still counts as outermost."""


_LEVELS: ContextVar[tuple[Level, ...]] = ContextVar("djongo_services_atomic_levels", default=())
ENDING: ContextVar[ActiveTransaction | None] = ContextVar("djongo_services_ending", default=None)
"""The transaction that this context is committing or rolling back."""
APART: ContextVar[bool] = ContextVar("djongo_services_apart", default=False)
"""Whether the operations of this context stay outside of any transaction."""


def levels(key: Key) -> list[Level]:
    """The blocks on these clients around this context, outermost first."""
    return [level for level in _levels() if level.transaction.key == key]


def innermost(key: Key) -> ActiveTransaction | None:
    if _LEVELS.get():
        for level in reversed(_levels()):
            if level.transaction.key == key:
                return level.transaction
    return owned(key)


@contextmanager
def ending(transaction: ActiveTransaction) -> Iterator[None]:
    """Within the block, this context commits the transaction or rolls it back."""
    token = ENDING.set(transaction)
    try:
        yield
    finally:
        ENDING.reset(token)


def _levels() -> tuple[Level, ...]:
    """The open blocks, without those that have ended elsewhere and that this context is free of."""
    inherited = _LEVELS.get()
    for level in inherited:
        if level.transaction.ended and participants.is_free_of(level.transaction):
            left = tuple(each for each in inherited if each.transaction is not level.transaction)
            _LEVELS.set(left)
            return _levels()
    return inherited


def push(level: Level) -> Any:
    """Push a level, and return the token for :func:`pop`."""
    return _LEVELS.set((*_LEVELS.get(), level))


def pop(token: Any) -> None:
    """Raises ValueError in another context than the one that pushed."""
    _LEVELS.reset(token)


@contextmanager
def outside() -> Iterator[None]:
    """Keep operations without a session of their own outside of any transaction within the
    block."""
    token = _LEVELS.set(())
    try:
        with none_owned():
            yield
    finally:
        _LEVELS.reset(token)


def transaction_of(session: Any) -> ActiveTransaction | None:
    """The transaction that a session carries, if it is one of ours."""
    found: ActiveTransaction | None = getattr(session, "djongo_services_transaction", None)
    return found


def attach(session: Any, transaction: ActiveTransaction) -> None:
    session.djongo_services_transaction = transaction


def detach(session: Any) -> None:
    session.djongo_services_transaction = None


def _never() -> bool:
    return False


def _already_gone(error: BaseException) -> bool:
    return isinstance(error, OperationFailure) and error.code == NO_SUCH_TRANSACTION


def _because(transaction: ActiveTransaction) -> str:
    match transaction.rollback_cause:
        case None:
            return " as set_rollback(True) requested"
        case cause if transaction.interrupted:
            return f" because an operation was interrupted ({type(cause).__name__})"
        case cause:
            return f" because an inner block failed ({type(cause).__name__})"
