"""The addresses of members: host, free ports, the replica set's name, key and password."""

from __future__ import annotations

import hashlib
import os
import secrets
import socket
from dataclasses import dataclass, field
from pathlib import Path

from djongo_services.exceptions import EmbeddedServerError

HOST = "127.0.0.1"
REPLICA_SET = "embedded"
# Below the ranges that Linux (32768) and macOS (49152) use for outgoing connections: a client that
# tries to reach a stopped member must never get that member's port as its own.
_FIRST, _COUNT = 20_000, 12_000
_ATTEMPTS = 200


def free_port() -> int:
    """A free port; another process may take it before the caller does.

    Raises EmbeddedServerError if there is none.
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
        # As in mongod: connections that are only being closed do not matter.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


# Access control: the members' key and the administrator's password.
ADMINISTRATOR = "root"


@dataclass(frozen=True, kw_only=True, slots=True)
class Access:
    """The credentials of a server that was started with access control."""

    key_file: Path
    """mongod's ``--keyFile``; readable only by its owner."""
    key: str = field(repr=False)
    """Its content, and the password of the server's internal user ``__system``."""

    @property
    def password(self) -> str:
        """The password of the user ``root``; the same as long as the folder is kept."""
        return hashlib.sha256(self.key.encode()).hexdigest()[:32]

    @property
    def internal_credentials(self) -> dict[str, str]:
        """MongoClient's arguments for the user that may do everything before any user exists."""
        return {"username": "__system", "password": self.key, "authSource": "local"}


def open_access(folder: Path) -> Access:
    """Read the folder's key, or create it the first time. Raises EmbeddedServerError."""
    path = folder / "key"
    try:
        if not path.exists():
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
                file.write(secrets.token_hex(32))
        return Access(key_file=path, key=path.read_text().strip())
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise EmbeddedServerError(
            f"The key {path} cannot be read or created ({reason}); choose another folder."
        ) from error
