"""Storages of a project: which bucket each has its files in, and under which names.

Told by what they have (``bucket_name``, ``using``, ``full_name()``), not by their class.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.files.storage import storages
from django.core.files.storage.handler import InvalidStorageError

from djongo_services.connections import connections
from djongo_services.storage.collector.references.naming import Naming

DEEPEST = 8
"""Parts of a bucket's name below a storage of djongo's; each dot may be a folder's or a name's."""


def naming_in(storage: Any, database_name: str, bucket: str) -> Naming | None:
    """How the storage names its files in this bucket; None when it has none there."""
    if not is_in_database(storage, database_name) or not has_files_in(storage, bucket):
        return None
    if storage.bucket_name == bucket:
        return Naming(prefix=storage.full_name("x").removesuffix("x"))
    parts = bucket.removeprefix(f"{storage.bucket_name}.").split(".")
    return Naming(folders=tuple(_folders(parts))) if len(parts) <= DEEPEST else None


def is_in_database(storage: Any, database_name: str) -> bool:
    """Whether it keeps its files in a database of this name, wherever the server is: a reference
    too many keeps a file, one too few would lose it."""
    if not hasattr(storage, "bucket_name"):
        return False
    return connections[storage.using].database_name == database_name


def has_files_in(storage: Any, bucket: str) -> bool:
    root = storage.bucket_name
    return bool(root == bucket or (_has_folders(storage) and bucket.startswith(f"{root}.")))


def keeps_revisions(storage: Any) -> bool:
    return bool(getattr(getattr(storage, "options", None), "keep_revisions", False))


def configured_storages() -> Iterator[tuple[str, Any]]:
    """Those of STORAGES that can be made, by alias; the others have no files."""
    for alias in storages.backends:
        try:
            yield alias, storages[alias]
        except (InvalidStorageError, ImproperlyConfigured):
            continue


def _has_folders(storage: Any) -> bool:
    """Whether it keeps each folder in a bucket of its own, as djongo did."""
    return hasattr(storage, "folders")


def _folders(parts: list[str]) -> Iterator[str]:
    """``a/b/`` and ``a.b/`` for ``a``, ``b``."""
    first, *rest = parts
    for separators in product("/.", repeat=len(rest)):
        yield first + "".join(map("".join, zip(separators, rest, strict=True))) + "/"
