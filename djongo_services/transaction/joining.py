"""Which transaction an operation of a client belongs to, for code that has only the client.

Three kinds are known: blocks of :func:`atomic`, those of the backend's own atomic, and a session
with a transaction of its own that somebody bound (``session.bind()``).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from djongo_services.transaction import driver, hooks, orm, state
from djongo_services.transaction.hooks import Callback, Hooks
from djongo_services.transaction.state import Transaction

_HOOKS = "djongo_services_hooks"


@dataclass(frozen=True, kw_only=True, slots=True)
class Joined:
    """The open transaction that operations of a client are to be part of."""

    session: Any
    """The client's ClientSession or AsyncClientSession to pass to each of them."""
    undone_by_rollback: bool
    """False on a server without transactions, where a rollback undoes nothing by itself."""
    _register: Callable[[str, Callback], None]

    def on_commit(self, callback: Callback) -> None:
        self._register("on_commit", callback)

    def on_rollback(self, callback: Callback) -> None:
        self._register("on_rollback", callback)


def joined(client: Any) -> Joined | None:
    """The transaction that is open for ``client`` in this context, or None.

    Raises TransactionManagementError when that can only be rolled back any more.
    """
    transaction = transaction_for(client)
    if transaction is not None:
        transaction.check_usable()
        return Joined(
            session=driver.session_for(transaction, client),
            undone_by_rollback=transaction.transactional,
            _register=_registering(transaction),
        )
    bound = driver.bound_session(client)
    if bound is None or not bound.in_transaction:
        return None
    return Joined(session=bound, undone_by_rollback=True, _register=_hooks_of(bound).add_quietly)


def transaction_for(client: Any) -> Transaction | None:
    """The block of ours, or of the backend's own atomic, that is open for a watched client."""
    key = driver.key_of(client)
    if key is None:
        return None
    return state.innermost(key) or orm.adopt_for(key)


def _registering(transaction: Transaction) -> Callable[[str, Callback], None]:
    def register(event: str, callback: Callback) -> None:
        orm.register(event, transaction, callback, robust=True)

    return register


class _SessionHooks(Hooks):
    """The callbacks of a transaction that is committed and aborted by hand."""

    def add_quietly(self, event: str, callback: Callback) -> None:
        """Their exceptions are logged: whoever ends the transaction knows nothing of them."""
        self.add(event, callback, robust=True)


def _hooks_of(session: Any) -> _SessionHooks:
    """The session's own, which its commit and abort run from now on."""
    found: _SessionHooks | None = getattr(session, _HOOKS, None)
    if found is None:
        found = _SessionHooks()
        setattr(session, _HOOKS, found)
        _forget_before(session, found)
        _run_after(session, "commit_transaction", found, "committed")
        _run_after(session, "abort_transaction", found, "rolled back")
    return found


def _run_after(session: Any, method: str, waiting: Hooks, outcome: str) -> None:
    """Shadow one method of this one session; an end of the session aborts through it too."""
    original = getattr(session, method)

    def end() -> None:
        original()
        hooks.run(waiting.take(outcome))

    async def aend() -> None:
        await original()
        await hooks.arun(waiting.take(outcome))

    setattr(session, method, aend if inspect.iscoroutinefunction(original) else end)


def _forget_before(session: Any, waiting: Hooks) -> None:
    """What waited for a commit whose result stayed unknown must not wait for the next one."""
    original = session.start_transaction

    def start(*args: Any, **kwargs: Any) -> Any:
        waiting.take("unknown")
        return original(*args, **kwargs)

    session.start_transaction = start
