"""Atomic blocks that begin with their first operation.

A request's view may or may not use a connection. Until it does, its block costs a few microseconds
and needs neither a client nor a server. It binds nothing, so a client that no connection knows
simply stays outside.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from pymongo import AsyncMongoClient

from djongo_services.connections import Connection
from djongo_services.transaction import backend_connections, blocks, clients, topology
from djongo_services.transaction.blocks import Block, BlockOptions
from djongo_services.transaction.state import ActiveTransaction


def enter(
    connection: Connection, wanted: BlockOptions, *, home: asyncio.AbstractEventLoop | None = None
) -> Block:
    """Join the open transaction of these clients, or prepare one.

    :param home: the loop of a block that :func:`~atomic.aend_block` will end; None for one that
        :func:`~atomic.end_block` will end.
    """
    joined = blocks.join(connection, wanted)
    if joined is None and home is not None:
        joined = blocks.join_test(connection, wanted)
    if joined is not None:
        return joined
    alias = connection.settings.database
    if home is None and alias is not None and backend_connections.may_have_begun_here(alias):
        return blocks.enter(connection, wanted)
    kind = ActiveTransaction if home else backend_connections.transaction_class(connection)
    transaction = blocks.new_transaction(connection, wanted, able=True, database="", kind=kind)
    if transaction.begin is None:
        transaction.begin = _Begin(transaction, connection, home)
    here = threading.get_ident() if home is None else asyncio.current_task()
    return blocks.outermost(transaction, wanted, home=here)


class _Begin:
    """Starts the session for the first operation, of whichever client."""

    __slots__ = ("_connection", "_home", "_lock", "_transaction")

    def __init__(
        self,
        transaction: ActiveTransaction,
        connection: Connection,
        home: asyncio.AbstractEventLoop | None,
    ) -> None:
        self._transaction = transaction
        self._connection = connection
        self._home = home
        """The loop that will end an async client's session; None: a thread will end it."""
        self._lock = threading.Lock()

    def __call__(self, client: Any) -> None:
        transaction = self._transaction
        with self._lock:
            if transaction.begin is None:
                return
            transaction.check_usable()
            origin = self._origin(client)
            transaction.database = self._connection.database_name
            transaction.transactional = self._judge(origin)
            session = blocks.start_session(transaction, origin)
            if transaction.transactional:
                started = blocks.start_transaction(session, transaction.options)
                if isinstance(started, Coroutine):
                    _run_without_waiting(started)
            transaction.begin = None

    def _origin(self, client: Any) -> Any:
        """The client whose session begins the transaction; others join it with linked sessions."""
        if not isinstance(client, AsyncMongoClient):
            return client
        if asyncio.get_running_loop() is self._home:
            return client
        # A temporary loop, such as that of async_to_sync, no longer exists when the block ends.
        # Django connects only in a thread without a loop.
        with ThreadPoolExecutor(1) as executor:
            found = executor.submit(lambda: self._connection.client).result()
        return clients.watch(found, self._connection.key)

    def _judge(self, origin: Any) -> bool:
        alias = self._transaction.alias
        if not isinstance(origin, AsyncMongoClient):
            return topology.transactional(origin, alias)
        known = topology.transactional_if_known(origin, alias)
        if known is None:
            self._transaction.settle = self._settle
        return known is not False

    async def _settle(self) -> None:
        """Find out whether the server has transactions, before the first operation of an async
        client that did not know it."""
        transaction = self._transaction
        able = await topology.atransactional(transaction.session.client, transaction.alias)
        if transaction.settle is not None and not able:
            transaction.transactional = False
            await transaction.session.abort_transaction()  # nothing was ever sent
        transaction.settle = None


def _run_without_waiting(work: Coroutine[Any, Any, Any]) -> None:
    """Run a coroutine that does not wait: starting a transaction on a new session awaits
    nothing."""
    try:
        work.send(None)
    except StopIteration:
        return
    raise AssertionError("start_transaction() on a new session waited.")
