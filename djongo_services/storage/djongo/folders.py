"""The bucket of a folder: ``photos/2019`` is ``storage.photos.2019``.

The reverse is ambiguous, because folder names may contain dots themselves.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ImproperlyConfigured, SuspiciousFileOperation

from djongo_services.storage.base import Location, Name

LONGEST_NAMESPACE = 255
"""Bytes of a database's name, a dot and a collection's name; servers before 4.4 had less."""

_LONGEST_SUFFIX = ".chunks"
_NAMES = Location("")


@dataclass(frozen=True, kw_only=True, slots=True)
class FolderFile:
    """The place of one file."""

    bucket: str
    folder: str
    """The folder with a slash at its end, or empty."""
    filename: str
    """The name in the bucket: the name without its folder."""


class Folders:
    """The buckets below ``collection`` and ``location``."""

    def __init__(self, collection: str, location: str) -> None:
        """Raises ImproperlyConfigured if that is not a valid collection name."""
        if not collection:
            raise ImproperlyConfigured("A DjongoGridFSStorage needs the name of a collection.")
        parts = [collection, *filter(None, location.replace("\\", "/").split("/"))]
        if wrong := [part for part in parts if not _is_collection(part)]:
            raise ImproperlyConfigured(
                f"A DjongoGridFSStorage cannot have {wrong[0]!r} in the name of its collections."
            )
        self.root = ".".join(parts)

    def name(self, name: Name) -> str:
        """The name in its one form. Raises SuspiciousFileOperation for an invalid name."""
        return _NAMES.filename(name)

    def place(self, name: Name) -> FolderFile:
        """Raises SuspiciousFileOperation for a name that no file can have."""
        folder, slash, filename = self.name(name).rpartition("/")
        return FolderFile(bucket=self.bucket(folder), folder=folder + slash, filename=filename)

    def bucket(self, path: Name) -> str:
        """The bucket of a folder; ``""`` and ``"."`` are the location itself."""
        folder = _NAMES.folder(path).rstrip("/")
        if not folder:
            return self.root
        if wrong := [part for part in folder.split("/") if not _is_collection(part)]:
            raise SuspiciousFileOperation(
                f"The folder {wrong[0]!r} cannot be a collection of MongoDB, as folders are in "
                f"djongo's layout."
            )
        return f"{self.root}.{folder.replace('/', '.')}"

    def inside(self, bucket: str, database: Any, session: Any) -> list[str]:
        """The buckets below ``bucket``, without its name and a dot, in order."""
        pattern = rf"^{re.escape(bucket)}\..+\.files$"
        names = database.list_collection_names(
            session=session, filter={"name": {"$regex": pattern}}
        )
        return sorted(
            filter(_is_collection, (name[len(bucket) + 1 : -len(".files")] for name in names))
        )


def check_length(bucket: str, database_name: str) -> None:
    """Raises SuspiciousFileOperation if the collections' names would be too long for the server."""
    namespace = f"{database_name}.{bucket}{_LONGEST_SUFFIX}"
    if len(namespace.encode("utf-8")) > LONGEST_NAMESPACE:
        raise SuspiciousFileOperation(
            f"The folder of the bucket {bucket[:60]!r}... is too deep for a collection of MongoDB, "
            f"as folders are in djongo's layout."
        )


def _is_collection(part: str) -> bool:
    """Whether it can be part of a collection name; dots inside of it separate parts, too."""
    return "$" not in part and "\0" not in part and all(part.split("."))
