"""Where the demo keeps its data, and where its MongoDB server is.

The environment may set both: ``MONGODB_URI`` (a real server), ``MONGODB_NAME`` (the database) and
``DEMO_VAR`` (the folder). Otherwise the server is the embedded one of a running ``manage.py demo``,
which records its address in the folder; without a record, it is one that was started with
``manage.py mongod --port 27117``.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

VAR = Path(os.environ.get("DEMO_VAR") or Path(__file__).resolve().parent / "var")
RECORD = VAR / "uri"
REPORTS = VAR / "reports"
DEMO_USER = "admin"
"""The superuser, and the password: suitable for a site on the loopback interface only."""
UNRECORDED_URI = "mongodb://127.0.0.1:27117/"


def mongodb_uri() -> str:
    if given := os.environ.get("MONGODB_URI"):
        return given
    try:
        return RECORD.read_text("utf-8").strip() or UNRECORDED_URI
    except FileNotFoundError:
        return UNRECORDED_URI


def mongodb_name() -> str:
    return os.environ.get("MONGODB_NAME") or "field_notes"


def secret_key() -> str:
    """The secret key, created once and kept with the data, so that sessions survive a restart."""
    path = VAR / "secret_key"
    with contextlib.suppress(FileNotFoundError):
        if kept := path.read_text("utf-8"):
            return kept
    VAR.mkdir(parents=True, exist_ok=True)
    made = secrets.token_urlsafe(50)
    write_whole(path, made, mode=0o600)
    return made


@contextlib.contextmanager
def recorded(uri: str) -> Iterator[None]:
    """Inside the block, other commands of the demo find the server at ``uri``."""
    VAR.mkdir(parents=True, exist_ok=True)
    write_whole(RECORD, uri)
    try:
        yield
    finally:
        RECORD.unlink(missing_ok=True)


def write_whole(path: Path, text: str, *, mode: int = 0o644) -> None:
    """Write a temporary file, then rename it: a reader sees the old text or the new, never a
    part."""
    aside = path.with_name(f"{path.name}.{os.getpid()}")
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(aside, path)
