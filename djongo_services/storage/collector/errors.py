"""The collector's own exceptions, beside PyMongo's and those of the lease."""

from __future__ import annotations

from djongo_services.exceptions import DjongoServicesError
from djongo_services.storage.errors import StorageError


class BucketUnusable(StorageError):
    """The collector cannot work on this bucket."""


class ReferencesUnreadable(StorageError):
    """It cannot be determined which files are in use."""


class UnknownReferenceModel(StorageError):
    """The model does not exist."""


class NotInTrash(StorageError):
    """The trash has no such entry."""


class NotRestored(StorageError):
    """The file cannot be restored from the trash."""


class CollectorInterrupted(DjongoServicesError):
    """The user stopped the run; completed work is kept."""
