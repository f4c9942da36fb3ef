"""The base classes of the services' exceptions; each docstring is the default message."""

from __future__ import annotations

import inspect


class DjongoServicesError(Exception):
    """The operation failed."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or inspect.cleandoc(type(self).__doc__ or "").partition("\n")[0])


class ServerUnavailable(DjongoServicesError):
    """The MongoDB server cannot be reached."""


class PermissionMissing(DjongoServicesError):
    """The database user lacks a privilege."""


class CollectionNotFound(DjongoServicesError):
    """The collection does not exist."""


class EmbeddedServerError(DjongoServicesError):
    """The embedded server cannot be started."""
