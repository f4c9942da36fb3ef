"""Tests that leave nothing behind: each runs in a transaction that is rolled back.

What MongoDB refuses in a transaction (facts such as ``count``, or indexes on existing
collections) fails in such a test as well, and an operation that fails ends the transaction: a
test of those things needs a database of its own and a clean-up.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import ClassVar

from djongo_services.transaction import hooks
from djongo_services.transaction.atomic import Atomic
from djongo_services.transaction.beginning import Wanted
from djongo_services.transaction.control import required_transaction
from djongo_services.transaction.hooks import Callback


class _Undo(Exception):
    """Leaves the block of :func:`rolled_back`, and nothing else."""


@contextmanager
def rolled_back(using: str | None = None) -> Iterator[None]:
    """Run the block in a transaction on ``using`` and roll it back, however it ends.

    Blocks inside join, also those that are ``durable`` or have options of their own; their
    on_commit callbacks do not run: see :func:`capture_on_commit`.
    """
    try:
        with Atomic(using, Wanted(test=True)):
            yield
            raise _Undo
    except _Undo:
        pass


@contextmanager
def capture_on_commit(
    using: str | None = None, *, execute: bool = False
) -> Iterator[list[Callback]]:
    """The on_commit callbacks that the block registers, in their order, once it has ended.

    ``execute`` calls them then, and those that they register in turn. They will not run again.
    Raises TransactionManagementError outside of any atomic block.
    """
    transaction = required_transaction(using, "capture_on_commit")
    before = len(transaction.hooks.on_commit)
    callbacks: list[Callback] = []
    try:
        yield callbacks
    finally:
        while captured := transaction.hooks.on_commit[before:]:
            del transaction.hooks.on_commit[before:]
            callbacks.extend(hook.callback for hook in captured)
            if execute:
                hooks.run(captured)


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

    def capture_on_commit(
        self, using: str | None = None, *, execute: bool = False
    ) -> AbstractContextManager[list[Callback]]:
        return capture_on_commit(using, execute=execute)
