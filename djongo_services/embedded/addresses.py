"""Where members are reached: host, free ports, the replica set's name."""

from __future__ import annotations

import secrets
import socket

from djongo_services.exceptions import EmbeddedServerError

HOST = "127.0.0.1"
REPLICA_SET = "embedded"
# Below the ranges that Linux (32768) and macOS (49152) use for outgoing connections: a client
# that tries to reach a stopped member must never be given that member's port as its own.
_FIRST, _COUNT = 20_000, 12_000
_ATTEMPTS = 200


def free_port() -> int:
    """A port that nobody listens on now; somebody may take it before the caller does.

    Raises EmbeddedServerError when none is found.
    """
    for _ in range(_ATTEMPTS):
        port = _FIRST + secrets.randbelow(_COUNT)
        if is_free(port):
            return port
    raise EmbeddedServerError(
        f"No free port was found on {HOST} from {_FIRST} to {_FIRST + _COUNT - 1}; give one."
    )


def is_free(port: int) -> bool:
    """Whether a server could listen on ``port`` of the loopback interface."""
    with socket.socket() as probe:
        # As mongod does: connections that are only being closed are no obstacle.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True
