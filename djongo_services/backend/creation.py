"""Databases of test runs: created, copied for parallel workers, dropped."""

from __future__ import annotations

from typing import Any

from django_mongodb_backend.creation import DatabaseCreation as Backend
from pymongo import MongoClient
from pymongo.database import Database
from pymongo.errors import OperationFailure

from djongo_services.database_names import prefix_of_copies, with_suffix
from djongo_services.server_errors import UNAUTHORIZED
from djongo_services.testing.databases import copy_database
from djongo_services.transaction import current

_before_fork: list[MongoClient[Any]] = []
"""Clients of the parent process. They must not be used or closed, because their sockets are
shared."""


class DatabaseCreation(Backend):  # type: ignore[misc]  # the backend has no types
    connection: Any

    def _execute_create_test_db(
        self, cursor: Any, parameters: dict[str, Any], keepdb: bool = False
    ) -> None:
        # A client from before the tests has no listener.
        self.connection.close_pool()
        if not keepdb:
            self._destroy_test_db(self._get_test_db_name(), verbosity=0)

    def get_test_db_clone_settings(self, suffix: str) -> dict[str, Any]:
        configured: dict[str, Any] = super().get_test_db_clone_settings(suffix)
        return {**configured, "NAME": with_suffix(self.connection.settings_dict["NAME"], suffix)}

    def _clone_test_db(self, suffix: str, verbosity: int, keepdb: bool = False) -> None:
        source = self.connection.database
        name = self.get_test_db_clone_settings(suffix)["NAME"]
        with current.apart():
            target = source.client[name]
            if keepdb and target.list_collection_names():
                return
            source.client.drop_database(name)
            copy_database(source, target)

    def _destroy_test_db(self, test_database_name: str, verbosity: int) -> None:
        """The settings need not name the database, unlike on the stock backend."""
        self.connection.ensure_connection()
        client = self.connection.connection
        copies = prefix_of_copies(test_database_name)
        with current.apart():
            _drop(client[test_database_name])
            for name in client.list_database_names():
                if name.startswith(copies):  # The copy of a worker that has ended.
                    _drop(client[name])

    def setup_worker_connection(self, _worker_id: int) -> None:
        """Discard what a fork has inherited."""
        client = self.connection._connection_pools.pop(self.connection.alias, None)
        if client is not None:
            _before_fork.append(client)
        self.connection.connection = None
        self.connection.__dict__.pop("database", None)
        super().setup_worker_connection(_worker_id)


def _drop(database: Database[Any]) -> None:
    try:
        database.client.drop_database(database.name)
    except OperationFailure as error:
        if error.code != UNAUTHORIZED:
            raise
        # A user who may write collections may lack the right to drop a database.
        for name in database.list_collection_names():
            if not name.startswith("system."):
                database.drop_collection(name)
