"""The stand-in itself: PyMongo treats it as a sharded cluster, and it refuses what mongos
refuses."""

from __future__ import annotations

from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.errors import OperationFailure

from tests.sharded.conftest import Sharded

Client = MongoClient[dict[str, Any]]


def test_pymongo_sees_a_sharded_cluster(client: Client, sharded: Sharded) -> None:
    hello = client.admin.command("hello")
    assert hello["msg"] == "isdbgrid"
    assert not {"setName", "hosts", "me", "primary"} & hello.keys()
    assert client.topology_description.topology_type_name == "Sharded"
    assert client.primary is None
    assert client.is_mongos
    known = client.topology_description.server_descriptions()
    assert {f"{host}:{port}" for host, port in known} == {
        router.address for router in sharded.routers
    }


@pytest.mark.parametrize(
    ("database", "command", "code"),
    [
        ("admin", {"replSetGetStatus": 1}, 59),
        ("admin", {"applyOps": []}, 59),
        ("admin", {"top": 1}, 59),
        ("local", {"find": "oplog.rs"}, 73),
        ("somewhere", {"profile": 2}, 72),
    ],
)
def test_what_a_member_alone_can_do_is_refused(
    client: Client, database: str, command: dict[str, Any], code: int
) -> None:
    with pytest.raises(OperationFailure) as caught:
        client[database].command(command)
    assert caught.value.code == code


def test_operations_are_of_a_shard(client: Client) -> None:
    found = list(client.admin.aggregate([{"$currentOp": {"localOps": True}}]))
    assert found
    assert all(each["shard"] == "shard" for each in found)
    assert any(str(each.get("opid")).startswith("shard:") for each in found)


def test_a_transaction_stays_on_its_router(client: Client, sharded: Sharded, outside: Any) -> None:
    notes = client[outside.name].notes
    with client.start_session() as session, session.start_transaction():
        for number in range(8):
            notes.insert_one({"_id": number}, session=session)
    assert len(set(sharded.routers_of("insert"))) == 1
    assert outside.notes.count_documents({}) == 8


def test_a_commit_is_repeated_on_another_router(sharded: Sharded, outside: Any) -> None:
    """By the recovery token, when the router that has committed is gone."""
    with MongoClient[dict[str, Any]](sharded.uri, serverSelectionTimeoutMS=10_000) as client:
        with client.start_session() as session:
            session.start_transaction()
            client[outside.name].notes.insert_one({"_id": 1}, session=session)
            session.commit_transaction()
            (used,) = set(sharded.routers_of("commitTransaction"))
            next(each for each in sharded.routers if each.address == used).stop()
            session.commit_transaction()
    assert len(set(sharded.routers_of("commitTransaction"))) == 2
    assert outside.notes.count_documents({}) == 1
