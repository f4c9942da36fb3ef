"""PyMongo's clients, taught which session an operation belongs to.

``session.bind()`` is PyMongo's own way of joining operations to a session, but it knows one
client at a time, refuses every other one, and lets concurrent operations race. The two classes
here fill that gap. This is the only file that relies on names which PyMongo does not document:
``_get_bound_session``, ``_start_session``, ``_retry_internal`` and ``_process_response`` of the
clients, ``_materialize``, ``_server_session`` and ``_transaction`` of the sessions (the same from
4.17 to 4.20); :mod:`causality` has its own such names.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from functools import cache
from typing import Any, TypeVar

from pymongo import AsyncMongoClient, MongoClient
from pymongo.asynchronous.client_session import _SESSION as ASYNC_BOUND
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.client_session import ClientSession
from pymongo.synchronous.client_session import _SESSION as SYNC_BOUND

from djongo_services.transaction import causality, state
from djongo_services.transaction.state import ENDING, Key, Transaction, transaction_of

ClientT = TypeVar("ClientT", bound="MongoClient[Any] | AsyncMongoClient[Any]")

_twins = threading.Lock()
"""Held while a twin is made or given up; nothing is sent meanwhile."""

_UNDOCUMENTED = ("_get_bound_session", "_retry_internal", "_process_response", "_start_session")


class _Watched:
    """What both flavours add to a client."""

    djongo_services_key: Key
    djongo_services_no_server_session: type
    """What an implicit session holds until its operation has a connection."""

    def _get_bound_session(self) -> Any:
        bound = _bound(self)
        if bound is not None and bound.client is self:
            return bound
        joined = state.innermost(self.djongo_services_key)
        if joined is not None:
            return session_for(joined, self)
        if bound is not None and transaction_of(bound) is not None:
            return None  # Another connection's atomic block: this client stays outside of it.
        return super()._get_bound_session()  # type: ignore[misc]  # MongoClient's

    def _start_session(self, implicit: bool, **kwargs: Any) -> Any:
        clock = causality.current_clock(self.djongo_services_key) if implicit else None
        if clock is None:
            return super()._start_session(implicit, **kwargs)  # type: ignore[misc]  # MongoClient's
        return clock.new_session(self, self.djongo_services_no_server_session())


class WatchedClient(_Watched):
    def _retry_internal(
        self, func: Any, session: Any, bulk: Any, operation: str, *args: Any, **kwargs: Any
    ) -> Any:
        run = super()._retry_internal  # type: ignore[misc]  # MongoClient's
        transaction = transaction_of(session)
        if transaction is None:
            return run(func, session, bulk, operation, *args, **kwargs)
        if ENDING.get() is transaction:
            with transaction.noticing_a_failed_abort(operation):
                return run(func, session, bulk, operation, *args, **kwargs)
        transaction.check_usable()
        if not transaction.gate.try_enter():
            if transaction.gate.blocked_by_own_thread():
                transaction.refuse_waiting_for_oneself()
            transaction.warn_of_concurrency()
            transaction.gate.enter()
        try:
            transaction.check_usable()
            transaction.sent(operation)
            return run(func, session, bulk, operation, *args, **kwargs)
        except BaseException as error:
            better = transaction.failed(operation, error)
            if better is error:
                raise
            raise better from better.__cause__ or error
        finally:
            transaction.gate.leave()

    def _process_response(self, reply: Mapping[str, Any], session: Any) -> None:
        super()._process_response(reply, session)  # type: ignore[misc]  # MongoClient's
        if "writeErrors" in reply and (transaction := transaction_of(session)) is not None:
            transaction.answered(reply)


class WatchedAsyncClient(_Watched):
    async def _retry_internal(
        self, func: Any, session: Any, bulk: Any, operation: str, *args: Any, **kwargs: Any
    ) -> Any:
        run = super()._retry_internal  # type: ignore[misc]  # AsyncMongoClient's
        transaction = transaction_of(session)
        if transaction is None:
            return await run(func, session, bulk, operation, *args, **kwargs)
        if transaction.settle is not None:
            await transaction.settle()
        if ENDING.get() is transaction:
            with transaction.noticing_a_failed_abort(operation):
                return await run(func, session, bulk, operation, *args, **kwargs)
        transaction.check_usable()
        if not transaction.gate.try_enter(task=True):
            transaction.warn_of_concurrency()
            await transaction.gate.aenter()
        try:
            transaction.check_usable()
            transaction.sent(operation)
            return await run(func, session, bulk, operation, *args, **kwargs)
        except BaseException as error:
            better = transaction.failed(operation, error)
            if better is error:
                raise
            raise better from better.__cause__ or error
        finally:
            transaction.gate.leave()

    async def _process_response(self, reply: Mapping[str, Any], session: Any) -> None:
        await super()._process_response(reply, session)  # type: ignore[misc]  # AsyncMongoClient's
        if "writeErrors" in reply and (transaction := transaction_of(session)) is not None:
            transaction.answered(reply)


def watch(client: ClientT, key: Key) -> ClientT:
    """Teach ``client`` once; it stays the same object and an instance of its own class.

    Raises RuntimeError when this version of PyMongo has not got what is needed.
    """
    if not isinstance(client, _Watched):
        watched: Any = client
        implicit = watched._start_session(True)
        watched.djongo_services_no_server_session = type(implicit._server_session)
        watched.__class__ = _watched_class(watched.__class__)
        watched.djongo_services_key = key
    return client


def key_of(client: Any) -> Key | None:
    """None for a client that was not taught."""
    # Never getattr: a client answers every name with a database.
    return client.djongo_services_key if isinstance(client, _Watched) else None


def session_for(transaction: Transaction, client: Any) -> Any:
    """The transaction's session for this client; a twin where another client began it."""
    if transaction.begin is not None:
        transaction.begin(client)
    with _twins:
        found = transaction.sessions.get(client)
        if found is None:
            transaction.check_usable()
            found = _twin(transaction.session, client)
            state.attach(found, transaction)
            transaction.sessions[client] = found
        return found


def let_go_of_twins(transaction: Transaction) -> None:
    """Detach the twins: their server session is given back by the session they came from."""
    with _twins:
        for session in transaction.sessions.values():
            if session is not transaction.session:
                session._server_session = None


def nothing_sent(session: ClientSession | AsyncClientSession) -> bool:
    """Whether the server knows nothing of the transaction that was started on ``session``."""
    return session._starting_transaction


def bound_session(client: Any) -> Any:
    """The session that somebody bound for this client in this context, or None."""
    bound = _bound(client)
    return bound if bound is not None and bound.client is client else None


@cache
def _watched_class(client_class: Any) -> Any:
    for name in _UNDOCUMENTED:
        if not hasattr(client_class, name):
            raise RuntimeError(
                f"This version of PyMongo has no {client_class.__name__}.{name}, which atomic() "
                f"needs; install a version from 4.17 to 4.20."
            )
    watched = WatchedAsyncClient if issubclass(client_class, AsyncMongoClient) else WatchedClient
    return type(client_class.__name__, (watched, client_class), {"__module__": __name__})


def _bound(client: Any) -> Any:
    return (ASYNC_BOUND if isinstance(client, AsyncMongoClient) else SYNC_BOUND).get()


def _twin(session: Any, client: Any) -> Any:
    """A session of ``client`` that carries the same server transaction as ``session``.

    To the server a transaction is a session id and a number; which of a process's sockets a
    command comes from is the same to it. So both sessions share the server session and the
    transaction's state, and whichever sends the first operation begins it for both.
    """
    twin = client.start_session()
    session._materialize(session.client.topology_description.logical_session_timeout_minutes)
    twin._server_session = session._server_session
    twin._transaction.__dict__ = session._transaction.__dict__
    return twin
