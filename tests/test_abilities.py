"""The abilities that servers report."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.database import Database
from pymongo.errors import ServerSelectionTimeoutError

from djongo_services.abilities import read_abilities
from djongo_services.embedded import MongoServer
from djongo_services.embedded.addresses import free_port
from djongo_services.embedded.binary import find_binary
from tests.introspection.guarded import guarded_server

pytestmark = pytest.mark.versions


Mongo = Database[dict[str, Any]]
Client = MongoClient[dict[str, Any]]


@pytest.fixture
def standalone(tmp_path: Path) -> Iterator[Client]:
    """A 6.0 server without a replica set."""
    binary, port = find_binary("6.0", tmp_path / "lib"), free_port()
    command = [str(binary.path), "--port", str(port), "--bind_ip", "127.0.0.1"]
    command += ["--dbpath", str(tmp_path), "--logpath", str(tmp_path / "log"), "--nounixsocket"]
    process = subprocess.Popen(command, env=dict(binary.environment), stdout=subprocess.DEVNULL)
    try:
        with Client("127.0.0.1", port) as client:
            yield client
    finally:
        process.terminate()
        process.wait(20)


EXPECTED = {
    "4.4": (False, False, False, False, False),
    "5.0": (True, True, False, True, False),
    "6.0": (True, True, True, True, True),
}


def test_versions(matrix_database: Mongo) -> None:
    client = matrix_database.client
    found = read_abilities(client)
    series = found.version.rpartition(".")[0]
    assert found.feature_compatibility == series
    assert found.version_tuple[:2] == tuple(map(int, series.split(".")))
    assert found.topology == "replica set"
    assert found.set_name == client.topology_description.replica_set_name
    assert found.members == tuple(f"{host}:{port}" for host, port in client.nodes)
    assert found.transactions
    assert not found.read_only
    assert EXPECTED[series] == (
        found.snapshot_reads,
        found.validator_errinfo,
        found.prepare_unique,
        found.time_series,
        found.clustered_collections,
    )


def test_standalone_and_lagging_feature_compatibility(standalone: Client) -> None:
    whole = read_abilities(standalone)
    assert whole.topology == "standalone"
    assert whole.set_name is None
    host, port = standalone.address or ("", 0)
    assert whole.members == (f"{host}:{port}",)
    assert (whole.transactions, whole.snapshot_reads) == (False, False)
    assert (whole.prepare_unique, whole.clustered_collections) == (True, True)
    standalone.admin.command("setFeatureCompatibilityVersion", "5.0")
    lagging = read_abilities(standalone)
    assert lagging.version == whole.version
    assert lagging.feature_compatibility == "5.0"
    assert (lagging.prepare_unique, lagging.clustered_collections) == (False, False)
    assert lagging.time_series


def test_without_the_privilege_the_version_decides(tmp_path: Path) -> None:
    with guarded_server(tmp_path, "6.0") as server, server.user() as client:
        found = read_abilities(client)
    assert found.feature_compatibility is None
    assert found.prepare_unique


def test_of_a_secondary(replica_set: MongoServer) -> None:
    replica_set.wait_until_ready()
    with replica_set.client() as client:
        client.admin.command("ping")  # A new client may have met a secondary only.
        whole = read_abilities(client)
        deadline = time.monotonic() + 20
        while not client.secondaries and time.monotonic() < deadline:
            client.admin.command("ping")
        host, port = min(client.secondaries)
    assert whole.members == tuple(sorted(member.address for member in replica_set.members))
    with Client(host, port, directConnection=True) as client:
        found = read_abilities(client)
    assert found.read_only
    assert not whole.read_only
    assert found.members == whole.members


def test_inside_a_bound_transaction(database: Mongo) -> None:
    with database.client.start_session() as session, session.bind():
        session.start_transaction()
        database["things"].insert_one({})
        found = read_abilities(database.client)
        session.abort_transaction()
    assert found.transactions


def test_unreachable() -> None:
    with (
        Client("127.0.0.1", free_port(), serverSelectionTimeoutMS=100) as client,
        pytest.raises(ServerSelectionTimeoutError),
    ):
        read_abilities(client)
