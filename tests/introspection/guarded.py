"""A replica set of one that asks for a password, for what privileges change."""

from __future__ import annotations

import base64
import os
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pymongo import MongoClient
from pymongo.errors import PyMongoError

from djongo_services.embedded.addresses import free_port
from djongo_services.embedded.binary import find_binary

PASSWORD = "secret"
Client = MongoClient[dict[str, Any]]


class GuardedServer:
    """Users are made with :meth:`user`; ``root`` may do everything."""

    def __init__(self, port: int) -> None:
        self.port = port

    def client(self, user: str) -> Client:
        return MongoClient(
            "127.0.0.1", self.port, username=user, password=PASSWORD, replicaSet="guarded"
        )

    @contextmanager
    def user(self, privileges: Sequence[Any] = (), roles: Sequence[Any] = ()) -> Iterator[Client]:
        """A client of a user with exactly these."""
        with self.client("root") as root:
            root.admin.command("createRole", "just this", privileges=privileges, roles=roles)
            root.admin.command("createUser", "someone", pwd=PASSWORD, roles=["just this"])
            try:
                with self.client("someone") as client:
                    yield client
            finally:
                root.admin.command("dropUser", "someone")
                root.admin.command("dropRole", "just this")


@contextmanager
def guarded_server(folder: Path, version: str) -> Iterator[GuardedServer]:
    binary = find_binary(version, folder / "lib")
    key, data, port = folder / "key", folder / "data", free_port()
    key.write_bytes(base64.b64encode(os.urandom(300)))
    key.chmod(0o600)
    data.mkdir()
    command = [str(binary.path), "--port", str(port), "--bind_ip", "127.0.0.1", "--auth"]
    command += ["--replSet", "guarded", "--keyFile", str(key), "--dbpath", str(data)]
    command += ["--logpath", str(folder / "log"), "--wiredTigerCacheSizeGB", "0.25"]
    command += ["--nounixsocket", "--setParameter", "enableTestCommands=1"]
    process = subprocess.Popen(command, env=dict(binary.environment), stdout=subprocess.DEVNULL)
    try:
        _initiate(port)
        yield GuardedServer(port)
    finally:
        process.terminate()
        process.wait(20)


def _initiate(port: int) -> None:
    """A server without users lets a client on its own machine make the first one."""
    config = {"_id": "guarded", "members": [{"_id": 0, "host": f"127.0.0.1:{port}"}]}
    with Client("127.0.0.1", port, directConnection=True) as client:
        client.admin.command("replSetInitiate", config)
        deadline = time.monotonic() + 20
        while True:
            try:
                client.admin.command("createUser", "root", pwd=PASSWORD, roles=["root"])
            except PyMongoError:
                # It is not primary yet.
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.01)
            else:
                return
