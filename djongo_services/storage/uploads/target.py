"""Which storage's bucket uploads go to."""

from __future__ import annotations

from django.core.exceptions import ImproperlyConfigured
from django.core.files.storage import storages

from djongo_services.storage.gridfs import GridFSStorage


def storage_for(which: str | GridFSStorage) -> GridFSStorage:
    """The storage, or that of ``STORAGES[which]``; ImproperlyConfigured where it has no bucket."""
    storage = storages[which] if isinstance(which, str) else which
    if isinstance(storage, GridFSStorage):
        return storage
    where = f"STORAGES[{which!r}]" if isinstance(which, str) else "The storage of an upload handler"
    raise ImproperlyConfigured(
        f"{where} is of {type(storage).__name__}, which has no bucket for uploads; name a "
        f'djongo_services.storage.GridFSStorage in DJONGO_SERVICES["STORAGE"]["UPLOADS"]'
        f'["STORAGE"].'
    )
