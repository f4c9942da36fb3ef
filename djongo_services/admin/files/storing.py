"""New content through the project's own storages, so that their options hold for it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.core.exceptions import SuspiciousFileOperation
from django.core.files.uploadedfile import UploadedFile

from djongo_services.admin.files.address import BucketAddress
from djongo_services.admin.files.homes import Home, bucket_storage, home_of
from djongo_services.storage import GridFSStorage, StorageError
from djongo_services.storage.bucket import StoredFile
from djongo_services.storage.names import Location


class NoName(StorageError):
    """A file cannot have this name."""


def save(storage: GridFSStorage, folder: str, uploaded: UploadedFile[Any]) -> StoredFile:
    """Under its own name, or one that is free. Raises NoName, and what storing raises."""
    name = "/".join(part for part in (folder.strip().strip("/"), uploaded.name or "") if part)
    try:
        storage.full_name(name)
        return storage.stored(storage.save(name, uploaded))
    except SuspiciousFileOperation as error:
        raise NoName(str(error)) from error


def replace(address: BucketAddress, filename: str, uploaded: UploadedFile[Any]) -> StoredFile:
    """Store new content under a name that a file has.

    What becomes of the old content is up to the storage: it goes, or stays as a revision.
    """
    home = home_of(address, filename)
    storage = home.storage if home is not None else bucket_storage(address)
    name = storage.place.name(filename)
    if not is_name(name) or storage.full_name(name) != filename:
        raise NoName(f"A storage has no file of the name {filename!r}; rename it first.")
    with storage.open(name, "wb") as target:
        for piece in _pieces(uploaded):
            target.write(piece)
    return storage.stored(name)


def is_name(filename: str) -> bool:
    """Whether a storage could have a file of this name, in this very form."""
    try:
        return bool(filename) and Location("").filename(filename) == filename
    except SuspiciousFileOperation:
        return False


def keeps_revisions(home: Home | None) -> bool:
    return home is not None and home.storage.options.keep_revisions


def _pieces(uploaded: UploadedFile[Any]) -> Iterable[bytes]:
    for piece in uploaded.chunks():
        yield piece.encode("utf-8") if isinstance(piece, str) else piece
