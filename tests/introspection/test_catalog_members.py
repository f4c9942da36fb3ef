"""Usage is read from every member; one that is down takes nothing else away."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from pymongo import MongoClient, ReadPreference, WriteConcern
from pymongo.database import Database

from djongo_services.embedded import Member, MongoServer
from djongo_services.introspection import read_catalog
from djongo_services.introspection.catalog import Catalog

Mongo = Database[dict[str, Any]]


@pytest.fixture
def replicated(replica_set: MongoServer) -> Iterator[Mongo]:
    with replica_set.client() as client:
        database = client.get_database(
            f"test_{uuid.uuid4().hex}", write_concern=WriteConcern(w=3, wtimeout=20_000)
        )
        database["things"].create_index("a")
        database["things"].insert_one({"a": 1})
        yield database
        client.drop_database(database.name)


def operations(catalog: Catalog) -> dict[str, int]:
    """Port of the host to the uses of ``a_1`` counted there."""
    usage = catalog["things"].indexes[1].usage
    assert usage is not None
    return {found.host.rpartition(":")[2]: found.operations for found in usage}


def counted(member: Member, database: Mongo) -> int:
    """The member's own count; a query that it restarts counts twice."""
    with MongoClient[dict[str, Any]](member.address, directConnection=True) as client:
        things = client[database.name]["things"]
        found = things.aggregate([{"$indexStats": {}}, {"$match": {"name": "a_1"}}])
        return int(next(found)["accesses"]["ops"])


def ports(server: MongoServer) -> list[str]:
    return [str(member.port) for member in server.members]


def test_every_member_counts_for_itself(replicated: Mongo, replica_set: MongoServer) -> None:
    secondaries = replicated.with_options(read_preference=ReadPreference.SECONDARY)
    for _ in range(3):
        replicated["things"].find_one({"a": 1})
    for _ in range(10):
        secondaries["things"].find_one({"a": 1})
    catalog = read_catalog(replicated)
    found = operations(catalog)
    assert catalog.unavailable == ()
    assert found == {
        str(member.port): counted(member, replicated) for member in replica_set.members
    }
    primary = replicated.client.primary
    assert primary is not None
    assert 3 <= found[str(primary[1])] <= sum(found.values()) - 10


def test_a_new_client_waits_for_members_that_it_does_not_know_yet(
    replicated: Mongo, replica_set: MongoServer
) -> None:
    with replica_set.client() as client:
        catalog = read_catalog(client[replicated.name])
    assert sorted(operations(catalog)) == sorted(ports(replica_set))


def test_reads_by_the_databases_preference(replicated: Mongo, replica_set: MongoServer) -> None:
    secondaries = replicated.with_options(read_preference=ReadPreference.SECONDARY)
    catalog = read_catalog(secondaries)
    assert catalog["things"].statistics is not None
    assert catalog["things"].statistics.count == 1
    assert sorted(operations(catalog)) == sorted(ports(replica_set))


def test_a_direct_connection_says_what_it_cannot_ask(
    replicated: Mongo, replica_set: MongoServer
) -> None:
    address = replica_set.members[0].address
    with MongoClient[dict[str, Any]](address, directConnection=True) as client:
        catalog = read_catalog(client[replicated.name])
    assert list(operations(catalog)) == [ports(replica_set)[0]]
    (missing,) = catalog.unavailable
    assert missing.what == "usage"
    assert (
        missing.reason
        == "The client is connected to one member directly; 2 more cannot be queried."
    )


def test_a_member_that_is_down_is_named(replicated: Mongo, replica_set: MongoServer) -> None:
    primary = replicated.client.primary
    down = next(member for member in replica_set.members if (member.host, member.port) != primary)
    down.kill()
    try:
        catalog = read_catalog(replicated)
    finally:
        down.restart()
    assert sorted(operations(catalog)) == sorted(set(ports(replica_set)) - {str(down.port)})
    (missing,) = catalog.unavailable
    assert missing.what == "usage"
    assert missing.reason.startswith(f"The member {down.address} does not answer: ")
    assert catalog["things"].unavailable == ()
    assert catalog["things"].statistics is not None


def test_a_member_that_recovers_is_not_connected_to(
    replicated: Mongo, replica_set: MongoServer
) -> None:
    """PyMongo would use a connection from that time without sessions for as long as it lives."""
    client = replicated.client
    slow = next(
        member for member in replica_set.members if (member.host, member.port) != client.primary
    )
    with MongoClient[dict[str, Any]](slow.address, directConnection=True) as direct:
        direct.admin.command("replSetMaintenance", 1)
        try:
            _wait_for(client, slow, "RSOther")
            catalog = read_catalog(replicated)
        finally:
            direct.admin.command("replSetMaintenance", 0)
    (missing,) = catalog.unavailable
    assert missing.reason == (
        f"The member {slow.address} does not answer: it is starting or recovering"
    )
    assert sorted(operations(catalog)) == sorted(set(ports(replica_set)) - {str(slow.port)})
    _wait_for(client, slow, "RSSecondary")
    secondaries = replicated.with_options(read_preference=ReadPreference.SECONDARY)
    with client.start_session() as session:
        for _ in range(10):
            assert secondaries["things"].find_one(session=session) is not None


def _wait_for(client: MongoClient[dict[str, Any]], member: Member, kind: str) -> None:
    address = (member.host, member.port)
    while True:
        found = client.topology_description.server_descriptions()[address]
        if found.server_type_name == kind:
            return
        time.sleep(0.01)
