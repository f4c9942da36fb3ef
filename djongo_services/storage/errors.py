"""The exceptions of the file storage, and how the server's errors become them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pymongo.errors import PyMongoError

from djongo_services.exceptions import DjongoServicesError
from djongo_services.server_errors import DUPLICATE_KEY


class StorageError(DjongoServicesError):
    """The file cannot be stored or read."""


class NoFile(StorageError, FileNotFoundError):
    """There is no such file."""


class FileExists(StorageError, FileExistsError):
    """A file with this id exists already."""


class NameTaken(FileExists):
    """Another client stored a file with this name at the same time."""


class CorruptFile(StorageError):
    """The chunks of a file do not match its files document."""


class FileChanged(CorruptFile):
    """The file was deleted or replaced while it was read."""


class NotEncrypted(StorageError):
    """A file is not encrypted, although its storage encrypts."""


class UploadInterrupted(StorageError):
    """The server lost part of an upload; nothing of it was stored."""


def name_taken(filename: str | None) -> NameTaken:
    return NameTaken(
        f"Another client stored a file {filename!r} at the same time; try again to get another "
        f"name."
    )


def file_exists(files_id: Any) -> FileExists:
    return FileExists(f"A file with the id {files_id!r} exists already; it was left as it is.")


def file_changed(filename: str | None, files_id: Any) -> FileChanged:
    return FileChanged(f"The file {filename!r} (id {files_id!r}) was deleted while it was read.")


def upload_interrupted(filename: str | None) -> UploadInterrupted:
    return UploadInterrupted(
        f"The primary changed while {filename!r} was uploaded, and part of it was lost; nothing "
        f"was stored. Upload it again."
    )


def is_taken_name(error: Mapping[str, Any] | None) -> bool:
    """Whether a duplicate key, as the server describes it, is a file's name."""
    pattern = (error or {}).get("keyPattern") or {}
    return "filename" in pattern or "metadata.aliases.name" in pattern


def is_duplicate(error: PyMongoError) -> bool:
    """Whether an insert stopped at its first document because of a duplicate key."""
    details = getattr(error, "details", None) or {}
    errors = details.get("writeErrors") or [details]
    return bool(errors[0].get("code") == DUPLICATE_KEY and errors[0].get("index", 0) == 0)
