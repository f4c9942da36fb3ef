"""Tests that leave nothing behind: each runs in a transaction that is rolled back.

What MongoDB refuses in a transaction (such as ``count``, or indexes on existing collections) fails
in such a test as well, and an operation that fails ends the transaction: such tests need a database
of their own and a clean-up.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import ClassVar

from djongo_services.transaction import backend_connections, hooks
from djongo_services.transaction.api import required_transaction
from djongo_services.transaction.atomic import Atomic
from djongo_services.transaction.blocks import BlockOptions
from djongo_services.transaction.hooks import Callback, Hook


class _Undo(Exception):
    """Leaves the block of :func:`rolled_back`, and has no other purpose."""


@contextmanager
def rolled_back(using: str | None = None) -> Iterator[None]:
    """Run the block in a transaction on ``using`` and roll it back, however it ends.

    Blocks inside join it, including those that are ``durable`` or have options of their own; their
    on_commit callbacks do not run: see :func:`capture_on_commit`.
    """
    try:
        with Atomic(using, BlockOptions(test=True)):
            yield
            raise _Undo
    except _Undo:
        pass


def capture_on_commit(using: str | None = None, *, execute: bool = False) -> Capture:
    """The on_commit callbacks that the block registers, in order, available once it has ended.

    With ``execute`` they are called then, and so are those that they register themselves. They will
    not run again. This app's own work after a commit, such as removing the chunks of a deleted
    file, is not included and happens at its own time. Django's ``captureOnCommitCallbacks`` finds
    the same callbacks on a connection that shares the ORM's database.

    It is a context manager, and in a coroutine also an asynchronous one, which awaits them. Raises
    TransactionManagementError outside of any atomic block.
    """
    return Capture(using, execute=execute)


class Capture:
    """What :func:`capture_on_commit` returns."""

    def __init__(self, using: str | None, *, execute: bool) -> None:
        self._using = using
        self._execute = execute

    def __enter__(self) -> list[Callback]:
        self._transaction = required_transaction(self._using, "capture_on_commit")
        self._before = len(backend_connections.commit_hooks(self._transaction))
        self._callbacks: list[Callback] = []
        return self._callbacks

    def __exit__(self, *error: object) -> None:
        while captured := self._take():
            hooks.run(captured)

    async def __aenter__(self) -> list[Callback]:
        return self.__enter__()

    async def __aexit__(self, *error: object) -> None:
        while captured := self._take():
            await hooks.arun(captured)

    def _take(self) -> list[Hook]:
        """The callbacks to call; they no longer wait."""
        waiting = backend_connections.commit_hooks(self._transaction)
        captured = [Hook(*each) for each in waiting[self._before :]]  # the backend's are tuples
        del waiting[self._before :]
        self._callbacks.extend(hook.callback for hook in captured)
        return captured if self._execute else []


class RollbackMixin:
    """For ``unittest`` and Django's ``SimpleTestCase``: each test is rolled back.

    >>> class LoanTests(RollbackMixin, SimpleTestCase):
    ...     databases = {"default"}

    Django's ``TestCase`` works as well, but empties every collection after each test.
    """

    mongodb_aliases: ClassVar[Sequence[str]] = ("default",)
    """The connections to begin a transaction on."""

    def setUp(self) -> None:
        super().setUp()  # type: ignore[misc]  # the TestCase that this is mixed into
        for alias in self.mongodb_aliases:
            self.enterContext(rolled_back(alias))  # type: ignore[attr-defined]  # the same

    def capture_on_commit(self, using: str | None = None, *, execute: bool = False) -> Capture:
        return capture_on_commit(using, execute=execute)
