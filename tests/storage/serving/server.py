"""A web server in a separate process: ``python -m tests.storage.serving.server wsgi|asgi``.

It writes its port, alone on a line, and what it logs to stderr.
"""

from __future__ import annotations

import json
import os
import socket
import socketserver
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from pymongo.database import Database

from tests.transaction.conftest import uri_of

ROOT = Path(__file__).parents[3]
Kind = Literal["wsgi", "asgi"]


@dataclass(frozen=True, kw_only=True)
class Received:
    """The bytes that came over the connection before it ended."""

    status: int
    length: int
    """The announced length."""
    body: bytes
    received: int

    @property
    def complete(self) -> bool:
        return self.received == self.length


@dataclass(frozen=True, kw_only=True)
class RunningServer:
    port: int
    process: subprocess.Popen[str]
    database: Database[Any]
    """The database whose bucket ``fs`` it serves."""

    @contextmanager
    def asked(self, path: str, method: str = "GET", **headers: str) -> Iterator[socket.socket]:
        """The connection on which the request was sent."""
        named = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        with socket.create_connection(("127.0.0.1", self.port), timeout=60) as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)
            request = f"{method} {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{named}\r\n"
            connection.sendall(request.encode())
            yield connection

    def get(self, path: str, method: str = "GET", keep: bool = True, **headers: str) -> Received:
        with self.asked(path, method, **headers) as connection:
            return self.rest(connection, keep=keep)

    def rest(self, connection: socket.socket, begun: bytes = b"", keep: bool = True) -> Received:
        """All that comes after ``begun`` until the server closes the connection."""
        while b"\r\n\r\n" not in begun:
            begun += connection.recv(1024) or b"\r\n\r\n"
        head, _, body = begun.partition(b"\r\n\r\n")
        pieces, received = [body], len(body)
        with suppress(ConnectionResetError):
            while piece := connection.recv(1024 * 1024):
                received += len(piece)
                if keep:
                    pieces.append(piece)
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {
            name.lower(): value for name, _, value in (line.partition(": ") for line in lines)
        }
        return Received(
            status=int(first.split()[1]),
            length=int(headers.get("content-length", -1)),
            body=b"".join(pieces),
            received=received,
        )

    def peak_memory(self) -> int:
        """Bytes."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))


@contextmanager
def running_server(
    kind: Kind, database: Database[Any], middleware: Sequence[str] = ()
) -> Iterator[RunningServer]:
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.storage.serving.settings",
        "SERVED_URI": uri_of(database),
        "SERVED_DATABASE": database.name,
        "SERVED_MIDDLEWARE": json.dumps(middleware),
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.storage.serving.server", kind],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            assert process.stdout is not None
            port = int(process.stdout.readline())
            yield RunningServer(port=port, process=process, database=database)
        finally:
            process.kill()


class _ThreadingServer(socketserver.ThreadingMixIn, WSGIServer):
    daemon_threads = True


def main() -> None:
    if sys.argv[1] == "wsgi":
        from django.core.wsgi import get_wsgi_application

        server = _ThreadingServer(("127.0.0.1", 0), WSGIRequestHandler)
        server.set_app(get_wsgi_application())
        _say(server.server_port)
        server.serve_forever()
    else:
        import uvicorn
        from django.core.asgi import get_asgi_application

        listening = socket.create_server(("127.0.0.1", 0))
        _say(listening.getsockname()[1])
        config = uvicorn.Config(get_asgi_application(), lifespan="off", log_config=None)
        uvicorn.Server(config).run(sockets=[listening])


def _say(port: int) -> None:
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
