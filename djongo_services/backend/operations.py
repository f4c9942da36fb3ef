"""The engine's operations: its own compilers, and flushing outside of transactions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django_mongodb_backend.operations import DatabaseOperations as BackendOperations

from djongo_services.transaction import current


class DatabaseOperations(BackendOperations):  # type: ignore[misc]  # the backend has no types
    compiler_module = "djongo_services.backend.compiler"

    def execute_sql_flush(self, tables: Iterable[str]) -> None:
        """Remove all documents; collections, indexes and validators stay."""
        with current.apart():
            for name in tables:
                if not name.startswith("system."):
                    self.connection.database[name].delete_many({})

    def on_conflict_suffix_sql(self, *args: Any, **kwargs: Any) -> str:
        return ""
