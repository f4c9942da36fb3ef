"""Request bodies that stream into a bucket while they arrive."""

from __future__ import annotations

from djongo_services.storage.uploads.files import GridFSUploadedFile, RefusedFile, TooLarge
from djongo_services.storage.uploads.handler import GridFSUploadHandler
from djongo_services.storage.uploads.progress import UploadProgress

__all__ = [
    "GridFSUploadHandler",
    "GridFSUploadedFile",
    "RefusedFile",
    "TooLarge",
    "UploadProgress",
]
