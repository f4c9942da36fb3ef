"""What the file storage raises."""

from __future__ import annotations

from djongo_services.exceptions import DjongoServicesError


class StorageError(DjongoServicesError):
    """The file cannot be stored or read."""


class NoFile(StorageError, FileNotFoundError):
    """There is no such file."""


class FileExists(StorageError, FileExistsError):
    """A file with this id exists already."""


class NameTaken(FileExists):
    """Somebody else stored a file of this name at the same time."""


class CorruptFile(StorageError):
    """The chunks of a file are not what its files document says."""


class FileChanged(CorruptFile):
    """The file was deleted or replaced while it was read."""


class UploadInterrupted(StorageError):
    """The server lost a part of an upload; nothing of it was stored."""
