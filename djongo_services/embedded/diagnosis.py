"""Why a mongod ended: a summary of its structured log (JSON lines since 4.4)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from typing import Any


class Cause(Enum):
    PORT_IN_USE = auto()
    FOLDER_IN_USE = auto()
    DISK_FULL = auto()
    NOT_WRITABLE = auto()
    OTHER_VERSION = auto()
    OTHER = auto()


_LAST_BYTES = 500_000
_LAST_LINES = 10
_LAST_CHARACTERS = 500


@dataclass(frozen=True, kw_only=True, slots=True)
class Diagnosis:
    """Why it ended, and the next step."""

    cause: Cause
    sentence: str


# Parts of the server's own messages, the most specific first.
_SIGNS = (
    (
        Cause.DISK_FULL,
        (
            "No space left on device",
            "Insufficient free space",
            "Disk quota exceeded",
            "Writing to log file failed",
        ),
    ),
    (Cause.FOLDER_IN_USE, ("DBPathInUse",)),
    (Cause.PORT_IN_USE, ("Address already in use",)),
    (
        Cause.OTHER_VERSION,
        (
            "featureCompatibilityVersion",
            "WT_TRY_SALVAGE",
            "unsupported WiredTiger file version",
            "Wrong mongod version",
            "IncompatibleServerVersion",
            "Invalid featureCompatibilityVersion",
        ),
    ),
    (
        Cause.NOT_WRITABLE,
        ("Permission denied", "read-only directory", "Read-only file system", "not permitted"),
    ),
)


def diagnose(log: Path, offset: int, output: Path, *, folder: Path, port: int) -> Diagnosis:
    """Read what the server wrote to its log after ``offset``, and to its standard output."""
    said = [*_messages(_tail(log, offset)), *_messages(_tail(output, 0))]
    for cause, signs in _SIGNS:
        if any(sign in message for sign in signs for message in said):
            return Diagnosis(cause=cause, sentence=_sentence(cause, folder, port))
    reason = said[-1].rstrip(".") if said else "it wrote no message"
    return Diagnosis(cause=Cause.OTHER, sentence=f"mongod ended at its start: {reason}.")


def last_words(log: Path) -> list[str]:
    """The last errors and fatal messages in a log, otherwise its last lines."""
    offset = max(0, log.stat().st_size - _LAST_BYTES) if log.exists() else 0
    text = _tail(log, offset)
    if offset:
        text = text.partition("\n")[2]  # The first line is incomplete.
    said = list(_messages(text)) or text.splitlines()
    return [" ".join(line.split())[:_LAST_CHARACTERS] for line in said[-_LAST_LINES:]]


def _sentence(cause: Cause, folder: Path, port: int) -> str:
    match cause:
        case Cause.PORT_IN_USE:
            return f"Port {port} is in use by another program; choose another port or leave it out."
        case Cause.FOLDER_IN_USE:
            return f"Another mongod uses the folder {folder}; stop it or choose another folder."
        case Cause.DISK_FULL:
            return f"The disk of {folder} is full; free some space or choose another folder."
        case Cause.NOT_WRITABLE:
            return f"mongod cannot write to {folder}; make it writable or choose another folder."
        case Cause.OTHER_VERSION:
            return (
                f"The data in {folder} was written by another version of MongoDB; start that "
                f"version or choose another folder."
            )
    raise AssertionError(cause)


def _messages(text: str) -> Iterator[str]:
    """Errors and fatal messages with their attributes; a line that is not JSON is a message
    itself."""
    for line in text.splitlines():
        try:
            entry: dict[str, Any] = json.loads(line)
        except ValueError:
            if not line.startswith(("BACKTRACE", "  Frame", "{")) and line.strip():
                yield line.strip()
            continue
        if entry.get("s") in ("E", "F"):
            yield _plain([entry.get("msg", ""), entry.get("attr", {})])


def _plain(value: Any) -> str:
    match value:
        case dict():
            return _plain(list(value.values()))
        case list():
            return " ".join(_plain(part) for part in value if part != {})
    return str(value)


def _tail(path: Path, offset: int) -> str:
    try:
        with path.open("rb") as file:
            file.seek(offset)
            return file.read(4_000_000).decode(errors="replace")
    except OSError:
        return ""
