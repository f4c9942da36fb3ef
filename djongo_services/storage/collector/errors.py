"""What the collector raises beside PyMongo's errors and those of the lease."""

from __future__ import annotations

from djongo_services.exceptions import DjongoServicesError
from djongo_services.storage.errors import StorageError


class BucketUnusable(StorageError):
    """The collector cannot work on this bucket."""


class ReferencesUnreadable(StorageError):
    """It cannot be determined which files are in use."""


class UnknownReferenceModel(StorageError):
    """There is no such model."""


class NotInTrash(StorageError):
    """There is no such entry in the trash."""


class NotRestored(StorageError):
    """It cannot come back from the trash."""


class CollectorInterrupted(DjongoServicesError):
    """Stopped by the user; what was done stays done."""
