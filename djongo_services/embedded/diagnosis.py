"""Why a mongod ended: its structured log (JSON lines since 4.4) in one sentence."""

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


@dataclass(frozen=True, kw_only=True, slots=True)
class Diagnosis:
    """Why it ended, and what to do."""

    cause: Cause
    sentence: str


# What the server's own words contain, most telling first.
_SIGNS = (
    (
        Cause.DISK_FULL,
        ("No space left on device", "Insufficient free space", "Disk quota exceeded"),
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
    said = [*_log_messages(log, offset), *_output_messages(output)]
    for cause, signs in _SIGNS:
        if any(sign in message for sign in signs for message in said):
            return Diagnosis(cause=cause, sentence=_sentence(cause, folder, port, log))
    last = said[-1].rstrip(".") if said else "it said nothing"
    return Diagnosis(
        cause=Cause.OTHER, sentence=f"mongod ended at its start: {last}; its log is {log}."
    )


def _sentence(cause: Cause, folder: Path, port: int, log: Path) -> str:
    match cause:
        case Cause.PORT_IN_USE:
            return f"Port {port} is in use by another program; choose another port or leave it out."
        case Cause.FOLDER_IN_USE:
            return f"Another mongod uses the folder {folder}; stop it or choose another folder."
        case Cause.DISK_FULL:
            return f"The disk of {folder} is full; free some space or choose another folder."
        case Cause.NOT_WRITABLE:
            return f"mongod may not write to {folder}; make it writable or choose another folder."
        case Cause.OTHER_VERSION:
            return (
                f"The data in {folder} was written by another version of MongoDB; start that "
                f"version or choose another folder (log: {log})."
            )
    raise AssertionError(cause)


def _log_messages(log: Path, offset: int) -> Iterator[str]:
    """Errors and fatal messages, with their attributes."""
    for line in _tail(log, offset).splitlines():
        try:
            entry: dict[str, Any] = json.loads(line)
        except ValueError:
            continue  # a backtrace or a line that the full disk has cut
        if entry.get("s") in ("E", "F") or entry.get("id") == _ENDING:
            yield f"{entry.get('msg', '')} {_plain(entry.get('attr', {}))}".strip()


_ENDING = 20557
"""The id of "DBException in initAndListen, terminating"."""


def _plain(attributes: Any) -> str:
    match attributes:
        case dict():
            return " ".join(_plain(value) for value in attributes.values())
        case list():
            return " ".join(_plain(value) for value in attributes)
    return str(attributes)


def _output_messages(output: Path) -> list[str]:
    lines = _tail(output, 0).splitlines()
    return [line for line in lines if line.strip() and not line.startswith("{")][-5:]


def _tail(path: Path, offset: int) -> str:
    try:
        with path.open("rb") as file:
            file.seek(offset)
            return file.read(4_000_000).decode(errors="replace")
    except OSError:
        return ""
