"""On which DATABASES aliases a model may have rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.db import Error, connections, router
from pymongo.errors import PyMongoError

from djongo_services.storage.collector.references.columns import first_line
from djongo_services.storage.collector.references.fields import AnyModel
from djongo_services.storage.collector.references.sources import Unreadable


class Tables:
    """Looks up which tables there are, once for each alias."""

    def __init__(self) -> None:
        self._names: dict[str, frozenset[str]] = {}

    def aliases_of(self, model: AnyModel, *, elsewhere: bool = False) -> Iterator[str]:
        """Those that the routers read or write the model on, and others that have its table.

        ``elsewhere``: its documents are known to be outside of DATABASES, so that none of them has
        to have the table. Raises Unreadable when an alias that has to have it does not, or cannot
        be asked.
        """
        home = {router.db_for_read(model), router.db_for_write(model)}
        for alias in connections:
            at_home = alias in home and not elsewhere
            if not at_home and not router.allow_migrate_model(alias, model):
                continue
            if self._has(alias, model._meta.db_table):
                yield alias
            elif at_home:
                raise Unreadable(
                    f"the database {alias!r} has no table {model._meta.db_table}; run migrate"
                )

    def _has(self, alias: str, table: str) -> bool:
        if alias not in self._names:
            self._names[alias] = self._read(alias)
        # Some databases fold the case of names.
        return table in self._names[alias] or table.lower() in self._names[alias]

    def _read(self, alias: str) -> frozenset[str]:
        connection: Any = connections[alias]
        try:
            if connection.vendor == "mongodb":
                connection.ensure_connection()
                return frozenset(connection.database.list_collection_names())
            return frozenset(connection.introspection.table_names(include_views=True))
        except (Error, ImproperlyConfigured, PyMongoError) as error:
            raise Unreadable(
                f"the database {alias!r} cannot be read: {first_line(error)}"
            ) from error
