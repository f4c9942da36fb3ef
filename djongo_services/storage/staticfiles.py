"""Static files in MongoDB: for ``collectstatic``, plain and with hashed names."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from typing import Any

from django.conf import settings as django_settings
from django.contrib.staticfiles.management.commands import collectstatic
from django.contrib.staticfiles.storage import ManifestFilesMixin
from django.core.exceptions import ImproperlyConfigured

from djongo_services.connections import DEFAULT_ALIAS
from djongo_services.storage.base import as_django_has_it
from djongo_services.storage.bucket import StoredFile
from djongo_services.storage.collecting import Batch, teach
from djongo_services.storage.files import GridFSFile
from djongo_services.storage.gridfs import GridFSStorage

BUCKET = "static"
"""A bucket of its own: no row refers to static files, so a collector would take them."""

_BATCHES: ContextVar[dict[int, Batch]] = ContextVar("djongo_services_static_files")
"""By the id of a storage whose files are being collected in this context."""

teach(collectstatic.Command)


class GridFSStaticFilesStorage(GridFSStorage):
    """A GridFSStorage for ``STORAGES["staticfiles"]``: files are replaced, and below STATIC_URL.

    While ``collectstatic`` runs, what it saves and deletes is done in batches, so that a run that
    fails may leave some of it undone.
    """

    def __init__(
        self,
        bucket: str = BUCKET,
        location: str = "",
        base_url: str | None = None,
        using: str = DEFAULT_ALIAS,
        **options: Any,
    ) -> None:
        """Raises ImproperlyConfigured for options that would keep the files that are replaced."""
        if not options.setdefault("allow_overwrite", True):
            raise ImproperlyConfigured(
                f"A {type(self).__name__} replaces files; it cannot be told not to allow_overwrite."
            )
        super().__init__(bucket, location, base_url, using, **options)

    @property
    def base_url(self) -> str | None:
        """Of the addresses of its files; by default STATIC_URL."""
        url = django_settings.STATIC_URL if self._base_url is None else self._base_url
        return url if not url or url.endswith("/") else f"{url}/"

    @contextmanager
    def collecting(self) -> Iterator[Batch]:
        """Within the block, let what is saved and deleted wait for more of it."""
        batches = _BATCHES.get({})
        if id(self) in batches:
            yield batches[id(self)]
            return
        batch = Batch(self)
        token = _BATCHES.set({**batches, id(self): batch})
        try:
            yield batch
            batch.flush()
        finally:
            _BATCHES.reset(token)

    def _save(self, name: str, content: Any) -> str:
        batch = self._batch
        if batch is None:
            return super()._save(name, content)
        return batch.save(name, content, super()._save)

    def delete(self, name: str) -> None:
        batch = self._batch
        if batch is None or not name:
            super().delete(name)
        else:
            batch.delete(name)

    def exists(self, name: str) -> bool:
        batch = self._batch
        return super().exists(name) if batch is None else batch.exists(name)

    def get_modified_time(self, name: str) -> datetime:
        known = self._batch and self._batch.modified_time(name)
        return as_django_has_it(known) if known else super().get_modified_time(name)

    def listdir(self, path: str) -> tuple[list[str], list[str]]:
        self._flush()
        return super().listdir(path)

    def stored(self, name: str) -> StoredFile:
        self._flush()
        return super().stored(name)

    def _open(self, name: str, mode: str = "rb") -> GridFSFile:
        self._flush()
        return super()._open(name, mode)

    @property
    def _batch(self) -> Batch | None:
        return _BATCHES.get({}).get(id(self))

    def _flush(self) -> None:
        if self._batch is not None:
            self._batch.flush()


class GridFSManifestStaticFilesStorage(ManifestFilesMixin, GridFSStaticFilesStorage):  # type: ignore[misc]  # the stubs of the mixin
    """The same with hashed names, which browsers may keep for ever, and a manifest of them."""

    def save_manifest(self) -> None:
        """After all that it names, and in place of the one before."""
        with self.collecting() as batch:
            batch.flush()
            super().save_manifest()
