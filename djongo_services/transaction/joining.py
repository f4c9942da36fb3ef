"""Which transaction an operation of a client belongs to, for code that has only the client.

Three kinds are known: blocks of :func:`atomic`, those of the backend's own atomic, and a session
with a transaction of its own that somebody bound (``session.bind()``).
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pymongo.errors import OperationFailure, PyMongoError

from djongo_services.transaction import driver, hooks, orm, state
from djongo_services.transaction.errors import is_unknown_commit
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

    @property
    def has_snapshot(self) -> bool:
        """Whether the server has begun it, so that it sees nothing that is younger."""
        return self.undone_by_rollback and not driver.nothing_sent(self.session)

    def on_commit(self, callback: Callback) -> None:
        """Before the callbacks of others, which may raise; exceptions of its own are logged."""
        self._register("on_commit", callback)

    def on_rollback(self, callback: Callback) -> None:
        """The same; what was done last is undone first."""
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
    register = functools.partial(_add_first, _hooks_of(bound))
    return Joined(session=bound, undone_by_rollback=True, _register=register)


def transaction_for(client: Any) -> Transaction | None:
    """The block of ours, or of the backend's own atomic, that is open for a watched client."""
    key = driver.key_of(client)
    if key is None:
        return None
    return state.innermost(key) or orm.adopt_for(key)


def _registering(transaction: Transaction) -> Callable[[str, Callback], None]:
    def register(event: str, callback: Callback) -> None:
        if transaction.owner is None or event == "on_rollback":
            _add_first(transaction.hooks, event, callback)
        else:
            hook = hooks.make_hook(event, callback, robust=True)
            run = functools.partial(hooks.run, [hook])
            transaction.owner.run_on_commit.insert(0, ([], run, True))

    return register


def _add_first(waiting: Hooks, event: str, callback: Callback) -> None:
    hook = hooks.make_hook(event, callback, robust=True)
    (waiting.on_commit if event == "on_commit" else waiting.on_rollback).insert(0, hook)


def _hooks_of(session: Any) -> Hooks:
    """The session's own, which its commit and abort run from now on."""
    found: Hooks | None = getattr(session, _HOOKS, None)
    if found is None:
        found = Hooks()
        setattr(session, _HOOKS, found)
        _forget_before(session, found)
        _run_after(session, "commit_transaction", found, "committed")
        _run_after(session, "abort_transaction", found, "rolled back")
    return found


def _run_after(session: Any, method: str, waiting: Hooks, outcome: str) -> None:
    """Shadow one method of this one session; an end of the session aborts through it too."""
    original = getattr(session, method)

    def end() -> None:
        try:
            original()
        except PyMongoError as error:
            if _is_rolled_back(error):
                hooks.run(waiting.take("rolled back"))
            raise
        hooks.run(waiting.take(outcome))

    async def aend() -> None:
        try:
            await original()
        except PyMongoError as error:
            if _is_rolled_back(error):
                await hooks.arun(waiting.take("rolled back"))
            raise
        await hooks.arun(waiting.take(outcome))

    setattr(session, method, aend if inspect.iscoroutinefunction(original) else end)


def _is_rolled_back(error: PyMongoError) -> bool:
    """Whether a failed commit is known to have had no effect; otherwise it may be tried again."""
    return isinstance(error, OperationFailure) and not is_unknown_commit(error)


def _forget_before(session: Any, waiting: Hooks) -> None:
    """What waited for a commit whose result stayed unknown must not wait for the next one."""
    original = session.start_transaction

    def start(*args: Any, **kwargs: Any) -> Any:
        waiting.take("unknown")
        return original(*args, **kwargs)

    session.start_transaction = start
