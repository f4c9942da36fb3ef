"""Entering and leaving an atomic block: its transaction, and what is bound to it."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from dataclasses import dataclass, field
from typing import Any

from asgiref.sync import sync_to_async
from django.db.transaction import Atomic as DjangoAtomic

from djongo_services.connections import Connection
from djongo_services.transaction import (
    backend_connections,
    causal_consistency,
    clients,
    commit,
    participants,
    reporting,
    state,
    topology,
)
from djongo_services.transaction.commit import Ending
from djongo_services.transaction.errors import TransactionManagementError, final_error
from djongo_services.transaction.options import Options
from djongo_services.transaction.participants import of_test, owned
from djongo_services.transaction.reporting import Span
from djongo_services.transaction.state import ActiveTransaction, Level


@dataclass(frozen=True, kw_only=True, slots=True)
class BlockOptions:
    """The arguments of a block."""

    savepoint: bool = True
    """Whether, as an inner block, it is rolled back separately if that is possible."""
    durable: bool = False
    options: Options = field(default_factory=Options)
    attempt: int = 1
    test: bool = False


@dataclass(kw_only=True, slots=True)
class Block:
    """An open atomic block in the context that opened it."""

    transaction: ActiveTransaction
    outermost: bool
    token: Any
    """The token of the level in :mod:`state`."""
    guard: clients.Guard | None = None
    span: Span | None = None
    savepoint: str | None = None
    """The savepoint that an inner block is rolled back to."""
    django: Any = None
    """Django's own atomic, which an inner block uses if Django's is around it."""
    given_up: BaseException | None = None
    """Why an inner block is rolled back separately although it did not raise an exception."""

    def has_work_left(self) -> bool:
        """Whether its end may have to wait, for the server or for hooks."""
        transaction = self.transaction
        return transaction.session is not None or transaction.hooks.any()


def enter(connection: Connection, wanted: BlockOptions) -> Block:
    """Join the open transaction of these clients, or begin one; nothing is sent for it yet."""
    joined = join(connection, wanted)
    if joined is not None:
        return joined
    client = clients.watch(connection.client, connection.key)
    attached = backend_connections.attach_existing(connection)
    if attached is not None:
        return _join_owned(attached, wanted, client)
    transaction = new_transaction(
        connection,
        wanted,
        topology.transactional(client, connection.alias),
        kind=backend_connections.transaction_class(connection),
    )
    if transaction.begin is None:
        session = start_session(transaction, client)
        if transaction.transactional:
            start_transaction(session, wanted.options)
    block = outermost(transaction, wanted, home=threading.get_ident())
    block.guard = clients.Guard(transaction, client)
    block.guard.__enter__()
    return block


async def aenter(connection: Connection, wanted: BlockOptions) -> Block:
    """The same in an event loop.

    If the connection shares the backend's client, the transaction belongs to that client, so that
    the ORM's a-methods, which run in a thread, are part of it; an AsyncMongoClient of the same
    alias joins with a linked session.
    """
    joined = join(connection, wanted) or join_test(connection, wanted)
    if joined is not None:
        return joined
    client, able = await _aclient(connection)
    transaction = new_transaction(connection, wanted, able)
    session = start_session(transaction, client)
    if transaction.transactional:
        await _maybe(start_transaction(session, wanted.options))
    block = outermost(transaction, wanted, home=asyncio.current_task())
    block.guard = clients.Guard(transaction, client)
    block.guard.__enter__()
    return block


def leave(block: Block, error: BaseException | None) -> BaseException | None:
    """Undo what entering bound, and return the error to raise, which may be a better one."""
    misplaced = _unbind(block)
    if misplaced is not None:
        error = misplaced
    if error is not None:
        error = final_error(error, block.transaction.alias)
    if block.outermost:
        return error
    if block.django is not None:
        failure = _leave_django(block.django, error or block.given_up)
        return None if failure is block.given_up else failure
    block.transaction.leave_savepoint(block.savepoint, error or block.given_up)
    return error


def finish(block: Block, ended: Ending, error: BaseException | None) -> None:
    """Log the outcome of the outermost block and send its signal."""
    block.transaction.outcome = ended.outcome
    reason = ended.error or error or block.transaction.rollback_cause
    if block.span is not None:
        block.span.end(reason)
    if ended.begun:
        reporting.finished(block.transaction, ended.outcome, reason)


def join(connection: Connection, wanted: BlockOptions) -> Block | None:
    levels = state.levels(connection.key)
    if not levels:
        return None
    transaction = levels[-1].transaction
    if not all(level.test for level in levels):
        _refuse_what_joining_cannot_give(transaction, wanted)
    token = state.push(Level(transaction, wanted.test))
    return Block(
        transaction=transaction,
        outermost=False,
        token=token,
        savepoint=transaction.open_savepoint() if wanted.savepoint else None,
    )


def join_test(connection: Connection, wanted: BlockOptions) -> Block | None:
    """Join the transaction of a Django TestCase in the thread that does the event loop's blocking
    work."""
    transaction = of_test(connection.key)
    if transaction is None:
        return None
    return Block(
        transaction=transaction,
        outermost=False,
        token=state.push(Level(transaction, test=True)),
        savepoint=transaction.open_savepoint() if wanted.savepoint else None,
    )


def _join_owned(transaction: ActiveTransaction, wanted: BlockOptions, client: Any) -> Block:
    """Join a transaction that the backend's own atomic began and will end."""
    _refuse_what_joining_cannot_give(transaction, wanted)
    token = state.push(Level(transaction, wanted.test))
    guard = clients.Guard(transaction, client)
    guard.__enter__()
    return Block(
        transaction=transaction,
        outermost=False,
        token=token,
        guard=guard,
        django=_enter_django(transaction, wanted),
    )


def _enter_django(transaction: ActiveTransaction, wanted: BlockOptions) -> Any:
    if owned(transaction.key) is not transaction:
        return None
    block = DjangoAtomic(transaction.key[1], wanted.savepoint, durable=False)
    block.__enter__()
    return block


def _leave_django(block: DjangoAtomic, error: BaseException | None) -> BaseException | None:
    try:
        block.__exit__(type(error) if error is not None else None, error, None)
    except Exception as failure:  # noqa: BLE001 - the caller raises it
        return failure
    return error


def _refuse_what_joining_cannot_give(transaction: ActiveTransaction, wanted: BlockOptions) -> None:
    if wanted.durable:
        raise RuntimeError("A durable atomic block cannot be nested within another atomic block.")
    if wanted.options.given() and wanted.options != transaction.options:
        raise TransactionManagementError(
            f"An inner atomic({transaction.alias!r}) joins the outer transaction, so "
            f"{', '.join(wanted.options.given())} can be chosen by the outermost block only."
        )


def new_transaction(
    connection: Connection,
    wanted: BlockOptions,
    able: bool,
    database: str | None = None,
    kind: type[ActiveTransaction] = ActiveTransaction,
) -> ActiveTransaction:
    return kind(
        key=connection.key,
        alias=connection.alias,
        database=connection.database_name if database is None else database,
        options=wanted.options,
        transactional=able,
        attempt=wanted.attempt,
    )


def parent_session(client: Any, transaction: ActiveTransaction) -> Any:
    """The session from which the transaction takes its causal times, or None."""
    parent = clients.bound_session(client) or causal_consistency.current_clock(transaction.key)
    if parent is not None and parent.in_transaction:
        raise TransactionManagementError(
            f"A session of {transaction.alias!r} with a transaction of its own is bound here; "
            f"use atomic() around it instead of start_transaction()."
        )
    return parent


def start_session(transaction: ActiveTransaction, client: Any) -> Any:
    parent = parent_session(client, transaction)
    session = client.start_session()
    if parent is not None:
        commit.take_times(transaction, session, parent)
    state.attach(session, transaction)
    transaction.session = session
    transaction.sessions[id(client)] = session
    return session


def start_transaction(session: Any, options: Options) -> Any:
    return session.start_transaction(
        read_concern=options.read_concern,
        write_concern=options.write_concern,
        read_preference=options.read_preference,
        max_commit_time_ms=options.max_commit_time_ms,
    )


def outermost(transaction: ActiveTransaction, wanted: BlockOptions, *, home: Any) -> Block:
    """
    :param home: the task that the block is in, or the identifier of the thread.
    """
    transaction.home = home
    if wanted.test:
        transaction.creates_collections = False  # they would outlive the test
    return Block(
        transaction=transaction,
        outermost=True,
        token=state.push(Level(transaction, wanted.test)),
        span=Span(),
    )


async def _aclient(connection: Connection) -> tuple[Any, bool]:
    """The client that carries the transaction, and whether its server supports transactions."""
    if connection.settings.database is None:
        client = clients.watch(connection.async_client, connection.key)
        return client, await topology.atransactional(client, connection.alias)
    shared = backend_connections.pooled_client(connection.settings.database)
    if shared is None or not shared.topology_description.has_known_servers:
        return await sync_to_async(_shared)(connection)
    return shared, topology.transactional(shared, connection.alias)


def _shared(connection: Connection) -> tuple[Any, bool]:
    client = clients.watch(connection.client, connection.key)
    return client, topology.transactional(client, connection.alias)


async def _maybe(started: Any) -> None:
    """Await the result if necessary: AsyncClientSession.start_transaction is a coroutine,
    ClientSession's is not."""
    if hasattr(started, "__await__"):
        await started


def _unbind(block: Block) -> BaseException | None:
    trouble: BaseException | None = None
    guard, block.guard = block.guard, None
    if block.outermost and block.transaction.has_parts:
        participants.leave(block.transaction)
    try:
        if guard is not None:
            guard.__exit__()
        if block.span is not None:
            block.span.leave()
    except (ValueError, RuntimeError):
        trouble = _misplaced(block)
    with contextlib.suppress(ValueError, RuntimeError):
        state.pop(block.token)
        return trouble
    return _misplaced(block)


def _misplaced(block: Block) -> TransactionManagementError:
    return TransactionManagementError(
        f"An atomic block on {block.transaction.alias!r} was left in another thread or task than "
        f"it was entered in, so it was rolled back; enter and leave it in one function."
    )
