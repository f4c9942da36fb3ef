"""The connection of the engine: Django's own transactions on MongoDB's sessions."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from functools import cached_property
from typing import Any

from django.db import DatabaseError
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.transaction import Atomic
from django.utils.asyncio import async_unsafe
from django_mongodb_backend.base import DatabaseWrapper as Backend
from pymongo.errors import PyMongoError

from djongo_services import database_names, write_listener
from djongo_services.backend.creation import DatabaseCreation
from djongo_services.backend.errors import named_errors
from djongo_services.backend.features import DatabaseFeatures
from djongo_services.backend.introspection import DatabaseIntrospection
from djongo_services.backend.known_names import refuse_unknown_backend
from djongo_services.backend.operations import DatabaseOperations
from djongo_services.backend.recording import recorder
from djongo_services.backend.schema import DatabaseSchemaEditor
from djongo_services.backend.transactions import EngineTransaction
from djongo_services.transaction import (
    backend_connections,
    clients,
    current,
    listening,
    state,
    topology,
)
from djongo_services.transaction.participants import disown, own
from djongo_services.transaction.state import ActiveTransaction, Key
from djongo_services.transaction.synchronous.commit import end


def _own_attribute(name: str) -> property:
    """An attribute of each wrapper that overrides what its base class has."""

    def get(wrapper: Any) -> Any:
        return wrapper.__dict__[name]

    def set_(wrapper: Any, value: Any) -> None:
        wrapper.__dict__[name] = value

    return property(get, set_)


_making = threading.Lock()
"""Held while a client is created: threads that connect at the same time share one."""


class DatabaseWrapper(Backend):  # type: ignore[misc]  # the backend has no types
    """One thread's connection of a DATABASES alias.

    Its transaction applies to everything in the thread that uses the alias's client: the ORM,
    PyMongo, the storage, and the blocks of ``djongo_services.transaction``.
    """

    connection: Any
    closed_in_transaction: bool
    features_class = DatabaseFeatures
    SchemaEditorClass = DatabaseSchemaEditor
    introspection_class = DatabaseIntrospection
    creation_class = DatabaseCreation
    is_watched_in_tests = True
    has_object_ids = True
    """Means that automatic primary keys are not integers."""
    transaction_class = EngineTransaction
    """The class that the blocks of ``djongo_services.transaction`` use, too."""
    ops_class = DatabaseOperations
    command_listeners = (recorder,)
    brings_transactions = True
    """Prevents the patches that the stock backend gets."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._blocks: list[Atomic] = []
        """Django's open blocks, instead of the backend's own."""
        self._transaction: EngineTransaction | None = None
        self._of_a_block = False
        """Whether the transaction belongs to Django's outermost atomic block."""
        self._outer: ActiveTransaction | None = None
        """A block of ours that was open before Django's began, and which Django's joined."""
        self._savepoint_of_outer: str | None = None
        """The savepoint of Django's outermost block within it."""
        self._ended: EngineTransaction | None = None
        """The last transaction, until its callbacks have run."""
        self._lost: PyMongoError | None = None
        """Why the transaction was rolled back although its block continues as if it had
        succeeded."""
        self._handled: BaseException | None = None
        """The exception that was being handled when the transaction began."""
        super().__init__(*args, **kwargs)

    # Overrides what djongo_services adds to the backend's class.
    in_atomic_block_mongo = property(lambda self: False, lambda self, value: None)
    """Always False: each of the backend's blocks is one of Django's, so they need not be
    counted."""
    run_on_commit: Any = _own_attribute("run_on_commit")
    database = backend_connections.database_by_name
    on_commit = BaseDatabaseWrapper.on_commit

    @cached_property
    def key(self) -> Key:
        return ("DATABASES", self.alias)

    @property
    def session(self) -> Any:
        """The session that the next operation of the ORM gets."""
        if state.APART.get() or (transaction := state.innermost(self.key)) is None:
            return None
        return clients.session_for(transaction, self.connection)

    @session.setter
    def session(self, value: Any) -> None:
        """Ignored: the backend sets it to None when it begins."""

    def has_begun(self) -> bool:
        """Whether the next operation is part of a transaction that the server knows."""
        transaction = None if state.APART.get() else state.innermost(self.key)
        return transaction is not None and transaction.session is not None

    def looks_first(self) -> bool:
        """Whether a duplicate should be found before the server ends the transaction because of
        it."""
        transaction = state.innermost(self.key)
        return transaction is not None and transaction.has_something_to_lose()

    def look_ahead(self, find: Callable[[], Any]) -> Any:
        """The result of ``find``; if that is None, the application does not notice the read."""
        transaction: Any = state.innermost(self.key)
        transaction.looks_ahead = True
        try:
            found = find()
        finally:
            transaction.looks_ahead = False
        transaction.has_seen = transaction.has_seen or found is not None
        return found

    @async_unsafe
    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        with _making:
            if self.alias not in self._connection_pools:
                refuse_unknown_backend()
                listeners = [*conn_params.pop("event_listeners", ()), *self.command_listeners]
                if database_names.is_testing():
                    listeners.append(write_listener.listener)
                client = clients.new_client(
                    self.key,
                    event_listeners=listeners,
                    driver=self._driver_info(),
                    **conn_params,
                )
                listening.listen_while(client, recorder)
                self._connection_pools[self.alias] = client
            return self._connection_pools[self.alias]

    def init_connection_state(self) -> None:
        with state.outside():
            BaseDatabaseWrapper.init_connection_state(self)

    def get_collection(self, name: str, **kwargs: Any) -> Any:
        if self.in_atomic_block:
            self.validate_no_broken_transaction()
        return super().get_collection(name, **kwargs)

    @async_unsafe
    def close(self) -> None:
        self.validate_thread_sharing()
        self.run_on_commit = []
        if self.closed_in_transaction or self.connection is None:
            return
        self._give_up()
        if self.in_atomic_block:
            self.closed_in_transaction = True
            self.needs_rollback = True

    def close_pool(self) -> None:
        self._give_up()
        self.run_on_commit = []
        client, self.connection = self.connection, None
        if client is not None:
            self.__dict__.pop("database", None)
            self._connection_pools.pop(self.alias, None)
            client.close()

    def is_usable(self) -> bool:
        try:
            with current.apart():
                self.connection.admin.command("ping")
        except PyMongoError:
            return False
        return True

    # Django's transactions.

    def set_autocommit(
        self, autocommit: bool, force_begin_transaction_with_broken_autocommit: bool = False
    ) -> None:
        # Only Atomic calls this. After its commit or rollback it has autocommit again.
        self._of_a_block = force_begin_transaction_with_broken_autocommit
        BaseDatabaseWrapper.set_autocommit(
            self, autocommit, force_begin_transaction_with_broken_autocommit
        )
        lost, self._lost = self._lost, None
        if lost is not None and sys.exc_info()[1] is self._handled:
            # Here, because Atomic discards errors of its rollback. If another exception is leaving
            # the block, that one is raised.
            raise DatabaseError(
                "The transaction was rolled back and nothing of it is saved, because what came "
                f"before a savepoint could not be restored: {lost}"
            ) from lost

    def _set_autocommit(self, autocommit: bool) -> None:
        if autocommit:
            self._give_up()
        elif self._transaction is None and self._outer is None:
            self._open()

    def _open(self) -> None:
        self._handled, self._lost = sys.exc_info()[1], None
        self._outer = state.innermost(self.key)
        if self._outer is not None:
            self._savepoint_of_outer = self._outer.open_savepoint()
        elif topology.transactional(self.connection, self.alias):
            self._transaction = EngineTransaction(
                key=self.key, alias=self.alias, database=self.settings_dict["NAME"]
            )
            self._transaction.in_test = self._in_test
            self._transaction.of_test = self._is_of_test
            own(self._transaction)

    def _commit(self) -> None:
        if self._outer is not None:
            self._leave_outer(error=None)
        elif self._transaction is not None:
            self._end(self._transaction, error=None)
        if not self._of_a_block:
            self._open()

    def _rollback(self) -> None:
        if self._outer is not None:
            self._leave_outer(error=backend_connections.reason(self._outer))
        elif self._transaction is not None:
            if self._of_a_block:
                self._lost = self._transaction.lost
            self._end(self._transaction, error=_Rollback())
        if not self._of_a_block:
            self._open()

    def _leave_outer(self, error: BaseException | None) -> None:
        """End Django's outermost block within one of ours, which continues."""
        outer, self._outer = self._outer, None
        assert outer is not None
        outer.leave_savepoint(self._savepoint_of_outer, error)

    def _give_up(self) -> None:
        """End what is open; after a commit or rollback it is empty."""
        if self._outer is not None:
            self._leave_outer(error=None)
        if self._transaction is not None:
            self._end(self._transaction, error=_Rollback())

    def _end(self, transaction: EngineTransaction, error: BaseException | None) -> None:
        self._transaction = None
        disown(transaction)
        ended = end(transaction, error)
        transaction.outcome = ended.outcome
        if ended.outcome == "committed":
            self._ended = transaction
        else:
            transaction.hooks.run(ended.outcome)
        if ended.error is not None:
            with named_errors():
                raise ended.error

    def run_and_clear_commit_hooks(self) -> None:
        ended, self._ended = self._ended, None
        if ended is not None:
            ended.hooks.run("committed")
        BaseDatabaseWrapper.run_and_clear_commit_hooks(self)

    # Savepoints.

    def _savepoint(self, sid: str) -> None:
        if (transaction := self._transaction or self._outer) is not None:
            with named_errors():
                transaction.open_savepoint(sid)

    def _savepoint_commit(self, sid: str) -> None:
        if (transaction := self._transaction or self._outer) is not None:
            with named_errors():
                transaction.release(sid)

    def _savepoint_rollback(self, sid: str) -> None:
        if (transaction := self._transaction or self._outer) is not None:
            with named_errors():
                transaction.roll_back_to(sid)

    def _in_test(self) -> bool:
        """Whether the only open blocks are those that TestCase opens around a test."""
        return bool(self.atomic_blocks) and all(
            block._from_testcase for block in self.atomic_blocks
        )

    def _is_of_test(self) -> bool:
        """Whether TestCase has begun the open transaction."""
        return bool(self.atomic_blocks) and self.atomic_blocks[0]._from_testcase

    # The backend's own atomic is Django's.

    def start_transaction_mongo(self) -> None:
        block = Atomic(self.alias, savepoint=True, durable=False)
        block.__enter__()
        self._blocks.append(block)

    def commit_mongo(self) -> None:
        self._blocks.pop().__exit__(None, None, None)

    def rollback_mongo(self) -> None:
        if self._blocks:
            error = _Rollback()
            self._blocks.pop().__exit__(type(error), error, None)


class _Rollback(Exception):
    """Causes a rollback if there is no other exception."""
