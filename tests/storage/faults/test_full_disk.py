"""The server's disk gets full in the middle of an upload: what was there stays whole."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.files.base import ContentFile
from pymongo.errors import OperationFailure, PyMongoError
from pymongo.read_concern import ReadConcern

from djongo_services.connections import connections
from djongo_services.embedded import MongoServer
from djongo_services.storage import GridFSStorage, UploadInterrupted
from djongo_services.storage.collector import References, collect
from tests.storage.faults.conftest import Mongo, orphans, sound
from tests.transaction.conftest import failing

MB = 1024 * 1024
OUT_OF_DISK_SPACE = 14031
NAME = "test_files"


class Disk:
    """A file system in memory, of a given size."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def mount(self, size: str, *options: str) -> None:
        command = ["mount", "-t", "tmpfs", "-o", ",".join([f"size={size}", *options]), "none"]
        subprocess.run([*command, self.folder], check=True, capture_output=True)

    def unmount(self) -> None:
        subprocess.run(["umount", "--lazy", self.folder], check=True)

    @property
    def free(self) -> int:
        """Bytes."""
        found = os.statvfs(self.folder)
        return found.f_bavail * found.f_frsize


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    disk = Disk(tmp_path)
    try:
        disk.mount("300m")
    except (OSError, subprocess.CalledProcessError) as error:
        # What does not need one, test_the_server_refuses_more, runs everywhere.
        pytest.skip(f"A disk of its own can be mounted by root on Linux only: {error}")
    yield disk
    disk.unmount()


@contextmanager
def connected(server: MongoServer, settings: Any) -> Iterator[Mongo]:
    options = {"serverSelectionTimeoutMS": 3000}
    entry = {"HOST": server.uri, "NAME": NAME, "OPTIONS": options}
    settings.DJONGO_SERVICES = {"CONNECTIONS": {"default": entry}}
    try:
        with server.client() as client:
            yield client.get_database(NAME, read_concern=ReadConcern("majority"))
    finally:
        connections.close_all()


def noise(megabytes: int) -> Iterator[bytes]:
    """Bytes that cannot be compressed."""
    for _ in range(megabytes):
        yield os.urandom(MB)


def test_the_server_dies_of_it(disk: Disk, settings: Any) -> None:
    """As mongod does when it cannot write."""
    folder = disk.folder / "server"
    with MongoServer(path=folder) as server, connected(server, settings):
        GridFSStorage().save("first", ContentFile(b"content"))
        with pytest.raises((PyMongoError, UploadInterrupted)):
            GridFSStorage().save("second", noise(1000))
        assert disk.free < 32 * MB  # mongod gives back some of it when it ends

    disk.mount("800m", "remount")
    with MongoServer(path=folder) as server, connected(server, settings) as outside:
        assert sound(outside) == {"first": 7}
        assert GridFSStorage().save("second", noise(3)) == "second"
        assert sound(outside) == {"first": 7, "second": 3 * MB}
        database = connections["default"].database
        collect(database, references=References(), older_than=timedelta(0), keep_in_trash=False)
        assert orphans(outside) == 0
        assert sound(outside) == {"first": 7, "second": 3 * MB}


@pytest.mark.parametrize("written", [0, 4, 9])
def test_the_server_refuses_more(mongo: Mongo, outside: Mongo, written: int) -> None:
    """As servers do that check their disk before they write."""
    storage = GridFSStorage()
    storage.save("first", ContentFile(b"content"))
    with ExitStack() as stack:

        def source() -> Iterator[bytes]:
            yield from noise(written)
            fails = failing(outside.client, "insert", times=1, errorCode=OUT_OF_DISK_SPACE)
            stack.enter_context(fails)
            yield from noise(1)

        with pytest.raises(OperationFailure) as caught:
            storage.save("second", source())
    assert caught.value.code == OUT_OF_DISK_SPACE
    assert sound(outside) == {"first": 7}
    assert orphans(mongo) == 0
    storage.save("second", noise(1))
    assert sound(outside) == {"first": 7, "second": MB}
