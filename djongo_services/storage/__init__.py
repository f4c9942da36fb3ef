"""Files in MongoDB: Django's storage on GridFS."""

from __future__ import annotations

from djongo_services.storage.errors import (
    CorruptFile,
    FileChanged,
    FileExists,
    NameTaken,
    NoFile,
    NotEncrypted,
    StorageError,
    UploadInterrupted,
)
from djongo_services.storage.gridfs import GridFSStorage

__all__ = [
    "CorruptFile",
    "FileChanged",
    "FileExists",
    "GridFSStorage",
    "NameTaken",
    "NoFile",
    "NotEncrypted",
    "StorageError",
    "UploadInterrupted",
]
