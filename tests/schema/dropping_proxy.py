"""A network that loses one command, or the answer to it."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Literal

Lost = Literal["command", "answer"]


class DroppingProxy:
    """Forwards connections to a server, and closes the one that first sends ``command``.

    The server never sees the command when that is lost; it has carried it out when only the
    answer is.
    """

    def __init__(self, port: int, command: str, collections: tuple[str, ...], lost: Lost) -> None:
        # OP_MSG begins with its command: a string element of that name, the collection its value.
        names = "|".join(collections)
        self._wanted = re.compile(rf"\x02{command}\x00....({names})\x00".encode(), re.DOTALL)
        self._lost = lost
        self._server = ("127.0.0.1", port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._sockets: list[socket.socket] = [self._listener]
        self.port: int = self._listener.getsockname()[1]
        self.dropped = 0

    def serve(self) -> None:
        with suppress(OSError):  # The listener is closed.
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(self._server)
                self._sockets += [client, server]
                armed = threading.Event()
                for work in (self._to_server, self._to_client):
                    threading.Thread(target=work, args=(client, server, armed), daemon=True).start()

    def close(self) -> None:
        for one in self._sockets:
            _end(one)

    def _to_server(self, client: socket.socket, server: socket.socket, armed: threading.Event):
        with suppress(OSError):
            while data := client.recv(1 << 20):
                if not self.dropped and self._wanted.search(data):
                    self.dropped += 1
                    armed.set()
                    if self._lost == "command":
                        break
                server.sendall(data)
        _end(client)
        _end(server)

    def _to_client(self, client: socket.socket, server: socket.socket, armed: threading.Event):
        with suppress(OSError):
            while data := server.recv(1 << 20):
                if armed.is_set():
                    break
                client.sendall(data)
        _end(client)
        _end(server)


@contextmanager
def dropping_proxy(
    port: int, command: str, collections: tuple[str, ...], lost: Lost
) -> Iterator[DroppingProxy]:
    proxy = DroppingProxy(port, command, collections, lost)
    acceptor = threading.Thread(target=proxy.serve, daemon=True)
    acceptor.start()
    try:
        yield proxy
    finally:
        proxy.close()
        acceptor.join(5)


def _end(one: socket.socket) -> None:
    with suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    one.close()
