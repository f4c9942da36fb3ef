"""Enter and leave an atomic block: which transaction it belongs to, and what is bound to it."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import Any

from asgiref.sync import sync_to_async
from pymongo import MongoClient

from djongo_services.connections import Connection
from djongo_services.transaction import causality, driver, ending, orm, reporting, state, topology
from djongo_services.transaction.ending import Ending
from djongo_services.transaction.errors import TransactionManagementError, improved
from djongo_services.transaction.state import Level, Options, Transaction
from djongo_services.transaction.telemetry import Span


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """What a block was asked to be."""

    durable: bool = False
    options: Options = field(default_factory=Options)
    attempt: int = 1
    test: bool = False


@dataclass(kw_only=True, slots=True)
class Block:
    """An open atomic block in the context that opened it."""

    transaction: Transaction
    outermost: bool
    token: Any
    """Of the level in :mod:`state`."""
    bound: Any = None
    """PyMongo's context manager of the bound session."""
    span: Span | None = None

    def has_work_left(self) -> bool:
        """Whether ending it may have to wait: for the server, or for hooks."""
        transaction = self.transaction
        return transaction.session is not None or transaction.hooks.any()


def enter(connection: Connection, wanted: Wanted) -> Block:
    """Join the open transaction of these clients, or begin one; nothing is sent for it yet."""
    joined = join(connection, wanted)
    if joined is not None:
        return joined
    client = driver.watch(connection.client, connection.key)
    adopted = orm.adopt(connection)
    if adopted is not None:
        return _join_owned(adopted, wanted)
    transaction = new_transaction(
        connection, wanted, topology.transactional(client, connection.alias)
    )
    session = start_session(transaction, client)
    if transaction.transactional:
        start_transaction(session, wanted.options)
    block = outermost(transaction, wanted)
    block.bound = session.bind(end_session=False)
    block.bound.__enter__()
    return block


async def aenter(connection: Connection, wanted: Wanted) -> Block:
    """The same in an event loop.

    Where the connection shares the backend's client, the transaction belongs to that client, so
    that the ORM's a-methods, which run in a thread, are part of it; an AsyncMongoClient of the
    same alias joins as a twin.
    """
    joined = join(connection, wanted)
    if joined is not None:
        return joined
    client, able = await _aclient(connection)
    transaction = new_transaction(connection, wanted, able)
    session = start_session(transaction, client)
    if transaction.transactional:
        await _maybe(start_transaction(session, wanted.options))
    block = outermost(transaction, wanted)
    block.bound = session.bind(end_session=False)
    if isinstance(client, MongoClient):
        block.bound.__enter__()
    else:
        await block.bound.__aenter__()
    return block


def leave(block: Block, error: BaseException | None) -> BaseException | None:
    """Undo what entering bound; the error to go on with, which may be a better one."""
    misplaced = _unbind(block)
    if misplaced is not None:
        error = misplaced
    if error is not None:
        error = improved(error, block.transaction.alias)
        if not block.outermost:
            block.transaction.doom(error)
    return error


async def aleave(block: Block, error: BaseException | None) -> BaseException | None:
    if block.bound is not None and hasattr(block.bound, "__aexit__"):
        bound, block.bound = block.bound, None
        try:
            await bound.__aexit__(None, None, None)
        except (ValueError, RuntimeError):
            error = _misplaced(block)
    return leave(block, error)


def finish(block: Block, ended: Ending, error: BaseException | None) -> None:
    """Tell everybody how the outermost block went."""
    reason = ended.error or error or block.transaction.rollback_cause
    if block.span is not None:
        block.span.end(reason)
    if ended.begun:
        reporting.finished(block.transaction, ended.outcome, reason)


def join(connection: Connection, wanted: Wanted) -> Block | None:
    levels = state.levels(connection.key)
    if not levels:
        return None
    transaction = levels[-1].transaction
    if not all(level.test for level in levels):
        _refuse_what_joining_cannot_give(transaction, wanted)
    token = state.push(Level(transaction, wanted.test))
    return Block(transaction=transaction, outermost=False, token=token)


def _join_owned(transaction: Transaction, wanted: Wanted) -> Block:
    """Join a transaction that the backend's own atomic began and will end."""
    _refuse_what_joining_cannot_give(transaction, wanted)
    token = state.push(Level(transaction, wanted.test))
    bound = transaction.session.bind(end_session=False)
    bound.__enter__()
    return Block(transaction=transaction, outermost=False, token=token, bound=bound)


def _refuse_what_joining_cannot_give(transaction: Transaction, wanted: Wanted) -> None:
    if wanted.durable:
        raise RuntimeError("A durable atomic block cannot be nested within another atomic block.")
    if wanted.options.given() and wanted.options != transaction.options:
        raise TransactionManagementError(
            f"An inner atomic({transaction.alias!r}) joins the outer transaction, so "
            f"{', '.join(wanted.options.given())} can be chosen by the outermost block only."
        )


def new_transaction(
    connection: Connection, wanted: Wanted, able: bool, database: str | None = None
) -> Transaction:
    return Transaction(
        key=connection.key,
        alias=connection.alias,
        database=connection.database_name if database is None else database,
        options=wanted.options,
        transactional=able,
        attempt=wanted.attempt,
    )


def start_session(transaction: Transaction, client: Any) -> Any:
    parent = driver.bound_session(client) or causality.current_clock(transaction.key)
    if parent is not None and parent.in_transaction:
        raise TransactionManagementError(
            f"A session of {transaction.alias!r} with a transaction of its own is bound here; "
            f"use atomic() around it instead of start_transaction()."
        )
    session = client.start_session()
    if parent is not None:
        ending.take_times(transaction, session, parent)
    state.attach(session, transaction)
    transaction.session = session
    transaction.sessions[client] = session
    return session


def start_transaction(session: Any, options: Options) -> Any:
    return session.start_transaction(
        read_concern=options.read_concern,
        write_concern=options.write_concern,
        read_preference=options.read_preference,
        max_commit_time_ms=options.max_commit_time_ms,
    )


def outermost(transaction: Transaction, wanted: Wanted) -> Block:
    return Block(
        transaction=transaction,
        outermost=True,
        token=state.push(Level(transaction, wanted.test)),
        span=Span(),
    )


async def _aclient(connection: Connection) -> tuple[Any, bool]:
    """The client that carries the transaction, and whether its server can."""
    if connection.settings.database is None:
        client = driver.watch(connection.async_client, connection.key)
        return client, await topology.atransactional(client, connection.alias)
    shared = orm.pooled_client(connection.settings.database)
    if shared is None or not shared.topology_description.has_known_servers:
        return await sync_to_async(_shared)(connection)
    return shared, topology.transactional(shared, connection.alias)


def _shared(connection: Connection) -> tuple[Any, bool]:
    client = driver.watch(connection.client, connection.key)
    return client, topology.transactional(client, connection.alias)


async def _maybe(started: Any) -> None:
    """AsyncClientSession.start_transaction is a coroutine, ClientSession's is not."""
    if hasattr(started, "__await__"):
        await started


def _unbind(block: Block) -> BaseException | None:
    trouble: BaseException | None = None
    bound, block.bound = block.bound, None
    try:
        if bound is not None:
            bound.__exit__(None, None, None)
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
