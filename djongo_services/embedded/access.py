"""Access control of an embedded server: the members' key and the administrator's password."""

from __future__ import annotations

import hashlib
import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from djongo_services.exceptions import EmbeddedServerError

ADMINISTRATOR = "root"


@dataclass(frozen=True, kw_only=True, slots=True)
class Access:
    """What opens a server that was started with access control."""

    key_file: Path
    """mongod's ``--keyFile``; readable by its owner alone."""
    key: str = field(repr=False)
    """Its content, and the password of the server's internal user ``__system``."""

    @property
    def password(self) -> str:
        """Of the user ``root``; the same as long as the folder is kept."""
        return hashlib.sha256(self.key.encode()).hexdigest()[:32]

    @property
    def internal_credentials(self) -> dict[str, str]:
        """MongoClient's arguments for the user that may do everything before there is any user."""
        return {"username": "__system", "password": self.key, "authSource": "local"}


def open_access(folder: Path) -> Access:
    """Read the folder's key, made at the first time. Raises EmbeddedServerError."""
    path = folder / "key"
    try:
        if not path.exists():
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
                file.write(secrets.token_hex(32))
        return Access(key_file=path, key=path.read_text().strip())
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise EmbeddedServerError(
            f"The key {path} cannot be read or made ({reason}); choose another folder."
        ) from error
