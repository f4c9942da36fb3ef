"""Who takes part in a transaction: contexts, and the threads whose connections have it open.

A task, or a thread with a copy of the context, inherits the blocks that are open where it is
started, and keeps them as long as it lives. While a block is open, everything that it does belongs
to the transaction. Afterwards it matters whether it did anything: a worker that was merely started
there has nothing to do with the transaction, and a task whose writes were rolled back must not
continue as if they existed.

asyncio does not report when it copies a context, and work that a task has done in another thread
(``sync_to_async``) cannot be traced to the task there. So each operation outside of the block's own
task or thread leaves a new :class:`Part` in its context, which asgiref copies back to the task. If
the last part of a context is one that the block's own context has passed through, that context did
nothing itself.

Django's transactions belong to a thread's connection, and can be ended from any context; a context
variable could not be reset there, so those of the engine are kept by thread.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from djongo_services.transaction.state import ActiveTransaction, Key


class Part:
    """An operation, and the one before it in the same context or the one that was copied."""

    __slots__ = ("before",)

    def __init__(self, before: Part | None) -> None:
        self.before = before


_PARTS: ContextVar[Mapping[ActiveTransaction, Part]] = ContextVar(
    "djongo_services_parts", default=MappingProxyType({})
)


def take_part(transaction: ActiveTransaction) -> None:
    """Record an operation that is about to be sent, but not by the block's own task or thread."""
    transaction.has_parts = True
    parts = _PARTS.get()
    kept = {each: part for each, part in parts.items() if each.outcome != "committed"}
    _PARTS.set({**kept, transaction: Part(parts.get(transaction))})


def leave(transaction: ActiveTransaction) -> None:
    """Record that the block's own context has finished its part in the transaction."""
    parts = _PARTS.get()
    if transaction in parts:
        transaction.last_own_part = parts[transaction]
        _PARTS.set({each: part for each, part in parts.items() if each is not transaction})


def is_free_of(transaction: ActiveTransaction) -> bool:
    """Whether this context, once the transaction has ended, can continue as if it had never
    existed."""
    undone = transaction.transactional and transaction.outcome != "committed"
    return not undone or not _took_part(transaction)


def why_refused(transaction: ActiveTransaction) -> str:
    """The error message for a context that is not free of it."""
    if transaction.outcome in (None, "committed"):
        return (
            f"The atomic block on {transaction.alias!r} that this operation belongs to has ended; "
            f"wait for the operation, or read its cursor, before the block ends."
        )
    became = "was rolled back" if transaction.outcome == "rolled back" else "has an unknown result"
    return (
        f"This task or thread took part in a transaction on {transaction.alias!r} that {became}, "
        f"so it cannot run further operations. To start work that outlives an atomic block, use "
        f"on_commit(lambda: asyncio.create_task(work())), or give the work a context of its own: "
        f"asyncio.create_task(work(), context=contextvars.Context())."
    )


def _took_part(transaction: ActiveTransaction) -> bool:
    last = _PARTS.get().get(transaction)
    own = transaction.last_own_part
    while own is not None and own is not last:
        own = own.before
    return last is not None and own is None


# The open transactions of the engine's connections, by thread.
class _Here(threading.local):
    def __init__(self) -> None:
        self.open: dict[Key, ActiveTransaction] = {}


_here = _Here()

_INHERITED: ContextVar[Mapping[Key, ActiveTransaction]] = ContextVar(
    "djongo_services_thread_transactions", default=MappingProxyType({})
)
"""What was open in the thread that a context comes from, for example an event loop's from a test's;
some of it may have ended since."""


def own(transaction: ActiveTransaction) -> None:
    """Open it for everything in this thread, until :func:`disown`."""
    _here.open[transaction.key] = transaction
    _INHERITED.set({**_INHERITED.get(), transaction.key: transaction})


def disown(transaction: ActiveTransaction) -> None:
    if _here.open.get(transaction.key) is transaction:
        del _here.open[transaction.key]


def owned(key: Key) -> ActiveTransaction | None:
    return _here.open.get(key)


def of_test(key: Key) -> ActiveTransaction | None:
    """The transaction that a TestCase has open around this context, in any thread."""
    found = _INHERITED.get().get(key)
    return found if found is not None and not found.ended and found.of_test() else None


@contextmanager
def none_owned() -> Iterator[None]:
    """Hide the open transactions of this thread within the block."""
    left, _here.open = _here.open, {}
    try:
        yield
    finally:
        _here.open = left
