"""What the collector raises beside PyMongo's errors and those of the lease."""

from __future__ import annotations

from djongo_services.exceptions import DjongoServicesError
from djongo_services.storage.errors import StorageError


class BucketUnusable(StorageError):
    """The collector cannot work on this bucket."""


class ReferencesUnreadable(StorageError):
    """It cannot be told which files are in use."""


class UnknownModel(StorageError):
    """There is no such model."""


class NotInTrash(StorageError):
    """There is no such entry in the trash."""


class NotRestored(StorageError):
    """It cannot come back from the trash."""


class Interrupted(DjongoServicesError):
    """Stopped by the user; what was done stays done."""
