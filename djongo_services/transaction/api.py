"""What code inside of a block can do with its transaction."""

from __future__ import annotations

from typing import Any

from djongo_services.connections import DEFAULT_ALIAS, connections
from djongo_services.transaction import backend_connections, clients, hooks, state
from djongo_services.transaction.errors import TransactionManagementError
from djongo_services.transaction.hooks import Callback
from djongo_services.transaction.state import ActiveTransaction


def on_commit(callback: Callback, robust: bool = False, *, using: str | None = None) -> None:
    """Call ``callback`` once the outermost block has committed; at once outside of any block.

    Callbacks run in order, outside of the transaction. If one raises an exception, the remaining
    ones are skipped, and the block, which stays committed, raises it; the exception of a ``robust``
    callback is logged instead. An awaitable result is awaited where that is possible, so a callback
    may be an ``async def`` in sync code too. Callbacks of Django's ``transaction.on_commit`` run in
    the same sequence.

    In :func:`aatomic`, plain functions run in Django's thread for blocking code, so that they may
    use the ORM; functions that start a task (``lambda: asyncio.create_task(work())``) run in the
    loop.
    """
    transaction = _current(using)
    if transaction is None:
        hooks.run([hooks.make_hook("on_commit", callback, robust=robust)])
    else:
        backend_connections.register("on_commit", transaction, callback, robust=robust)


def on_rollback(callback: Callback, robust: bool = False, *, using: str | None = None) -> None:
    """Call ``callback`` once the transaction was rolled back; outside of any block, never.

    It runs before the block's exception propagates, and not when the commit's result is unknown.
    """
    transaction = _current(using)
    if transaction is None:
        hooks.make_hook("on_rollback", callback, robust=robust)
    else:
        backend_connections.register("on_rollback", transaction, callback, robust=robust)


def in_atomic_block(using: str | None = None) -> bool:
    return _current(using) is not None


def current_session(using: str | None = None) -> Any:
    """The ClientSession of the open transaction on the alias's MongoClient, or None.

    For the few operations that take a session but do not find the bound one themselves.
    """
    transaction = _current(using)
    if transaction is None:
        return None
    return clients.session_for(transaction, connections[using or DEFAULT_ALIAS].client)


def get_rollback(using: str | None = None) -> bool:
    """Whether the transaction will be rolled back at the end of the outermost block."""
    return required_transaction(using, "get_rollback").rollback_only


def set_rollback(rollback: bool, using: str | None = None) -> None:
    """Roll the transaction back without an exception, or revoke that.

    A rollback that a failed inner block or operation caused cannot be revoked, since MongoDB has no
    savepoint to return to: TransactionManagementError.
    """
    transaction = required_transaction(using, "set_rollback")
    if rollback:
        transaction.rollback_only = True
    elif transaction.rollback_cause is not None:
        raise TransactionManagementError(
            f"The transaction on {transaction.alias!r} cannot be saved: an inner "
            f"{type(transaction.rollback_cause).__name__} left a part of its work undone, and "
            f"MongoDB has no savepoints."
        ) from transaction.rollback_cause
    else:
        transaction.rollback_only = False


def required_transaction(using: str | None, name: str) -> ActiveTransaction:
    """Raises TransactionManagementError, naming the called function, outside of any block."""
    transaction = _current(using)
    if transaction is None:
        raise TransactionManagementError(
            f"{name}() can only be called inside of an atomic block on {using or DEFAULT_ALIAS!r}."
        )
    return transaction


def _current(using: str | None) -> ActiveTransaction | None:
    connection = connections[using or DEFAULT_ALIAS]
    return state.innermost(connection.key) or backend_connections.attach_existing(connection)
