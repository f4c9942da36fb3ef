"""Django's connections, with the types of those to MongoDB that they are in these tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from django import db

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper
    from django.utils.connection import BaseConnectionHandler
    from pymongo.client_session import ClientSession
    from pymongo.database import Database

    class MongoDBWrapper(BaseDatabaseWrapper):
        database: Database[dict[str, Any]]
        session: ClientSession | None

        def close_pool(self) -> None: ...


connection = cast("MongoDBWrapper", db.connection)
connections = cast("BaseConnectionHandler[MongoDBWrapper]", db.connections)
