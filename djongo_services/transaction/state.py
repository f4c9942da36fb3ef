"""The transaction that an operation belongs to, and what is known about it."""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from pymongo.errors import ConnectionFailure, OperationFailure, WriteError
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from djongo_services.transaction.errors import (
    NO_SUCH_TRANSACTION,
    NOT_IN_TRANSACTION,
    ConcurrentUse,
    TransactionManagementError,
    refused_in_transaction,
)
from djongo_services.transaction.gate import Gate
from djongo_services.transaction.hooks import Hooks

Key = tuple[str, str]
"""``Connection.key``: which clients, and therefore which transactions, are meant."""

READS = frozenset({"find", "aggregate", "distinct", "getMore", "count"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Options:
    """How a transaction reads, writes and commits; None leaves it to the client."""

    read_concern: ReadConcern | None = None
    write_concern: WriteConcern | None = None
    read_preference: Any = None
    """One of ``pymongo.ReadPreference``; the server accepts PRIMARY only."""
    max_commit_time: float | None = None
    """Seconds that the server may take for a commit."""

    @property
    def max_commit_time_ms(self) -> int | None:
        return None if self.max_commit_time is None else max(1, round(self.max_commit_time * 1000))

    def given(self) -> list[str]:
        """The names of the options that say something."""
        return [name for name in self.__slots__ if getattr(self, name) is not None]


class Transaction:
    """One transaction from the outermost block's beginning to its end.

    It is shared by every thread and task that joined it; :attr:`gate` lets one operation through
    at a time, and the other attributes are changed by whoever is inside.
    """

    __slots__ = (
        "_warned",
        "alias",
        "attempt",
        "begin",
        "database",
        "ended",
        "failure",
        "gate",
        "hooks",
        "interrupted",
        "key",
        "options",
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
        """False on a server without transactions, where each operation stands alone."""
        self.attempt = attempt
        self.started = time.monotonic()
        self.pid = os.getpid()
        self.gate = Gate()
        self.hooks = Hooks()
        self.session: Any = None
        """The ClientSession or AsyncClientSession that began it and will end it."""
        self.sessions: dict[Any, Any] = {}
        """By client: that session, and twins of it for the alias's other clients."""
        self.begin: Callable[[Any], None] | None = None
        """Starts the session for the client of the first operation; None: it is started already."""
        self.settle: Callable[[], Awaitable[None]] | None = None
        """Finds out whether the server has transactions, where that could not be known at once."""
        self.parent: Any = None
        """A session bound around the block, whose causal times go in and out."""
        self.owner: Any = None
        """The backend's wrapper when its own atomic began this transaction and will end it."""
        self.rollback_only = False
        self.rollback_cause: BaseException | None = None
        """Why an inner block or an operation decided for a rollback; None: set_rollback(True)."""
        self.failure: BaseException | None = None
        """The first error that the server answered; most of them make it roll back by itself."""
        self.wrote = False
        self.interrupted = False
        """Whether an operation ended without an answer, so that it may still be on its way."""
        self.ended = False
        self._warned = False

    def forget_sessions(self) -> None:
        """After the end, so that no cycle of references has to be collected."""
        self.session = self.parent = self.begin = self.settle = None
        self.sessions = {}

    def doom(self, cause: BaseException) -> None:
        """Nothing but a rollback is possible from now on."""
        if not self.rollback_only or self.rollback_cause is None:
            self.rollback_only = True
            self.rollback_cause = cause

    def check_usable(self) -> None:
        """Raise TransactionManagementError when no operation may be run any more."""
        if self.ended:
            raise TransactionManagementError(
                f"The atomic block of {self.alias!r} that this thread or task joined has ended; "
                f"wait for its work before the block ends, or start it outside."
            )
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
        """Once: the caller is about to wait for another operation of this transaction."""
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
            f"of the same transaction on {self.alias!r} was under way; await the one before the "
            f"other, or call it through sync_to_async."
        )

    def sent(self, operation: str) -> None:
        self.wrote = self.wrote or operation not in READS

    def failed(self, operation: str, error: BaseException) -> BaseException:
        """Remember what an operation's error means here; the error to raise in its place."""
        if not self.transactional:
            return error
        if isinstance(error, ConnectionFailure) or not isinstance(error, Exception):
            # Whether it took effect is unknown: committing the rest might commit a part.
            self.interrupted = True
            self.doom(error)
            return error
        if not isinstance(error, OperationFailure):
            return error
        return self._refused(operation, error)

    @contextmanager
    def noticing_a_failed_abort(self, operation: str) -> Iterator[None]:
        """The driver swallows the errors of an abort; the transaction may then be open still."""
        try:
            yield
        except BaseException as error:
            if operation == "abortTransaction" and not _already_gone(error):
                self.interrupted = True
            raise

    def _refused(self, operation: str, error: OperationFailure) -> BaseException:
        if error.code == NO_SUCH_TRANSACTION and self.failure is not None:
            return self.rolled_back_by_server(self.failure)
        if error.code == NOT_IN_TRANSACTION:
            error = refused_in_transaction(operation, error)
        if self.failure is None:
            self.failure = error
        return error

    def rolled_back_by_server(self, cause: BaseException) -> TransactionManagementError:
        self.doom(cause)
        error = TransactionManagementError(
            f"MongoDB rolled the transaction on {self.alias!r} back when an earlier operation "
            f"failed ({type(cause).__name__}); an error that is caught inside of an atomic block "
            f"cannot save the block. Catch it outside."
        )
        error.__cause__ = cause
        return error

    def answered(self, reply: Any) -> None:
        """Look at an answer of the server: a bulk write's errors are not raised as one error."""
        errors = reply.get("writeErrors")
        if errors and self.failure is None:
            first = errors[0]
            self.failure = WriteError(first.get("errmsg", ""), first.get("code"), first)


@dataclass(frozen=True, slots=True, eq=False)
class Level:
    """One atomic block that is open in this context."""

    transaction: Transaction
    test: bool = False
    """Opened by the test helpers: a durable block inside still counts as outermost."""


_LEVELS: ContextVar[tuple[Level, ...]] = ContextVar("djongo_services_atomic_levels", default=())
ENDING: ContextVar[Transaction | None] = ContextVar("djongo_services_ending", default=None)
"""The transaction that this context is committing or rolling back."""


def levels(key: Key) -> list[Level]:
    """The open blocks on these clients, outermost first."""
    return [level for level in _LEVELS.get() if level.transaction.key == key]


def innermost(key: Key) -> Transaction | None:
    for level in reversed(_LEVELS.get()):
        if level.transaction.key == key:
            return level.transaction
    return None


def push(level: Level) -> Any:
    """The token for :func:`pop`."""
    return _LEVELS.set((*_LEVELS.get(), level))


def pop(token: Any) -> None:
    """Raises ValueError in another context than the one that pushed."""
    _LEVELS.reset(token)


def transaction_of(session: Any) -> Transaction | None:
    """The transaction that a session carries, if it is one of ours."""
    found: Transaction | None = getattr(session, "djongo_services_transaction", None)
    return found


def attach(session: Any, transaction: Transaction) -> None:
    session.djongo_services_transaction = transaction


def _already_gone(error: BaseException) -> bool:
    return isinstance(error, OperationFailure) and error.code == NO_SUCH_TRANSACTION


def _because(transaction: Transaction) -> str:
    match transaction.rollback_cause:
        case None:
            return " as set_rollback(True) asked for it"
        case cause if transaction.interrupted:
            return f" because an operation was interrupted ({type(cause).__name__})"
        case cause:
            return f" because an inner block failed ({type(cause).__name__})"
