"""Transactions of clients whose address chooses a write concern and a read preference."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pymongo import InsertOne
from pymongo.database import Database
from pymongo.errors import ConfigurationError
from pymongo.write_concern import WriteConcern

from djongo_services.connections import connections
from djongo_services.transaction import aatomic, atomic, current
from tests.transaction.conftest import entry, uri_of

Mongo = Database[dict[str, Any]]

OPERATIONS: dict[str, Callable[[Any], Any]] = {
    "insert_one": lambda db: db.c.insert_one({"_id": 1}),
    "insert_many": lambda db: db.c.insert_many([{"_id": 1}]),
    "update": lambda db: db.c.update_one({"_id": 1}, {"$set": {"a": 1}}, upsert=True),
    "replace": lambda db: db.c.replace_one({"_id": 1}, {"a": 1}, upsert=True),
    "find and modify": lambda db: db.c.find_one_and_update(
        {"_id": 1}, {"$set": {"a": 1}}, upsert=True
    ),
    "bulk": lambda db: db.c.bulk_write([InsertOne({"_id": 1})]),
    "command": lambda db: db.command("insert", "c", documents=[{"_id": 1}]),
}


@pytest.fixture(params=[1, "majority"])
def hosted(database: Mongo, configured: Callable[..., None], request: Any, settings: Any) -> Mongo:
    """As in the addresses that hosted databases provide."""
    configured(database)
    options = f"?retryWrites=true&w={request.param}&readPreference=secondaryPreferred"
    settings.DJONGO_SERVICES["CONNECTIONS"]["default"] = {
        **entry(database),
        "HOST": f"{uri_of(database)}{options}",
    }
    found = connections["default"].database
    assert not found.write_concern.is_server_default
    return found


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)
def test_writes_and_reads(hosted: Mongo, database: Mongo, operation: Callable[[Any], Any]) -> None:
    with atomic():
        operation(hosted)
        assert hosted.c.find_one() is not None
        assert hosted.c.count_documents({}) == 1
        assert hosted.c.distinct("_id") == [1]
        assert len(list(hosted.c.aggregate([{"$match": {}}]))) == 1
        hosted.c.delete_many({"_id": 2})
    assert database.c.count_documents({}) == 1


async def test_of_the_asyncio_flavour(hosted: Mongo, database: Mongo) -> None:
    try:
        async with aatomic():
            collection = connections["default"].async_database.c
            await collection.insert_one({"_id": 1})
            assert await collection.find_one() is not None
    finally:
        await connections["default"].aclose()
    assert database.c.count_documents({}) == 1


def test_beside_a_transaction_they_are_as_configured(hosted: Mongo) -> None:
    for_database, for_collection = hosted._write_concern_for, hosted.c._write_concern_for
    assert for_database(None) == for_collection(None) == hosted.write_concern
    with atomic():
        hosted.c.insert_one({})
        assert for_database(None) == for_collection(None) == WriteConcern()
        with current.apart():
            assert for_database(None) == for_collection(None) == hosted.write_concern
        with pytest.raises(ConfigurationError, match="w=0"):
            hosted.get_collection("c", write_concern=WriteConcern(0)).insert_one({})
    assert for_database(None) == for_collection(None) == hosted.write_concern
