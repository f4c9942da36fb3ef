"""PyMongo's clients, patched so that each operation uses the right session.

``session.bind()`` is PyMongo's own way to join operations to a session, but it supports one client
at a time, refuses every other one, and lets concurrent operations race. The classes here close that
gap. This is the only file that relies on undocumented names of PyMongo: ``_SESSION`` and
``_TxnState`` of the sessions' modules, ``_get_bound_session``, ``_start_session``,
``_retry_internal``, ``_process_response`` and ``_return_server_session`` of the clients,
``_materialize``, ``_server_session``, ``_transaction`` and ``_snapshot_time`` of the sessions (the
same from 4.17 to 4.20); :mod:`causal_consistency` and :mod:`listening` have their own.
"""

from __future__ import annotations

import asyncio
import functools
import threading
from collections.abc import Mapping
from contextvars import ContextVar, Token
from functools import cache
from typing import Any, TypeVar

from pymongo import AsyncMongoClient, MongoClient
from pymongo.asynchronous.client_session import _SESSION as ASYNC_BOUND
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.client_session import ClientSession
from pymongo.errors import OperationFailure
from pymongo.synchronous.client_session import _SESSION as SYNC_BOUND
from pymongo.synchronous.client_session import _TxnState  # type: ignore[attr-defined]

from djongo_services.transaction import (
    causal_consistency,
    concerns,
    new_collections,
    participants,
    state,
)
from djongo_services.transaction.causal_consistency import CLOCKS
from djongo_services.transaction.driver_checks import refuse_unknown_pymongo
from djongo_services.transaction.state import APART, ENDING, ActiveTransaction, Key, transaction_of
from djongo_services.transaction.uninterrupted import ato_the_end

ClientT = TypeVar("ClientT", bound="MongoClient[Any] | AsyncMongoClient[Any]")

_linking = threading.Lock()
"""Held while a linked session is created or released; nothing is sent in the meantime."""


class _Watched:
    """What is added to clients of both flavours."""

    djongo_services_key: Key
    djongo_services_no_server_session: type
    """What an implicit session contains until its operation has a connection."""

    djongo_services_bound: ContextVar[Any]
    """PyMongo's variable for the session that is bound; each flavour has one."""

    def _get_bound_session(self) -> Any:
        if APART.get():
            return None
        bound = self.djongo_services_bound.get()
        if bound is not None and bound.client is self:
            return bound
        joined = state.innermost(self.djongo_services_key)
        if joined is not None:
            return session_for(joined, self)
        if isinstance(bound, Guard):
            return None  # Another connection's atomic block: this client stays outside of it.
        return super()._get_bound_session()  # type: ignore[misc]  # MongoClient's

    def _start_session(self, implicit: bool, **kwargs: Any) -> Any:
        clocks = CLOCKS.get() if implicit else None
        if clocks is None or clocks.ended:
            return super()._start_session(implicit, **kwargs)  # type: ignore[misc]  # MongoClient's
        clock = clocks[self.djongo_services_key]
        return clock.new_session(self, self.djongo_services_no_server_session())


class WatchedClient(_Watched):
    djongo_services_bound = SYNC_BOUND

    def _retry_internal(
        self, func: Any, session: Any, bulk: Any, operation: str, *args: Any, **kwargs: Any
    ) -> Any:
        transaction = transaction_of(session)
        send = super()._retry_internal  # type: ignore[misc]  # MongoClient's
        clock = _clock_of(session) if transaction is None else transaction.parent
        run = send if clock is None else functools.partial(_send, send, clock)
        if transaction is None:
            return run(func, session, bulk, operation, *args, **kwargs)
        if ENDING.get() is transaction:
            with transaction.noticing_a_failed_abort(operation):
                return run(func, session, bulk, operation, *args, **kwargs)
        transaction.check_usable()
        if not transaction.lock.try_enter():
            if transaction.lock.blocked_by_own_thread():
                transaction.refuse_waiting_for_oneself()
            transaction.warn_of_concurrency()
            transaction.lock.enter()
        try:
            transaction.check_usable()
            if transaction.home != threading.get_ident():
                participants.take_part(transaction)
            transaction.sent(operation)
            if transaction.routes:
                return _send_routed(
                    transaction, run, func, session, bulk, operation, *args, **kwargs
                )
            if transaction.creates_collections and nothing_sent(session):
                new = new_collections.unsettled(self, operation, func, bulk)
                if new is not None:
                    new_collections.prepare(new, session)
            return run(func, session, bulk, operation, *args, **kwargs)
        except BaseException as error:
            final = transaction.failed(operation, error)
            if final is error:
                raise
            raise final from final.__cause__ or error
        finally:
            transaction.lock.leave()

    def _process_response(self, reply: Mapping[str, Any], session: Any) -> None:
        super()._process_response(reply, session)  # type: ignore[misc]  # MongoClient's
        if "writeErrors" in reply and (transaction := transaction_of(session)) is not None:
            transaction.answered(reply)


class WatchedAsyncClient(_Watched):
    djongo_services_bound = ASYNC_BOUND

    async def _retry_internal(
        self, func: Any, session: Any, bulk: Any, operation: str, *args: Any, **kwargs: Any
    ) -> Any:
        transaction = transaction_of(session)
        send = super()._retry_internal  # type: ignore[misc]  # AsyncMongoClient's
        clock = _clock_of(session) if transaction is None else transaction.parent
        run = send if clock is None else functools.partial(_asend, send, clock)
        if transaction is None:
            return await run(func, session, bulk, operation, *args, **kwargs)
        if transaction.settle is not None:
            await transaction.settle()
        if ENDING.get() is transaction:
            with transaction.noticing_a_failed_abort(operation):
                return await run(func, session, bulk, operation, *args, **kwargs)
        transaction.check_usable()
        if not transaction.lock.try_enter():
            transaction.warn_of_concurrency()
            await transaction.lock.aenter()
        try:
            transaction.check_usable()
            if transaction.home is not asyncio.current_task():
                participants.take_part(transaction)
            transaction.sent(operation)
            if transaction.creates_collections and nothing_sent(session):
                new = new_collections.unsettled(self, operation, func, bulk)
                if new is not None:
                    await ato_the_end(new_collections.aprepare, new, session)
            return await run(func, session, bulk, operation, *args, **kwargs)
        except BaseException as error:
            final = transaction.failed(operation, error)
            if final is error:
                raise
            raise final from final.__cause__ or error
        finally:
            transaction.lock.leave()

    async def _process_response(self, reply: Mapping[str, Any], session: Any) -> None:
        await super()._process_response(reply, session)  # type: ignore[misc]  # AsyncMongoClient's
        if "writeErrors" in reply and (transaction := transaction_of(session)) is not None:
            transaction.answered(reply)


def _clock_of(session: Any) -> Any:
    """The clock that gave the session its causal times, if a request did."""
    return getattr(session, "djongo_services_clock", None)


def _send(send: Any, clock: Any, func: Any, session: Any, *args: Any, **kwargs: Any) -> Any:
    """Send again without the times that a request came with, if the server refuses them. It does
    that before it processes the command, so a transaction was not begun either."""
    state = session._transaction.state
    try:
        return send(func, session, *args, **kwargs)
    except OperationFailure as error:
        if not causal_consistency.drop_times(session, clock, error):
            raise
    session._transaction.state = state
    return send(func, session, *args, **kwargs)


async def _asend(send: Any, clock: Any, func: Any, session: Any, *args: Any, **kwargs: Any) -> Any:
    state = session._transaction.state
    try:
        return await send(func, session, *args, **kwargs)
    except OperationFailure as error:
        if not causal_consistency.drop_times(session, clock, error):
            raise
    session._transaction.state = state
    return await send(func, session, *args, **kwargs)


def _send_routed(
    transaction: ActiveTransaction,
    run: Any,
    func: Any,
    session: Any,
    bulk: Any,
    operation: str,
    *args: Any,
    **kwargs: Any,
) -> Any:
    """Run the operation with the session that the transaction chooses, or outside of it."""
    session = transaction.route(operation, session, kwargs)
    if session is None:
        return _apart(run, func, bulk, operation, *args, **kwargs)
    try:
        return run(func, session, bulk, operation, *args, **kwargs)
    except OperationFailure as error:
        other = transaction.recover(operation, session, error)
        if other is None:
            raise
    return run(func, other, bulk, operation, *args, **kwargs)


def _apart(run: Any, func: Any, *args: Any, **kwargs: Any) -> Any:
    """Run an operation outside of the transaction; some of them look for a bound session again."""
    token = APART.set(True)
    try:
        return run(func, None, *args, **kwargs)
    finally:
        APART.reset(token)


class Guard:
    """What a block binds instead of a session: while it is open, PyMongo refuses, with
    InvalidOperation, every client that no connection knows and that therefore would not join.

    Tasks that inherit it are free of it when the block has ended, unlike those that inherit a
    session that was bound by ``session.bind()``.
    """

    client = None
    """None, so that no client matches."""

    __slots__ = ("_token", "_transaction", "_variable")

    def __init__(self, transaction: ActiveTransaction, client: Any) -> None:
        """A guard for clients of the same flavour as ``client``."""
        self._transaction = transaction
        self._variable = _variable(client)
        self._token: Token[Any] | None = None

    def __bool__(self) -> bool:
        return not self._transaction.ended

    def __enter__(self) -> None:
        self._token = self._variable.set(self)

    def __exit__(self, *error: object) -> None:
        """Raises ValueError in another context than the one that entered."""
        if self._token is not None:
            self._variable.reset(self._token)


def watch(client: ClientT, key: Key) -> ClientT:
    """Patch ``client`` once; it stays the same object and an instance of its own class.

    Raises RuntimeError if this version of PyMongo lacks what is needed.
    """
    if not isinstance(client, _Watched):
        watched: Any = client
        watched.__class__ = _watched_class(watched.__class__)
        _prepare(watched, key)
    return client


def new_client(key: Key, **options: Any) -> MongoClient[Any]:
    """A client that is patched from the beginning. It is faster than one whose class changes
    later, because such an object loses the interpreter's fast paths."""
    client: MongoClient[Any] = _watched_class(MongoClient)(**options)
    _prepare(client, key)
    return client


def _prepare(client: Any, key: Key) -> None:
    implicit = super(_Watched, client)._start_session(True)
    client.djongo_services_no_server_session = type(implicit._server_session)
    client.djongo_services_key = key


def key_of(client: Any) -> Key | None:
    """The client's key; None for a client that was not patched."""
    # Never getattr: for a client, every name is a database.
    return client.djongo_services_key if isinstance(client, _Watched) else None


def session_for(transaction: ActiveTransaction, client: Any) -> Any:
    """The transaction's session for this client; a linked one if another client began it."""
    if transaction.begin is not None:
        transaction.begin(client)
    with _linking:
        found = transaction.sessions.get(id(client))
        if found is None:
            transaction.check_usable()
            found = _linked_session(transaction.session, client)
            state.attach(found, transaction)
            transaction.sessions[id(client)] = found
        return found


def release_linked_sessions(transaction: ActiveTransaction) -> None:
    """Detach the linked sessions: the session they came from releases their server session."""
    with _linking:
        for session in transaction.sessions.values():
            if session is not transaction.session:
                session._server_session = None


def nothing_sent(session: ClientSession | AsyncClientSession) -> bool:
    """Whether nothing was sent to the server for the transaction that was started on
    ``session``."""
    return session._starting_transaction


def forget_transaction(session: Any) -> None:
    """Let another transaction begin on ``session`` without an abort of the open one. The server
    ends that when it receives the first command of the other."""
    session._transaction.reset()


def treat_as_begun(session: Any) -> None:
    """Have the end of a transaction sent although nothing else of it was: the server may still have
    the one that was forgotten."""
    session._transaction.state = _TxnState.IN_PROGRESS


def will_join(client: Any, session: Any) -> bool:
    """Whether an operation with this session, or with none, will be part of a transaction."""
    if session is None and not APART.get():
        session = bound_session(client)
        if session is None and (key := key_of(client)) is not None:
            joined = state.innermost(key)
            return joined is not None and joined.transactional
    if session is None or session.in_transaction:
        return session is not None
    transaction = transaction_of(session)
    return transaction is not None and transaction.transactional


def give_own_server_session(session: Any) -> None:
    """Give the session an unused server session, instead of one from the client's pool."""
    session._materialize(session.client.topology_description.logical_session_timeout_minutes)
    pooled = session._server_session
    session._server_session = type(pooled)(pooled.generation)
    session.client._return_server_session(pooled)


def may_be_used_again(session: Any) -> bool:
    return not session.has_ended and not session._server_session.dirty


def snapshot_time(session: Any) -> Any:
    """The Timestamp at which a session with ``snapshot=True`` reads; None before its first read."""
    return session._snapshot_time


def bound_session(client: Any) -> Any:
    """The session that is bound for this client in this context, or None."""
    bound = _bound(client)
    return bound if bound is not None and bound.client is client else None


@cache
def _watched_class(client_class: Any) -> Any:
    refuse_unknown_pymongo(client_class)
    concerns.install(will_join)
    watched = WatchedAsyncClient if issubclass(client_class, AsyncMongoClient) else WatchedClient
    return type(client_class.__name__, (watched, client_class), {"__module__": __name__})


def _variable(client: Any) -> Any:
    return ASYNC_BOUND if isinstance(client, AsyncMongoClient) else SYNC_BOUND


def _bound(client: Any) -> Any:
    return _variable(client).get()


def _linked_session(session: Any, client: Any) -> Any:
    """A session of ``client`` that carries the same server transaction as ``session``.

    For the server, a transaction is a session id and a number, whichever socket of a process a
    command comes from. So both sessions share the server session and the transaction's state, and
    the first operation of either begins it for both.
    """
    linked = client.start_session()
    session._materialize(session.client.topology_description.logical_session_timeout_minutes)
    linked._server_session = session._server_session
    linked._transaction.__dict__ = session._transaction.__dict__
    return linked
