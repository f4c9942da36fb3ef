"""A web server in a process of its own: ``python -m tests.storage.serving.server wsgi|asgi``.

It writes its port, alone on a line, and what it logs to stderr.
"""

from __future__ import annotations

import json
import os
import socket
import socketserver
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from pymongo.database import Database

from tests.transaction.conftest import uri_of

ROOT = Path(__file__).parents[3]
Kind = Literal["wsgi", "asgi"]


@dataclass(frozen=True, kw_only=True)
class RunningServer:
    kind: Kind
    port: int
    process: subprocess.Popen[str]

    @contextmanager
    def asked(self, path: str, **headers: str) -> Iterator[socket.socket]:
        """The connection on which a GET was sent."""
        named = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        with socket.create_connection(("127.0.0.1", self.port), timeout=60) as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)
            request = f"GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{named}\r\n"
            connection.sendall(request.encode())
            yield connection

    def get(self, path: str, **headers: str) -> tuple[bytes, bytes]:
        """Head and body, up to where the server closed the connection."""
        with self.asked(path, **headers) as connection:
            received = b"".join(iter(lambda: connection.recv(1024 * 1024), b""))
        head, _, body = received.partition(b"\r\n\r\n")
        return head, body


@contextmanager
def running_server(
    kind: Kind, database: Database[Any], middleware: tuple[str, ...] = ()
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
            yield RunningServer(kind=kind, port=port, process=process)
        finally:
            process.kill()


class _ThreadingServer(socketserver.ThreadingMixIn, WSGIServer):
    daemon_threads = True


def main() -> None:
    if sys.argv[1] == "wsgi":
        from django.core.wsgi import get_wsgi_application

        server = _ThreadingServer(("127.0.0.1", 0), WSGIRequestHandler)
        server.set_app(get_wsgi_application())
        print(server.server_port, flush=True)
        server.serve_forever()
    else:
        import uvicorn
        from django.core.asgi import get_asgi_application

        listening = socket.create_server(("127.0.0.1", 0))
        print(listening.getsockname()[1], flush=True)
        config = uvicorn.Config(get_asgi_application(), lifespan="off", log_config=None)
        uvicorn.Server(config).run(sockets=[listening])


if __name__ == "__main__":
    main()
