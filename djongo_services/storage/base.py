"""What the plain and the asyncio side of a storage share: its options, its bucket, its names."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from django.conf import settings as django_settings
from django.core.exceptions import ImproperlyConfigured
from django.core.files.storage import Storage
from django.utils.timezone import get_default_timezone, make_naive

from djongo_services.connections import DEFAULT_ALIAS, connections
from djongo_services.storage import queries
from djongo_services.storage.bucket import Bucket, StoredFile
from djongo_services.storage.bucket.layout import DEFAULT_NAME
from djongo_services.storage.codecs import plain_size
from djongo_services.storage.names import Location
from djongo_services.storage.options import parse_options

_BUCKET = re.compile(r"[^.$\0]+(\.[^.$\0]+)*")


def _bucket_name(name: object) -> str:
    if not isinstance(name, str) or not _BUCKET.fullmatch(name) or name.startswith("system."):
        raise ImproperlyConfigured(
            f"A GridFSStorage cannot have the bucket {name!r}: MongoDB takes no collection of such "
            f"a name."
        )
    return name


def as_django_has_it(moment: datetime) -> datetime:
    """Aware in UTC with USE_TZ, else naive in TIME_ZONE."""
    return moment if django_settings.USE_TZ else make_naive(moment, get_default_timezone())


class BucketStorage(Storage):
    """A storage that has a bucket; nothing is sent before the first file.

    It holds no connection that is not its client's: it can be pickled, and follows changed
    settings.
    """

    def __init__(
        self,
        bucket: str = DEFAULT_NAME,
        location: str = "",
        base_url: str | None = None,
        using: str = DEFAULT_ALIAS,
        **options: Any,
    ) -> None:
        """``options`` are those of :class:`StorageOptions`; ImproperlyConfigured for others."""
        self.bucket_name = _bucket_name(bucket)
        self.location = location
        self.using = using
        self.options = parse_options(options)
        self.cache_control = self.options.cache_control
        self.private = self.options.private
        self.url_expires = self.options.url_expires
        self.permission = self.options.permission
        self.inline_types = self.options.inline_types
        self.place = Location(location)
        self._base_url = base_url
        self._bucket: Bucket | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_bucket": None}

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.bucket_name!r} on {self.using!r}>"

    @property
    def base_url(self) -> str | None:
        """Of the addresses of its files; by default MEDIA_URL."""
        url = django_settings.MEDIA_URL if self._base_url is None else self._base_url
        return url if not url or url.endswith("/") else f"{url}/"

    @property
    def bucket(self) -> Bucket:
        connection = connections[self.using]
        client = connection.client
        if self._bucket is None or self._bucket.layout.client is not client:
            self._bucket = Bucket(client[connection.database_name], **self.bucket_options())
        return self._bucket

    def bucket_options(self) -> dict[str, Any]:
        return {
            "name": self.bucket_name,
            "chunk_size": self.options.chunk_size,
            "write_concern": self.options.pymongo_write_concern(),
            "read_preference": self.options.pymongo_read_preference(),
            "exclusive": not self.options.allow_overwrite,
            "shared": self.options.deduplicate,
        }

    def full_name(self, name: str) -> str:
        """The filename in the bucket. Raises SuspiciousFileOperation for what is no name."""
        return self.place.filename(name)

    def there(self, name: str) -> dict[str, Any] | None:
        """A filter for the file, or what lies in the folder, of that name; None for the location
        itself, which is always there."""
        cleaned = name.replace("\\", "/")
        if cleaned in ("", ".", "./"):
            return None
        filename = self.full_name(cleaned if cleaned.startswith("/") else cleaned.rstrip("/"))
        return queries.named_or_within(filename, shared=self.options.deduplicate)

    def named(self, filename: str) -> dict[str, Any]:
        """A filter for the files that the storage has under this filename."""
        return queries.named(filename, shared=self.options.deduplicate)

    def size_of(self, stored: StoredFile) -> int:
        """Bytes as they were saved."""
        return plain_size(stored)
