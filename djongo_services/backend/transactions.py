"""The transaction of one Django connection, with savepoints.

It has three stages. Until something is read or written there is nothing. Reads before the first
write see one moment, outside of any transaction, so that a block that only reads sends no command
for it. The first write begins the server's transaction, at that moment if there is one: a change
that others have made since then is a write conflict, not a lost update.

MongoDB has no savepoints. A rollback to one ends the server's transaction, begins another at the
same moment and repeats the writes that came before the savepoint. If that is impossible, only the
whole transaction can be rolled back. If the first write came before any read, the server must be
queried for the moment, so that is done only once something has been seen.
"""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from bson.timestamp import Timestamp
from django.db import connections as databases
from pymongo import AsyncMongoClient
from pymongo.errors import OperationFailure, PyMongoError
from pymongo.read_concern import ReadConcern

from djongo_services.backend import moments, sessions
from djongo_services.backend.recording import WRITES, Write, WriteLog, recorder, repetitions
from djongo_services.conf import settings
from djongo_services.server_errors import SNAPSHOT_UNAVAILABLE
from djongo_services.transaction import (
    backend_connections,
    blocks,
    clients,
    commit,
    current,
    state,
)
from djongo_services.transaction.errors import TRANSIENT
from djongo_services.transaction.hooks import Mark as HooksMark
from djongo_services.transaction.options import Options
from djongo_services.transaction.state import ActiveTransaction, Key

_SNAPSHOT_READS = frozenset({"find", "aggregate", "distinct", "getMore"})
_OUTSIDE = frozenset(
    {"create", "createIndexes", "listCollections", "listIndexes", "listDatabases"}
    | {"explain", "collStats", "dbStats"}
    | {"ping", "hello", "buildInfo", "serverStatus", "connectionStatus"}
)
"""What the server refuses in a transaction although it changes no document; collections and indexes
that are created stay after a rollback."""

_PLAIN = Options()


class CannotRollBack(PyMongoError):
    """The state before a savepoint cannot be restored; the whole transaction must be rolled
    back."""


@dataclass(frozen=True, slots=True)
class _Savepoint:
    writes: int
    """The number of writes that had been acknowledged."""
    hooks: HooksMark
    unusable: bool
    """Whether only a rollback of the whole was possible already."""
    handled: BaseException | None
    """The exception that was being handled when it was opened."""


class EngineTransaction(ActiveTransaction):
    """A transaction from the beginning of Django's outermost atomic block, or since autocommit is
    off."""

    __slots__ = (
        "_asked",
        "_client",
        "_learned",
        "_log",
        "_opened",
        "_reading",
        "_recorded",
        "_savepoints",
        "_writing",
        "has_seen",
        "in_test",
        "looks_ahead",
        "lost",
    )

    def __init__(
        self,
        *,
        key: Key,
        alias: str,
        database: str,
        options: Options = _PLAIN,
        transactional: bool = True,
        attempt: int = 1,
    ) -> None:
        super().__init__(
            key=key,
            alias=alias,
            database=database,
            options=options,
            transactional=transactional,
            attempt=attempt,
        )
        self.in_test: Callable[[], bool] = _never
        """Whether only the blocks that TestCase opens around a test are open: then no other client
        writes in the meantime, and writes can be repeated at another moment."""
        self.lost: PyMongoError | None = None
        """Why the state before a savepoint could not be restored: only the whole can be undone, and
        the code that caught the error that led there must learn of it."""
        self._client: Any = None
        """The MongoClient of the first operation."""
        self._reading: Any = None
        """The session for reads before the first write."""
        self.has_seen = False
        """Whether the transaction has seen any data. Writes alone are just as valid at another
        moment: if they are not, as with a duplicate, the server reports it."""
        self.looks_ahead = False
        """Whether the current read is not visible to the application."""
        self._asked = False
        """Whether the server was queried for the moment of its reads."""
        self._learned: Timestamp | None = None
        """The moment of its reads, if the server was queried for it."""
        self._log = WriteLog()
        self._writing = False
        """Whether a write was sent."""
        self._recorded: bytes | None = None
        """The key by which its writes are recorded."""
        self._opened = 0
        """The number of savepoints so far."""
        self._savepoints: dict[str, _Savepoint] = {}
        self.begin = self._begin
        self.creates_collections = False
        self.home = threading.get_ident()

    # The session of an operation.

    routes = True

    def sent(self, operation: str) -> None:
        super().sent(operation)
        # Here, because an asynchronous client does not ask where to send it.
        if operation != "insert" and operation not in _OUTSIDE and not self.looks_ahead:
            self.has_seen = True

    def route(self, operation: str, session: Any, options: dict[str, Any]) -> Any:
        """The session for an operation that came with one of ours."""
        if operation in _OUTSIDE:
            return None
        if self.has_seen and self.has_something_to_lose():
            self._learn_moment()
        if self.session is not None and session is self._reading and operation != "getMore":
            # The session from before the first write was kept.
            options["retryable"] = False
            return self.session
        self._writing = self._writing or operation in WRITES
        if session is not self._reading or operation in _SNAPSHOT_READS:
            return session
        if operation not in WRITES:
            return None
        options["retryable"] = False  # In a transaction nothing is retried automatically.
        return self._begin_on_server(self._moment())

    def recover(self, operation: str, session: Any, error: BaseException) -> Any:
        """Another session for a read that the server could not serve at its chosen moment."""
        if session is not self._reading or operation == "getMore" or self._moment() is not None:
            return None
        if not isinstance(error, OperationFailure) or error.code != SNAPSHOT_UNAVAILABLE:
            return None
        return self._begin_on_server(None)

    def _begin(self, client: Any) -> None:
        if self.session is not None or (client is self._client and self._reading is not None):
            return
        if self._client is None:
            # The ORM's, which ends the transaction, exists before the tests.
            shared = isinstance(client, AsyncMongoClient)
            self._meet(backend_connections.pooled_client(self.key[1]) if shared else client)
        if not self.transactional:
            self.session = self.sessions[id(client)] = client.start_session()
            state.attach(self.session, self)
        elif self._reads_first(client):
            self._reading = client.start_session(snapshot=True)
            self.sessions[id(client)] = self._reading
            state.attach(self._reading, self)
        else:
            self._begin_on_server(self._moment())

    def _meet(self, client: Any) -> None:
        self._client = client
        self.database = self.database or databases.settings[self.key[1]]["NAME"]
        self.parent = blocks.parent_session(client, self)
        self._log.codec_options = client.codec_options

    def _reads_first(self, client: Any) -> bool:
        """Whether reads may come before the server's transaction."""
        if client is not self._client or self.options.given():
            return False
        return moments.can_read_at_one(client) and moments.can_choose(client, self.database)

    def _begin_on_server(self, moment: Timestamp | None) -> Any:
        session = sessions.take(self._client, moment)
        if self.parent is not None:
            commit.take_times(self, session, self.parent)
        state.attach(session, self)
        self._start(session, moment)
        self._recorded = recorder.watch(session, self._log)
        self.session = self.sessions[id(self._client)] = session
        return session

    def _start(self, session: Any, moment: Timestamp | None) -> None:
        concern = self.options.read_concern or ReadConcern("snapshot")
        if moment is not None:
            concern = moments.AtClusterTime(moment)
        blocks.start_transaction(session, replace(self.options, read_concern=concern))

    def _moment(self) -> Timestamp | None:
        """The moment of all reads, if it is known."""
        moment = self._learned
        if moment is None and self._reading is not None:
            moment = clients.snapshot_time(self._reading)
        return moment

    def end_session(self) -> None:
        if self.interrupted or not self.transactional:
            super().end_session()
        else:
            sessions.give_back(self.session)

    def forget_sessions(self) -> None:
        if self._reading is not None:
            self._reading.end_session()
        self._log.go_back_to([])
        self._reading = None
        super().forget_sessions()

    def ending(self) -> None:
        # Neither the commit nor what another transaction does with the session must be recorded.
        key, self._recorded = self._recorded, None
        if key is not None:
            recorder.forget(key)

    # Savepoints.

    def open_savepoint(self, name: str = "") -> str | None:
        if not self.transactional or settings.transaction.savepoints == "off":
            return None
        self._opened += 1
        name = name or f"djongo_services_{self._opened}"
        if self.has_seen or len(self.sessions) > 1:  # Other clients do not ask where to send it.
            self._learn_moment()
        # If PyMongo stopped reporting commands, there would be nothing to repeat.
        unheard = self._writing and not self._log.unkept and not self._log.writes
        self._savepoints[name] = _Savepoint(
            len(self._log.writes),
            self.hooks.mark(),
            unusable=unheard or not self.usable(),
            handled=sys.exc_info()[1],
        )
        return name

    def release(self, name: str) -> None:
        if self._savepoints.pop(name, None) is None:
            raise CannotRollBack(f"No savepoint {name!r} in this transaction.")

    def roll_back_to(self, name: str) -> None:
        """Raises CannotRollBack and PyMongo's errors: then only the whole can be rolled back."""
        try:
            self._roll_back_to(name)
        except PyMongoError as error:
            if not self.of_test():
                self.lost = self.lost or error
            self.mark_rollback_only(error)
            raise

    def _roll_back_to(self, name: str) -> None:
        savepoint = self._savepoints.get(name)
        if savepoint is None:
            raise CannotRollBack(f"No savepoint {name!r} in this transaction.")
        if savepoint.unusable:
            raise CannotRollBack("The transaction could not be used before the savepoint either.")
        if self.lost is not None and sys.exc_info()[1] is savepoint.handled:
            # The block that ends here continues as if its work had succeeded, and no exception says
            # otherwise.
            raise CannotRollBack("What came before a savepoint inside could not be restored.")
        later = list(self._savepoints)[list(self._savepoints).index(name) + 1 :]
        for one in later:
            del self._savepoints[one]
        written = len(self._log.writes)
        if not self.usable() or written != savepoint.writes or self._log.unkept:
            self._begin_again(savepoint)
        self.rollback_only, self.rollback_cause, self.lost = False, None, None
        self.hooks.roll_back_to(savepoint.hooks)

    def has_something_to_lose(self) -> bool:
        """Whether there are writes before a savepoint."""
        return any(savepoint.writes for savepoint in self._savepoints.values())

    def usable(self) -> bool:
        return self.failure is None and not self.rollback_only

    def _begin_again(self, savepoint: _Savepoint) -> None:
        writes = self._log.writes[: savepoint.writes]
        moment = self._moment()
        self._refuse_unless_repeatable(writes, moment)
        session = self.session
        if session is None:
            self.failure = None
            return
        self._abort(session, beginning_again=bool(writes))
        self.failure, self.rollback_only, self.rollback_cause = None, False, None
        self._start(session, moment)
        self._repeat(writes, session)
        self._log.go_back_to(writes)
        self._writing = bool(writes)

    def _repeat(self, writes: list[Write], session: Any) -> None:
        answered = False
        try:
            with self._log.paused():
                for database, command in repetitions(writes):
                    reply = self._client[database].command(command, session=session)
                    answered = True
                    if errors := reply.get("writeErrors"):
                        # Another client was faster, as in a write conflict.
                        reason = f"A write could not be repeated: {errors[0]['errmsg']}"
                        raise CannotRollBack(reason, [TRANSIENT])
        except BaseException as error:
            if not answered and not _is_answer(error):
                # It is not known whether the server has ended the first attempt.
                clients.treat_as_begun(session)
                self.interrupted = True
            raise

    def _abort(self, session: Any, *, beginning_again: bool) -> None:
        """End the server's transaction; ``beginning_again`` means that the next one has writes,
        which are sent at once."""
        if beginning_again and sessions.ends_with_the_next(session):
            clients.forget_transaction(session)
            return
        with state.ending(self), contextlib.suppress(PyMongoError):
            session.abort_transaction()

    def _refuse_unless_repeatable(self, writes: list[Write], moment: Timestamp | None) -> None:
        if self.interrupted:
            raise CannotRollBack(
                "An operation was interrupted, so it is not known what the transaction wrote."
            )
        if self._log.unkept:
            raise CannotRollBack(self._log.unkept)
        if writes and moment is None and self.has_seen and not self.in_test():
            raise CannotRollBack(
                "The server does not report the moment of the transaction's reads."
            )
        for write in writes:
            if not write.can_be_repeated:
                raise CannotRollBack(
                    "The transaction has written a value that differs each time, such as $$NOW, "
                    "before the savepoint."
                )

    def _learn_moment(self) -> None:
        """Read the moment from the server, which shows a user its own sessions, unless it is known
        or unavailable."""
        if self._asked or self.session is None or not self.usable() or self.in_test():
            return
        self._asked = True
        if self._moment() is not None or not moments.can_choose(self._client, self.database):
            return
        with current.apart():
            try:
                self._learned = moments.of_open_transaction(self._client, self.session)
            except OperationFailure:
                return


def _is_answer(error: BaseException) -> bool:
    """Whether the error comes from the server; the driver's own timeouts look alike."""
    return isinstance(error, OperationFailure) and not error.timeout


def _never() -> bool:
    return False
