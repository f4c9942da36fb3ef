"""Servers without transactions."""

# ruff: noqa: PT012 - what is tested is how whole blocks end

from __future__ import annotations

import logging
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.errors import ConnectionFailure

from djongo_services.connections import connections
from djongo_services.embedded import MongoServer
from djongo_services.embedded.addresses import free_port
from djongo_services.embedded.binary import find_binary
from djongo_services.transaction import (
    TransactionManagementError,
    TransactionsUnsupported,
    aatomic,
    atomic,
    on_commit,
    on_rollback,
    set_rollback,
    topology,
)


@contextmanager
def run_standalone(folder: Path) -> Iterator[int]:
    """The port of a mongod without a replica set."""
    binary = find_binary(None, folder / "libraries")
    (folder / "data").mkdir()
    command = [str(binary.path), "--dbpath", str(folder / "data"), "--bind_ip", "127.0.0.1"]
    port = free_port()
    log = (folder / "log").open("wb")
    server = subprocess.Popen(
        [*command, "--port", str(port), "--nounixsocket", "--wiredTigerCacheSizeGB", "0.25"],
        env=dict(binary.environment),
        stdout=log,
        stderr=log,
    )
    try:
        with MongoClient[Any](
            f"mongodb://127.0.0.1:{port}/", serverSelectionTimeoutMS=30_000
        ) as client:
            client.admin.command("ping")
        yield port
    finally:
        server.kill()
        server.wait()
        log.close()


@pytest.fixture(scope="module")
def standalone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URI of one that all tests share."""
    with run_standalone(tmp_path_factory.mktemp("standalone")) as port:
        yield f"mongodb://127.0.0.1:{port}/"


@pytest.fixture
def configure(standalone: str, settings: Any) -> Any:
    def configure(**transaction: Any) -> Any:
        settings.DJONGO_SERVICES = {
            "CONNECTIONS": {"default": {"HOST": standalone, "NAME": "test_standalone"}},
            "TRANSACTION": transaction,
        }
        database = connections["default"].database
        database.a.drop()
        return database

    yield configure
    connections.close_all()


def test_atomic_is_refused_and_says_what_to_do(configure: Any) -> None:
    configure()
    with pytest.raises(TransactionsUnsupported, match=r"replica set of one.*single-document"):
        with atomic():
            pass


async def test_aatomic_is_refused_too(configure: Any) -> None:
    configure()
    with pytest.raises(TransactionsUnsupported):
        async with aatomic():
            pass
    await connections["default"].aclose()


def test_single_document_atomicity(
    configure: Any, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(topology, "_warned", set())  # by other tests
    database = configure(STANDALONE="single-document")
    ran: list[str] = []
    with caplog.at_level(logging.WARNING, "djongo_services.transaction"):
        with atomic():
            database.a.insert_one({})
            assert database.a.estimated_document_count() == 1
            on_commit(lambda: ran.append("committed"))
        with pytest.raises(ZeroDivisionError), atomic():
            database.a.insert_one({})
            on_rollback(lambda: ran.append("rolled back"))
            raise ZeroDivisionError
        with atomic():
            set_rollback(True)
            on_rollback(lambda: ran.append("asked for"))
            with pytest.raises(TransactionManagementError):
                database.a.insert_one({})
    assert ran == ["committed", "rolled back", "asked for"]
    assert database.a.count_documents({}) == 2
    assert caplog.text.count("keeps each operation atomic by itself") == 1


async def test_single_document_atomicity_with_asyncio(configure: Any) -> None:
    configure(STANDALONE="single-document")
    ran: list[str] = []
    async with aatomic():
        await connections["default"].async_database.a.insert_one({})
        on_commit(lambda: ran.append("committed"))
    assert ran == ["committed"]
    await connections["default"].aclose()


def test_a_server_that_becomes_a_replica_set(tmp_path: Path, settings: Any) -> None:
    """The abilities of a server are read again when it has changed."""
    with run_standalone(tmp_path) as port:
        entry = {"HOST": f"mongodb://127.0.0.1:{port}/", "NAME": "converted"}
        settings.DJONGO_SERVICES = {"CONNECTIONS": {"default": entry}}
        with pytest.raises(TransactionsUnsupported), atomic():
            pass
        assert not connections["default"].abilities.transactions
    with MongoServer(port=port):
        connections["default"].database.a.find_one()  # the driver finds the new one
        with pytest.raises(ZeroDivisionError), atomic():
            connections["default"].database.a.insert_one({})
            raise ZeroDivisionError
        assert connections["default"].database.a.count_documents({}) == 0
        assert connections["default"].abilities.transactions
        connections.close_all()


def test_a_server_that_cannot_be_reached(settings: Any) -> None:
    settings.DJONGO_SERVICES = {
        "CONNECTIONS": {
            "default": {
                "HOST": f"mongodb://127.0.0.1:{free_port()}/",
                "NAME": "nowhere",
                "OPTIONS": {"serverSelectionTimeoutMS": 50},
            }
        }
    }
    with pytest.raises(ConnectionFailure), atomic():
        pass
    connections.close_all()
