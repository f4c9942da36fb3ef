"""What the plain and the asyncio side of a storage share: its options, its bucket, its names.

A name is what Django calls a file; a filename is what the bucket has for it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, TypeAlias, runtime_checkable

from django.conf import settings as django_settings
from django.core.exceptions import ImproperlyConfigured, SuspiciousFileOperation
from django.core.files.storage import Storage
from django.core.files.utils import validate_file_name
from django.utils.timezone import get_default_timezone, make_naive

from djongo_services.connections import DEFAULT_ALIAS, connections
from djongo_services.storage.bucket import Bucket, StoredFile, UploadStream, queries
from djongo_services.storage.bucket.chunking import Document
from djongo_services.storage.bucket.layout import DEFAULT_NAME
from djongo_services.storage.codecs import plain_size
from djongo_services.storage.codecs.chain import is_encrypted
from djongo_services.storage.errors import NotEncrypted
from djongo_services.storage.following.rows import hidden_ids, hidden_names
from djongo_services.storage.options import parse_options
from djongo_services.transaction.current import apart, is_apart, left_out


# Content whose bytes are already in a bucket, so that saving it copies nothing.
@dataclass(frozen=True, kw_only=True, slots=True)
class Held:
    """Everything about a file except its name."""

    stream: UploadStream
    """What the bytes were written to; it can be published."""
    document: Document
    """Its files document, which the caller completes."""
    head: bytes
    """The first bytes as they were sent."""


@runtime_checkable
class HeldContent(Protocol):
    """A Django File that may be held in a bucket."""

    def held_for(self, storage: BucketStorage) -> Held | None:
        """The held bytes, or None unless ``storage`` itself would have put them there in the same
        form."""
        ...


_BUCKET = re.compile(r"[^.$\0]+(\.[^.$\0]+)*")


def _bucket_name(name: object) -> str:
    if not isinstance(name, str) or not _BUCKET.fullmatch(name) or name.startswith("system."):
        raise ImproperlyConfigured(
            f"A GridFSStorage cannot have the bucket {name!r}: MongoDB does not allow collections "
            f"with such a name."
        )
    return name


def as_django_has_it(moment: datetime) -> datetime:
    """The moment in UTC and aware with USE_TZ, otherwise naive in TIME_ZONE."""
    return moment if django_settings.USE_TZ else make_naive(moment, get_default_timezone())


class BucketStorage(Storage):
    """A storage that has a bucket. Nothing is sent before the first file.

    It keeps no connection except its client's: it can be pickled, and follows changed settings.
    """

    def __init__(
        self,
        bucket: str = DEFAULT_NAME,
        location: str = "",
        base_url: str | None = None,
        using: str = DEFAULT_ALIAS,
        **options: Any,
    ) -> None:
        """``options`` are those of :class:`StorageOptions`; any other raises
        ImproperlyConfigured."""
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
        """The beginning of its files' URLs; by default MEDIA_URL."""
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

    def full_name(self, name: Name) -> str:
        """The filename in the bucket. Raises SuspiciousFileOperation for an invalid name."""
        return self.place.filename(name)

    def readings(self, name: Name) -> Iterator[str]:
        """The filenames that a name may mean: ours, and that of another tool, which may have stored
        the name unchanged. Raises SuspiciousFileOperation if neither is possible."""
        try:
            filename = self.full_name(name)
        except SuspiciousFileOperation:
            if (literal := self.place.literal(name)) is not None:
                yield literal
            raise
        yield filename
        literal = self.place.literal(name)
        if literal is not None and literal != filename:
            yield literal

    def there(self, name: Name) -> Iterator[str]:
        """The same for a file or folder; nothing for the location itself, which always exists."""
        text = os.fspath(name)
        if text.replace("\\", "/") not in ("", ".", "./"):
            yield from self.readings(text if text[0] in "/\\" else text.rstrip("/\\"))

    def file_or_folder(self, filename: str) -> Mapping[str, Any]:
        """A filter for the file of that name, or for the files in the folder of that name."""
        found = queries.named_or_within(filename, shared=self.options.deduplicate)
        hidden = [
            files_id
            for name, ids in hidden_names(self).items()
            if name == filename or name.startswith(f"{filename}/")
            for files_id in ids
        ]
        return queries.without(found, hidden)

    def named(self, filename: str) -> dict[str, Any]:
        """A filter for the files that the storage has under this filename."""
        return queries.named(filename, shared=self.options.deduplicate)

    def current(self, filename: str) -> Mapping[str, Any]:
        """The same, without the files that the open transaction of their row has deleted."""
        return queries.without(self.named(filename), hidden_ids(self, filename))

    def beside(self, filename: str, client: Any) -> AbstractContextManager[None]:
        """Where to read a file, or the files below a folder, of that name: outside of MongoDB's
        open transaction, which does not see a file that followed a row in SQL."""
        written = {name for where, name in left_out(client) if where == self._where}
        below = f"{filename}/" if filename else ""
        is_there = filename in written or any(name.startswith(below) for name in written)
        return apart() if is_there else nullcontext()

    def leave_out(self, filename: str) -> None:
        """Remember for :meth:`beside` what is written outside of it."""
        if is_apart():
            left_out(self.bucket.layout.client).add((self._where, filename))

    @property
    def _where(self) -> tuple[str, str]:
        return self.using, self.bucket_name

    def check_encrypted(self, stored: StoredFile) -> None:
        """Raises NotEncrypted for a file that was put in the place of an encrypted one."""
        wanted = self.options.encryption_codec
        if wanted is None or self.options.allow_plain or is_encrypted(stored, wanted):
            return
        raise NotEncrypted(
            f"The file {stored.filename!r} (id {stored.id!r}) is not encrypted, but its storage "
            f"encrypts. If it was stored before that, set allow_plain=True or save it again."
        )

    def cache_control_of(self, name: str) -> str:
        """The Cache-Control header for a file that is served."""
        return self.cache_control

    def size_of(self, stored: StoredFile) -> int:
        """The number of bytes that were saved."""
        return plain_size(stored)


# Names of files: what Django calls a name, and the filename that the bucket has for it.
Name: TypeAlias = "str | os.PathLike[str]"
"""A name of the types that Django's own storages accept."""


class Location:
    """The part of a bucket that a storage keeps its files in, such as ``media/``."""

    def __init__(self, location: str) -> None:
        """Raises SuspiciousFileOperation for a location that leads out of itself."""
        cleaned = location.replace("\\", "/").strip("/")
        if cleaned:
            _checked(cleaned)
        self.prefix = f"{cleaned}/" if cleaned else ""

    def filename(self, name: Name) -> str:
        """Raises SuspiciousFileOperation for a name that no file can have."""
        return self.prefix + _normal(os.fspath(name))

    def literal(self, name: Name) -> str | None:
        """The filename if the name is taken unchanged, as other tools do: with backslashes, a
        leading slash, ``./`` or empty parts. None if that would lead elsewhere."""
        text = os.fspath(name)
        parts = text.replace("\\", "/").split("/")
        if not any(part not in ("", ".") for part in parts) or ".." in parts or not _is_text(text):
            return None
        return self.prefix + text

    def name(self, filename: str) -> str:
        return filename.removeprefix(self.prefix)

    def folder(self, path: Name) -> str:
        """The beginning of all filenames in a folder; ``""`` and ``"."`` are the location
        itself."""
        cleaned = os.fspath(path).replace("\\", "/").strip("/")
        return self.prefix if cleaned in ("", ".") else f"{self.prefix}{_normal(cleaned)}/"


def _normal(name: str) -> str:
    """The name with forward slashes, without empty parts and ``.``: each file has one name only."""
    _checked(name)
    parts = name.replace("\\", "/").split("/")
    return "/".join(part for part in parts if part not in ("", "."))


def _checked(name: str) -> None:
    validate_file_name(name, allow_relative_path=True)
    if not _is_text(name):
        raise SuspiciousFileOperation(
            f"The file name {name!r} contains a null character, or half of a surrogate pair, which "
            f"BSON does not allow."
        )


def _is_text(name: str) -> bool:
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return "\0" not in name
