"""What a storage must have for its files to be served."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator
from typing import Any, Protocol

from django.core.exceptions import ImproperlyConfigured
from django.core.files.storage import storages
from django.http import HttpRequest

from djongo_services.storage.bucket.file import StoredFile

Permission = Callable[[HttpRequest, str, StoredFile], bool | Awaitable[bool]]
"""Takes request, name and file, and returns whether the client may have the file."""


class ServedStorage(Protocol):
    """A storage of files in a bucket; :class:`~djongo_services.storage.GridFSStorage` is one."""

    using: str
    bucket_name: str
    location: str
    """The location of its files: what a signature is valid for."""
    private: bool
    """Whether only signed URLs are served."""
    url_expires: int
    """Seconds for which they are valid."""
    permission: Permission | str | None
    """A permission hook, or its dotted path."""
    inline_types: Collection[str] | None
    """Content types that browsers may show; None: the default."""

    @property
    def base_url(self) -> str | None: ...

    def cache_control_of(self, name: str) -> str:
        """The Cache-Control header for a file; empty: the default."""
        ...

    def stored(self, name: str) -> StoredFile: ...

    async def astored(self, name: str) -> StoredFile: ...

    def size_of(self, stored: StoredFile) -> int: ...

    def read_range(self, stored: StoredFile, start: int, stop: int) -> Iterator[bytes]:
        """A generator of the bytes; closing it frees its cursor."""
        ...

    def aread_range(self, stored: StoredFile, start: int, stop: int) -> AsyncIterator[bytes]: ...


def served_storage(which: str | ServedStorage) -> ServedStorage:
    """The given storage, or that of ``STORAGES[which]``.

    Raises ImproperlyConfigured if its files are not in a bucket.
    """
    storage: Any = storages[which] if isinstance(which, str) else which
    if not hasattr(storage, "read_range"):
        where = f"STORAGES[{which!r}]" if isinstance(which, str) else "The storage"
        raise ImproperlyConfigured(
            f"{where} is of {type(storage).__name__}, whose files are in no bucket; make it a "
            f"djongo_services.storage.GridFSStorage, or serve them in another way."
        )
    found: ServedStorage = storage
    return found
