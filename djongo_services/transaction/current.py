"""Which transaction an operation of a client belongs to, for code that has only the client.

There are three kinds: blocks of :func:`atomic`, those of the backend's own atomic, and a session
with a transaction of its own that is bound (``session.bind()``).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from pymongo.errors import OperationFailure, PyMongoError

from djongo_services.transaction import backend_connections, clients, state
from djongo_services.transaction.errors import is_unknown_commit
from djongo_services.transaction.hooks import Callback, Hooks
from djongo_services.transaction.state import APART, ActiveTransaction

_HOOKS = "djongo_services_hooks"
_LEFT_OUT = "djongo_services_left_out"


@dataclass(frozen=True, kw_only=True, slots=True)
class Joined:
    """The open transaction that operations of a client should be part of."""

    session: Any
    """The client's ClientSession or AsyncClientSession to pass to each of them."""
    undone_by_rollback: bool
    """False on a server without transactions, where a rollback undoes nothing by itself."""
    _register: Callable[[str, Callback], None]

    @property
    def has_snapshot(self) -> bool:
        """Whether the server has begun it, so that it sees nothing newer."""
        return self.undone_by_rollback and not clients.nothing_sent(self.session)

    def on_commit(self, callback: Callback) -> None:
        """Call it before the users' callbacks, which may raise exceptions; its own exceptions are
        logged."""
        self._register("on_commit", callback)

    def on_rollback(self, callback: Callback) -> None:
        """The same for a rollback; what was done last is undone first."""
        self._register("on_rollback", callback)


def joined(client: Any) -> Joined | None:
    """The transaction that is open for ``client`` in this context, or None, also within
    :func:`apart`.

    Raises TransactionManagementError if it can only be rolled back.
    """
    return None if APART.get() else open_transaction(client)


@contextmanager
def apart() -> Iterator[None]:
    """Keep operations in the block outside of open transactions."""
    token = APART.set(True)
    try:
        yield
    finally:
        APART.reset(token)


def is_apart() -> bool:
    return APART.get()


def open_transaction(client: Any) -> Joined | None:
    """The same as :func:`joined`, also if the caller is apart from it."""
    transaction = transaction_for(client)
    if transaction is not None:
        transaction.check_usable()
        return Joined(
            session=clients.session_for(transaction, client),
            undone_by_rollback=transaction.transactional,
            _register=transaction.hooks.add_own,
        )
    bound = clients.bound_session(client)
    if bound is None or not bound.in_transaction:
        return None
    return Joined(session=bound, undone_by_rollback=True, _register=_hooks_of(bound).add_own)


def left_out(client: Any) -> set[Any]:
    """The caller's keys of what was written :func:`apart` from the open transaction, whose snapshot
    does not contain it."""
    transaction = transaction_for(client)
    if transaction is not None:
        return transaction.left_out
    bound = clients.bound_session(client)
    if bound is None or not bound.in_transaction:
        return set()
    kept: set[Any] = vars(bound).setdefault(_LEFT_OUT, set())
    return kept


def transaction_for(client: Any) -> ActiveTransaction | None:
    """The block of ours, or of the backend's own atomic, that is open for a watched client."""
    key = clients.key_of(client)
    if key is None:
        return None
    return state.innermost(key) or backend_connections.attach_existing_for(key)


def _hooks_of(session: Any) -> Hooks:
    """The session's own hooks, which its commit and abort run from now on."""
    found: Hooks | None = getattr(session, _HOOKS, None)
    if found is None:
        found = Hooks()
        setattr(session, _HOOKS, found)
        _forget_before(session, found)
        _run_after(session, "commit_transaction", found, "committed")
        _run_after(session, "abort_transaction", found, "rolled back")
    return found


def _run_after(session: Any, method: str, waiting: Hooks, outcome: str) -> None:
    """Shadow one method of this one session; the end of a session also aborts through it."""
    original = getattr(session, method)

    def end() -> None:
        try:
            original()
        except PyMongoError as error:
            if _is_rolled_back(error):
                waiting.run("rolled back")
            raise
        waiting.run(outcome)

    async def aend() -> None:
        try:
            await original()
        except PyMongoError as error:
            if _is_rolled_back(error):
                await waiting.arun("rolled back")
            raise
        await waiting.arun(outcome)

    setattr(session, method, aend if inspect.iscoroutinefunction(original) else end)


def _is_rolled_back(error: PyMongoError) -> bool:
    """Whether a failed commit is known to have had no effect; otherwise it may be retried."""
    return isinstance(error, OperationFailure) and not is_unknown_commit(error)


def _forget_before(session: Any, waiting: Hooks) -> None:
    """Drop what waited for a commit with an unknown result, so that it does not wait for the next
    one."""
    original = session.start_transaction

    def start(*args: Any, **kwargs: Any) -> Any:
        waiting.take("unknown")
        return original(*args, **kwargs)

    session.start_transaction = start
