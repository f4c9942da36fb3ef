"""Files of 1 MB over HTTP: from the bucket, compared with WhiteNoise with copies on disk.

Requests per second over ``CONNECTIONS`` connections that are kept open, in rounds that alternate;
medians. All servers run at the same time, each with ``WORKERS`` processes; the database, the
servers and the clients share the machine. gunicorn, uvicorn and WhiteNoise install themselves into
``benchmarks/node_modules/.serving``.
"""

from __future__ import annotations

import os
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pymongo import MongoClient

from djongo_services.storage.bucket import Bucket

HERE = Path(__file__).parent
FOLDER = HERE / "node_modules" / ".serving"
PACKAGES = ("gunicorn==27.0.1", "httptools==0.9.0", "uvicorn==0.54.0", "uvloop==0.23.0")
WHITENOISE = "whitenoise==6.12.0"
DATABASE = "benchmark_serving"
FILES = 64
SIZE = 1024 * 1024
WORKERS, THREADS = 2, 4
CONNECTIONS = 8
REQUESTS = 400
"""The number of requests in one round."""

DISK = "WhiteNoise on disk, gunicorn"
BY_HAND = "PyMongo's GridOut, gunicorn"

Row = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Contestant:
    port: int
    prefix: str


def run(uri: str, repeats: int = 5) -> list[Row]:
    _install()
    with ExitStack() as stack:
        client = stack.enter_context(MongoClient[dict[str, Any]](uri))
        client.drop_database(DATABASE)
        stack.callback(client.drop_database, DATABASE)
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        _fill(Bucket(client[DATABASE]), folder)
        rates = _interleaved(_servers(stack, uri, folder), repeats)
    return [
        {
            "name": f"serve files of 1 MB, {ours}",
            "ours": rates[ours],
            "peer_name": peer,
            "peer": rates[peer],
            "unit": "requests/s",
            "ratio": rates[ours] / rates[peer],
            "target": None,
            "reached": None,
        }
        for ours, peer in (("gunicorn", DISK), ("uvicorn", DISK), ("gunicorn", BY_HAND))
    ]


def _fill(bucket: Bucket, folder: Path) -> None:
    chance = random.Random(1)
    for number in range(FILES):
        content = chance.randbytes(SIZE)
        bucket.upload(f"{number}.bin", content)
        (folder / f"{number}.bin").write_bytes(content)


def _servers(stack: ExitStack, uri: str, folder: Path) -> dict[str, Contestant]:
    def start(application: str, *command: str) -> int:
        return stack.enter_context(_server(uri, folder, application, command))

    gunicorn = ("gunicorn", "--workers", str(WORKERS), "--threads", str(THREADS))
    uvicorn = ("uvicorn", "--workers", str(WORKERS), "--no-access-log", "--lifespan", "off")
    under_gunicorn = start("application", *gunicorn, "--log-level", "error")
    whitenoise = start("whitenoise", *gunicorn, "--log-level", "error")
    under_uvicorn = start("asgi", *uvicorn, "--log-level", "error")
    return {
        "gunicorn": Contestant(port=under_gunicorn, prefix="media"),
        "uvicorn": Contestant(port=under_uvicorn, prefix="media"),
        DISK: Contestant(port=whitenoise, prefix="disk"),
        BY_HAND: Contestant(port=under_gunicorn, prefix="pymongo"),
    }


@contextmanager
def _server(uri: str, folder: Path, application: str, command: tuple[str, ...]) -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    environment = {
        **os.environ,
        "PYTHONPATH": f"{FOLDER}{os.pathsep}{HERE.parent}",
        "SERVED_URI": uri,
        "SERVED_DATABASE": DATABASE,
        "SERVED_FOLDER": str(folder),
    }
    program, *options = command
    bind = ["--bind", f"127.0.0.1:{port}"] if program == "gunicorn" else ["--port", str(port)]
    process = subprocess.Popen(
        [sys.executable, "-m", program, *options, *bind, f"benchmarks.serving_site:{application}"],
        cwd=HERE.parent,
        env=environment,
    )
    try:
        _wait_until_answering(process, port)
        yield port
    finally:
        process.terminate()
        process.wait(30)


def _wait_until_answering(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError as error:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("A server of the benchmark did not start.") from error
            time.sleep(0.05)
        else:
            return


def _interleaved(contestants: dict[str, Contestant], repeats: int) -> dict[str, float]:
    rates: dict[str, list[float]] = {name: [] for name in contestants}
    for contestant in contestants.values():
        _round(contestant, REQUESTS // 4)  # connections are open, and the files in memory
    for _ in range(repeats):
        for name, contestant in contestants.items():
            rates[name].append(REQUESTS / _round(contestant, REQUESTS))
    return {name: statistics.median(found) for name, found in rates.items()}


def _round(contestant: Contestant, requests: int) -> float:
    """The seconds that all of them took."""
    failures: list[BaseException] = []

    def ask(numbers: range) -> None:
        try:
            _ask(contestant, numbers)
        except BaseException as error:  # noqa: BLE001 - raised below
            failures.append(error)

    began = time.perf_counter()
    threads = [
        threading.Thread(target=ask, args=(range(first, requests, CONNECTIONS),))
        for first in range(CONNECTIONS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return time.perf_counter() - began


def _ask(contestant: Contestant, numbers: range) -> None:
    buffer = bytearray(SIZE + 65536)
    connection = None
    try:
        for number in numbers:
            if connection is None:
                connection = socket.create_connection(("127.0.0.1", contestant.port), timeout=60)
            path = f"/{contestant.prefix}/{number % FILES}.bin"
            connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            if not _receive(connection, buffer):
                connection.close()
                connection = None
    finally:
        if connection is not None:
            connection.close()


def _receive(connection: socket.socket, buffer: bytearray) -> bool:
    """Read one whole response, and return whether the connection is kept open."""
    view = memoryview(buffer)
    received = end = 0
    while not end:
        received += _more(connection, view[received:])
        end = buffer.find(b"\r\n\r\n", 0, received) + 4 if b"\r\n\r\n" in buffer[:received] else 0
    head = bytes(buffer[:end]).lower()
    if not head.startswith(b"http/1.1 200 ") or f"content-length: {SIZE}".encode() not in head:
        raise RuntimeError(f"A server of the benchmark answered {head[:100]!r}.")
    while received < end + SIZE:
        received += _more(connection, view[received:])
    return b"connection: close" not in head


def _more(connection: socket.socket, view: memoryview) -> int:
    taken = connection.recv_into(view)
    if not taken:
        raise RuntimeError("A server of the benchmark ended a connection too early.")
    return taken


def _install() -> None:
    if not (FOLDER / "whitenoise").exists():
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(FOLDER)]
        subprocess.run([*command, *PACKAGES, WHITENOISE], check=True, stdout=subprocess.DEVNULL)
