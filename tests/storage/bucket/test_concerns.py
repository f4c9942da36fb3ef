"""Concerns and read preference reach the server."""

from __future__ import annotations

from typing import Any

import pytest
from pymongo import MongoClient, ReadPreference
from pymongo.database import Database
from pymongo.errors import ConfigurationError
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from djongo_services.storage.bucket import AsyncBucket, Bucket
from tests.storage.bucket.conftest import Commands
from tests.storage.bucket.flavours import Flavour
from tests.transaction.conftest import uri_of

MAJORITY: dict[str, Any] = {"w": "majority", "j": True, "wtimeout": 60_000}


def test_of_writes(flavour: Flavour, commands: Commands) -> None:
    bucket = flavour.make(write_concern=WriteConcern(**MAJORITY))
    stored = bucket.upload("a", b"abc")
    bucket.rename(stored.id, "b")
    bucket.delete(stored.id)
    sent = [
        (name, command[name].split(".")[-1], command.get("writeConcern"))
        for name, command in commands.sent
        if name in ("insert", "update", "delete")
    ]
    # The files document implies its chunks, which need no wait of their own.
    assert sent == [
        ("insert", "chunks", {"w": 1, "j": True}),
        ("insert", "files", MAJORITY),
        ("update", "files", MAJORITY),
        ("delete", "files", MAJORITY),
        ("delete", "chunks", {"w": 1, "j": True}),
    ]


def test_of_writes_by_default(flavour: Flavour, commands: Commands) -> None:
    flavour.make().upload("a", b"abc")
    assert [each.get("writeConcern") for each in commands.named("insert")] == [{"w": 1}, None]


def test_of_writes_from_the_database(database: Database[Any], commands: Commands) -> None:
    flavour = Flavour(database, "sync", event_listeners=[commands], w=1)
    flavour.make().upload("a", b"abc")
    assert [each.get("writeConcern") for each in commands.named("insert")] == [{"w": 1}] * 2
    flavour.close()


def test_of_chunks_in_a_transaction(database: Database[Any], commands: Commands) -> None:
    """They are outside of it, and an election may come before the commit."""
    with MongoClient[Any](uri_of(database), event_listeners=[commands]) as client:
        bucket = Bucket(client[database.name], write_concern=WriteConcern("majority"))
        with client.start_session() as session, session.bind(), session.start_transaction():
            bucket.upload("a", b"abc")
        chunks, file = commands.named("insert")
        assert chunks["writeConcern"] == {"w": "majority"}
        assert "autocommit" not in chunks
        assert "writeConcern" not in file
        assert file["autocommit"] is False


@pytest.mark.parametrize("concern", [WriteConcern(w=0), WriteConcern(w=0, j=False)])
def test_unacknowledged_writes_are_refused(database: Database[Any], concern: WriteConcern) -> None:
    sentence = r"The bucket 'fs' needs an acknowledged write concern, such as w=1 or w=\"majority\""
    with pytest.raises(ConfigurationError, match=sentence):
        Bucket(database, write_concern=concern)
    with pytest.raises(ConfigurationError, match=sentence):
        Bucket(database.with_options(write_concern=concern))
    assert Bucket(database.with_options(write_concern=concern), write_concern=WriteConcern(1))


async def test_unacknowledged_writes_are_refused_by_the_asyncio_flavour() -> None:
    from pymongo import AsyncMongoClient

    async with AsyncMongoClient[Any](connect=False) as client:
        with pytest.raises(ConfigurationError, match="needs an acknowledged write concern"):
            AsyncBucket(client.database, write_concern=WriteConcern(w=0))


def test_of_reads(flavour: Flavour, commands: Commands) -> None:
    bucket = flavour.make(
        read_preference=ReadPreference.SECONDARY_PREFERRED, read_concern=ReadConcern("majority")
    )
    stored = bucket.upload("a", b"abc")
    commands.sent.clear()
    bucket.read_bytes(bucket.get(stored.id))
    bucket.get_by_name("a")
    list(bucket.find())
    found = commands.named("find")
    assert len(found) == 4
    for command in found:
        assert command["$readPreference"] == {"mode": "secondaryPreferred"}
        assert command["readConcern"]["level"] == "majority"


def test_of_reads_in_a_transaction(database: Database[Any]) -> None:
    """All reads go to the primary, and a file of the same transaction is found."""
    with MongoClient[Any](uri_of(database)) as client:
        bucket = Bucket(
            client[database.name],
            read_preference=ReadPreference.SECONDARY_PREFERRED,
            read_concern=ReadConcern("majority"),
            write_concern=WriteConcern(**MAJORITY),
        )
        with client.start_session() as session, session.bind(), session.start_transaction():
            stored = bucket.upload("a", b"abc")
            assert bucket.read_bytes(bucket.get_by_name("a")) == b"abc"
            bucket.rename(stored.id, "b")
        assert bucket.read_bytes(bucket.get_by_name("b")) == b"abc"
