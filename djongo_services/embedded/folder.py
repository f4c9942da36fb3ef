"""Where an embedded server keeps its files.

``<folder>/member0/data`` and ``<folder>/member0/mongod.log`` for each member, ``<folder>/lock``
with the process id of the program that uses it, ``<folder>/version`` with its server's version.
"""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from pathlib import Path

from djongo_services.exceptions import EmbeddedServerError

MINIMUM_FREE = 128 * 1024 * 1024
"""Bytes that a new member needs; measured: 101 MB, nearly all for the journal's first file."""
MEMORY = Path("/dev/shm")  # noqa: S108 - mkdtemp makes a private folder there
"""The folder in memory on Linux."""
MEMORY_FREE = 4 * 1024 * 1024 * 1024
"""Bytes that must be free there, so that data does not use the memory of programs."""


def make_temporary_folder(*, in_memory: bool = False) -> Path:
    """A private folder for the links, logs and, if nothing is kept, the data.

    ``in_memory`` is a preference: if there is not enough memory, the folder is on the disk.
    """
    parent = MEMORY if in_memory and _has_room(MEMORY) else None
    try:
        return Path(tempfile.mkdtemp(prefix="djongo-services-mongod-", dir=parent))
    except OSError as error:
        raise EmbeddedServerError(_sentence(Path(tempfile.gettempdir()), error)) from error


def prepare_folder(folder: Path, members: int, version: str) -> list[Path]:
    """Create the members' folders and return them.

    Raises EmbeddedServerError if the folder cannot be written, its disk is full, or it belongs to a
    server with another number of members or a newer version.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "lock").touch(mode=0o600)
        present = len(list(folder.glob("member*")))
        _refuse_other_size(folder, present, members)
        _refuse_newer_data(folder, version)
        _refuse_full_disk(folder, members - present)
        places = [folder / f"member{number}" for number in range(members)]
        for place in places:
            place.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise EmbeddedServerError(_sentence(folder, error)) from error
    return places


def _has_room(folder: Path) -> bool:
    try:
        return shutil.disk_usage(folder).free >= MEMORY_FREE and os.access(folder, os.W_OK)
    except OSError:
        return False


def _refuse_other_size(folder: Path, present: int, members: int) -> None:
    if present not in (0, members):
        raise EmbeddedServerError(
            f"The folder {folder} contains a server with {present} "
            f"member{'' if present == 1 else 's'}, not {members}; "
            f"start it with members={present} or choose another folder."
        )


def remember_version(folder: Path, version: str) -> None:
    """Record that a server of this version has used the data. Raises EmbeddedServerError."""
    try:
        (folder / "version").write_text(f"{version}\n")
    except OSError as error:
        raise EmbeddedServerError(_sentence(folder, error)) from error


def _refuse_newer_data(folder: Path, version: str) -> None:
    """Refuse data that an older mongod cannot read; some versions report that, 4.4 hangs."""
    marker = folder / "version"
    written_by = marker.read_text().strip() if marker.exists() else ""
    if _series(written_by) > _series(version):
        raise EmbeddedServerError(
            f"The data in {folder} was written by MongoDB {written_by}, which is newer than "
            f"{version}; start it with version {written_by} or choose another folder."
        )


def _series(version: str) -> list[int]:
    """``6.0.27`` is ``[6, 0]``: patch releases read each other's data."""
    return [int(number) for number in version.split(".")[:2] if number.isdigit()]


def _refuse_full_disk(folder: Path, new_members: int) -> None:
    needed = MINIMUM_FREE * max(0, new_members)
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise EmbeddedServerError(
            f"The disk of {folder} has {free >> 20} MB free and the server needs "
            f"{needed >> 20} MB; free some space or choose another folder."
        )


def _sentence(folder: Path, error: OSError) -> str:
    match error.errno:
        case errno.ENOSPC | errno.EDQUOT:
            return f"The disk of {folder} is full; free some space or choose another folder."
        case errno.ENOTDIR | errno.EEXIST:
            return f"{error.filename or folder} is not a folder; choose another one."
    reason = (error.strerror or str(error)).lower()
    return f"The folder {folder} is not writable ({reason}); choose another one."
