"""Storages of a project: which of them keep files in a bucket, in which part, under which names.

A storage of this package has this information itself. One of any other class may contain one of
this package in an attribute, as wrappers do; the names of its files are then unknown.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.files.storage import Storage, storages
from django.core.files.storage.handler import InvalidStorageError
from django.utils.connection import ConnectionDoesNotExist

from djongo_services.connections import connections
from djongo_services.storage.base import BucketStorage
from djongo_services.storage.collector.references.fields import FileColumn
from djongo_services.storage.collector.references.sources import Naming, Territory
from djongo_services.storage.djongo import DjongoGridFSStorage

STATIC_FILES = "staticfiles"
"""The alias in STORAGES whose files are not named by fields."""
DEEPEST = 8
"""Parts of a bucket's name below a storage of djongo's; each dot may separate folders or belong to
a name."""
_NESTED = 3
"""The depth to which wrappers around wrappers, and collections of storages, are examined."""
_FINDING = ("full_name", "open", "_open", "exists", "stored", "named")
"""Methods that determine which file of the bucket a name refers to."""
_UNDERSTOOD = ("djongo_services.", "django.")


@dataclass(frozen=True, kw_only=True, slots=True)
class Keeping:
    """A storage of this package, perhaps inside one of the project's."""

    storage: Any
    doubt: str = ""
    """Why the names in rows may not be names of it, such as ``wrapped by Prefixing``; otherwise
    empty."""


def keepings(storage: Any) -> list[Keeping]:
    """The storages with buckets that a storage is or contains; none for S3, a disk or another
    foreign one."""
    try:
        if isinstance(storage, BucketStorage | DjongoGridFSStorage):
            return [Keeping(storage=storage, doubt=_own_way(storage))]
        held = list(_held_by(storage, _NESTED, set()))
    except (InvalidStorageError, ImproperlyConfigured):
        return []  # It would be created now, and cannot be: so no file was saved with it.
    wraps = f"wrapped by {type(storage).__name__}"
    return [Keeping(storage=inner, doubt=wraps) for inner in held]


def naming_in(storage: Any, bucket: str) -> Naming:
    """How a storage of this package names its files in this bucket, which contains some of them."""
    if storage.bucket_name == bucket:
        return Naming(prefixes=(storage.full_name("x").removesuffix("x"),))
    parts = bucket.removeprefix(f"{storage.bucket_name}.").split(".")
    return Naming(folders=tuple(_folders(parts)) if len(parts) <= DEEPEST else ())


def is_in_database(storage: Any, database_name: str) -> bool | None:
    """Whether a storage of this package keeps its files in a database with this name, on any
    server: a needless reference keeps a file, a missing one would lose it.

    None if its connection is not configured in this process.
    """
    try:
        return connections[storage.using].database_name == database_name
    except (ConnectionDoesNotExist, ImproperlyConfigured):
        return None


def has_files_in(storage: Any, bucket: str) -> bool:
    root = storage.bucket_name
    return bool(root == bucket or (_has_folders(storage) and bucket.startswith(f"{root}.")))


def keeps_revisions(storage: Any) -> bool:
    return bool(storage.options.keep_revisions)


def is_static(alias: str | None, storage: Any) -> bool:
    """Whether its files are static files, which ``collectstatic`` writes and no row names."""
    return alias == STATIC_FILES or any(
        base.__name__ == "GridFSStaticFilesStorage" for base in type(storage).__mro__
    )


def configured_storages() -> Iterator[tuple[str, Any]]:
    """The storages in STORAGES that can be created, by alias; the others have no files."""
    for alias in storages.backends:
        try:
            yield alias, storages[alias]
        except (InvalidStorageError, ImproperlyConfigured):
            continue


def _own_way(storage: Any) -> str:
    """The name of a subclass that finds files in its own way."""
    cls = storage.__class__
    for method in _FINDING:
        owner = next((base for base in cls.__mro__ if method in base.__dict__), cls)
        if not f"{owner.__module__}.".startswith(_UNDERSTOOD):
            return f"{cls.__name__} has its own {method}()"
    return ""


def _held_by(value: Any, depth: int, seen: set[int]) -> Iterator[Any]:
    """The storages of this package in a wrapper's attributes, and in collections there."""
    if id(value) in seen or depth < 0:
        return
    seen.add(id(value))
    match value:
        case dict():
            inside = list(value.values())
        case list() | tuple() | set() | frozenset():
            inside = list(value)
        case _:
            inside = list(getattr(value, "__dict__", {}).values())
    for each in inside:
        if isinstance(each, BucketStorage | DjongoGridFSStorage):
            yield each
        elif isinstance(each, dict | list | tuple | set | frozenset | Storage):
            yield from _held_by(each, depth - 1, seen)


def _has_folders(storage: Any) -> bool:
    """Whether it keeps each folder in a bucket of its own, as djongo did."""
    return isinstance(storage, DjongoGridFSStorage)


def _folders(parts: list[str]) -> Iterator[str]:
    """``a/b/`` and ``a.b/`` for ``a``, ``b``."""
    first, *rest = parts
    for separators in product("/.", repeat=len(rest)):
        yield first + "".join(map("".join, zip(separators, rest, strict=True))) + "/"


@dataclass(frozen=True, kw_only=True, slots=True)
class Use:
    """A storage of this package that has files in the bucket, and where it is used."""

    keeping: Keeping
    naming: Naming
    where: str
    """``shop.Product.photo`` or ``STORAGES['default']``."""
    alias: str | None = None
    """The alias in STORAGES; None if it belongs to a field."""

    @property
    def storage(self) -> Any:
        return self.keeping.storage


def uses_of(columns: Iterable[FileColumn], database_name: str, bucket: str) -> list[Use]:
    """The uses of all fields and all STORAGES."""
    every: list[tuple[str, str | None, Any]] = [
        (f"{column.model._meta.label}.{column.field}", None, column.storage)
        for column in columns
        if column.storage is not None
    ]
    every += [(f"STORAGES[{alias!r}]", alias, each) for alias, each in configured_storages()]
    found = []
    for where, alias, storage in every:
        for keeping in keepings(storage):
            here = is_in_database(keeping.storage, database_name)
            if here is False or not has_files_in(keeping.storage, bucket):
                continue
            if here is None:
                doubt = f"its connection {keeping.storage.using!r} is not configured here"
                keeping = Keeping(storage=keeping.storage, doubt=doubt)
            naming = naming_in(keeping.storage, bucket)
            found.append(Use(keeping=keeping, naming=naming, where=where, alias=alias))
    return found


def common_naming(uses: Sequence[Use]) -> Naming:
    """The names of all storages: a name counts under every location of the bucket, whichever field
    has it."""
    prefixes = {prefix for use in uses for prefix in use.naming.prefixes}
    folders = {folder for use in uses for folder in use.naming.folders}
    return Naming(prefixes=tuple(sorted(prefixes)) or ("",), folders=tuple(sorted(folders)))


def territories_of(uses: Sequence[Use]) -> Iterator[Territory]:
    """Territories, the longest prefix first, so that the first match is the most specific one."""
    for prefix in sorted({p for use in uses for p in use.naming.prefixes}, key=len, reverse=True):
        here = [use for use in uses if prefix in use.naming.prefixes]
        of_fields = [use for use in here if use.alias is None]
        yield Territory(
            prefix=prefix,
            spoken_for=bool(of_fields)
            and not any(is_static(use.alias, use.storage) for use in here),
            keeps_revisions=any(keeps_revisions(use.storage) for use in here),
            doubts=tuple(
                dict.fromkeys(
                    f"{use.where} ({use.keeping.doubt})" for use in here if use.keeping.doubt
                )
            ),
        )
