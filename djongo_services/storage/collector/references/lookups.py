"""What can be queried for names of files: columns, documents, versions, functions, folders."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from django.apps import apps
from django.conf import settings as django_settings
from django.core.exceptions import ImproperlyConfigured
from django.db import Error, connections, models, transaction
from django.utils.module_loading import import_string
from pymongo import ReadPreference
from pymongo.collection import Collection
from pymongo.errors import PyMongoError

from djongo_services.storage.collector.references.fields import AnyModel, FileColumn, Tables
from djongo_services.storage.collector.references.sources import (
    Naming,
    SourceUnreadable,
    first_line,
)

AT_ONCE = 10_000
"""Names in one query, unless the database allows fewer."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ColumnSource:
    """A column of a model's table on one DATABASES alias."""

    model: type[models.Model]
    field: str
    alias: str
    naming: Naming

    @property
    def label(self) -> str:
        return f"{self.model._meta.label}.{self.field} on {self.alias!r}"

    def probe(self) -> None:
        with explaining():
            # Inside of a transaction, a query that fails would end that.
            with transaction.atomic(using=self.alias):
                list(self._names()[:1])

    def referenced(self, names: Sequence[str]) -> set[str]:
        held = self.naming.held(name for name in names if self._can_hold(name))
        alike: dict[str, set[str]] = {}
        for form, filenames in held.items():
            alike.setdefault(_loosely(form), set()).update(filenames)
        found: set[str] = set()
        with explaining():
            for some in self._pieces(list(held)):
                asked = self._names().filter(**{f"{self.field}__in": some}).distinct()
                for each in asked.iterator():
                    found |= alike.get(_loosely(each), set())
        return found

    def _can_hold(self, name: str) -> bool:
        """False for null characters on PostgreSQL, which refuses the whole query for one."""
        return "\0" not in name or connections[self.alias].vendor != "postgresql"

    def _names(self) -> models.QuerySet[Any, Any]:
        """The column's values, by a plain queryset: managers may hide rows, for example
        soft-deleted ones."""
        rows: models.QuerySet[Any] = models.QuerySet(self.model, using=self.alias)
        return rows.order_by().values_list(self.field, flat=True)

    def _pieces(self, names: Sequence[str]) -> Iterator[Sequence[str]]:
        size = connections[self.alias].features.max_query_params or AT_ONCE
        for at in range(0, len(names), min(size, AT_ONCE)):
            yield names[at : at + min(size, AT_ONCE)]


def _loosely(text: str) -> str:
    """The text as the column's collation compares it: one of several equal texts may represent
    all."""
    if text.isascii():
        return text.lower().rstrip()
    letters = unicodedata.normalize("NFKD", text)
    plain = "".join(letter for letter in letters if not unicodedata.combining(letter))
    return plain.casefold().rstrip()


@contextmanager
def explaining() -> Iterator[None]:
    """Convert the ORM's exceptions to SourceUnreadable."""
    try:
        yield
    except (Error, ImproperlyConfigured) as error:
        raise SourceUnreadable(first_line(error)) from error


# Paths to names of files in documents, including embedded documents and arrays.
@dataclass(frozen=True, kw_only=True, slots=True)
class DocumentSource:
    """One path in the documents of a collection."""

    collection: Collection[Any]
    path: str
    """A dotted path; elements of arrays are implied."""
    model: str
    alias: str
    naming: Naming

    @property
    def label(self) -> str:
        return f"{self.model}.{self.path} on {self.alias!r}"

    def probe(self) -> None:
        try:
            self._primary().find_one({self.path: ""}, {"_id": 1})
        except PyMongoError as error:
            raise SourceUnreadable(first_line(error)) from error

    def referenced(self, names: Sequence[str]) -> set[str]:
        held = self.naming.held(names)
        if not held:
            return set()
        found: set[str] = set()
        # Under the default collation of the collection: an index then finds these names and perhaps
        # more; which of them match is decided below, byte by byte.
        query, steps = {self.path: {"$in": list(held)}}, self.path.split(".")
        try:
            with self._primary().find(query, {"_id": 0, self.path: 1}) as cursor:
                for document in cursor:
                    for each in _texts(document, steps):
                        found.update(held.get(each, ()))
        except PyMongoError as error:
            raise SourceUnreadable(first_line(error)) from error
        return found

    def _primary(self) -> Collection[Any]:
        return self.collection.with_options(read_preference=ReadPreference.PRIMARY)


def _texts(value: Any, steps: Sequence[str]) -> Iterable[str]:
    """The strings at a path, through arrays at any step."""
    for at, step in enumerate(steps):
        if isinstance(value, dict):
            value = value.get(step)
        elif isinstance(value, list):
            return [text for item in value for text in _texts(item, steps[at:])]
        else:
            return ()
    if isinstance(value, str):
        return (value,)
    if isinstance(value, list):
        return [text for item in value for text in _texts(item, ())]
    return ()


Provider = Callable[[Sequence[str]], Iterable[str]]

WHERE = 'DJONGO_SERVICES["STORAGE"]["REFERENCES"]'


@dataclass(frozen=True, kw_only=True, slots=True)
class ProviderSource:
    """A function of the project that knows about references which no field contains.

    ``STORAGE["REFERENCES"]`` names it by a dotted path. It receives a batch of filenames, as the
    bucket has them, and returns those that are in use: names in JSON, in rich text, in plain
    collections. With an attribute ``buckets`` it answers for all files of those buckets: what
    neither it nor a field refers to is unused.
    """

    path: str
    provider: Provider

    @classmethod
    def load(cls, path: str) -> ProviderSource:
        """Raises ImproperlyConfigured if there is no such function."""
        try:
            provider: Any = import_string(path)
        except ImportError as error:
            raise ImproperlyConfigured(
                f"{WHERE} names {path!r}, which cannot be imported: {error}"
            ) from error
        if not callable(provider):
            raise ImproperlyConfigured(f"{WHERE} names {path!r}, which is not a function.")
        return cls(path=path, provider=provider)

    @property
    def label(self) -> str:
        return self.path

    @property
    def buckets(self) -> tuple[str, ...]:
        """The buckets for which it and the fields know all references."""
        return tuple(getattr(self.provider, "buckets", ()))

    def probe(self) -> None:
        self.referenced([])

    def referenced(self, names: Sequence[str]) -> set[str]:
        try:
            answer = self.provider(names)
            if isinstance(answer, str) or not isinstance(answer, Iterable):
                raise SourceUnreadable(f"it returned {type(answer).__name__}, not a set of names")
            return set(names).intersection(answer)
        except SourceUnreadable:
            raise
        except Exception as error:
            raise SourceUnreadable(f"{type(error).__name__}: {first_line(error)}") from error


# Packages write files beside those that rows name: thumbnails in folders of their own. They know
# which of them are in use, and have commands that remove the others. Here all files in such a
# folder count as in use. Thumbnails that rows name (easy-thumbnails, django-filer, Wagtail) need no
# entry.
FOLDERS: Final = {
    "sorl.thumbnail": ("THUMBNAIL_PREFIX", "cache/"),
    "imagekit": ("IMAGEKIT_CACHEFILE_DIR", "CACHE/images"),
}
"""For each app, the setting that names its folder, and the package's default."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FolderSource:
    """All files in folders with this name, at any depth."""

    app: str
    folder: str
    """The folder's name between slashes."""

    @property
    def label(self) -> str:
        return f"{self.app} ({self.folder.strip('/')}/)"

    def probe(self) -> None:
        """Do nothing: this source can always be read."""

    def referenced(self, names: Sequence[str]) -> set[str]:
        return {name for name in names if self.folder in f"/{name}"}


def package_sources() -> Iterator[FolderSource]:
    """The folders of the packages that are installed."""
    for app, (setting, default) in FOLDERS.items():
        folder = str(getattr(django_settings, setting, default)).strip("/")
        if apps.is_installed(app) and folder:
            yield FolderSource(app=app, folder=f"/{folder}/")


LABEL = "reversion.Version"
VERSIONS_AT_ONCE = 500


@dataclass(frozen=True, kw_only=True, slots=True)
class VersionSource:
    """Versions of rows that django-reversion keeps, serialized.

    A name in them cannot be looked up, so all versions that mention one of the fields are read. By
    then, only names that nothing else refers to are left to search for.
    """

    model: AnyModel
    alias: str
    fields: frozenset[str]
    """Names of fields that contain names of files, whatever their model."""
    naming: Naming

    @property
    def label(self) -> str:
        return f"{LABEL} on {self.alias!r}"

    def probe(self) -> None:
        with explaining():
            list(self._versions()[:1])

    def referenced(self, names: Sequence[str]) -> set[str]:
        held = self.naming.held(names)
        found: set[str] = set()
        with explaining():
            for written, text in self._versions().iterator(chunk_size=VERSIONS_AT_ONCE):
                for values in _field_values(written, text):
                    for field in self.fields:
                        found.update(held.get(values.get(field, ""), ()))
                if len(found) == len(names):
                    break
        return found

    def _versions(self) -> models.QuerySet[Any, Any]:
        mentions = models.Q()
        for field in self.fields:
            mentions |= models.Q(serialized_data__contains=json.dumps(field))
        rows: models.QuerySet[Any] = models.QuerySet(self.model, using=self.alias)
        return rows.filter(mentions).order_by().values_list("format", "serialized_data")


def version_sources(
    columns: Iterable[FileColumn], naming: Naming, tables: Tables
) -> Iterator[VersionSource]:
    """A source for each alias that has versions; none if django-reversion is not installed."""
    fields = frozenset(column.field for column in columns)
    if not fields or not apps.is_installed("reversion"):
        return
    model = apps.get_model(LABEL)
    for alias in tables.aliases_of(model):
        yield VersionSource(model=model, alias=alias, fields=fields, naming=naming)


def _field_values(written: str, text: str) -> Iterator[Mapping[str, Any]]:
    if written != "json":
        raise SourceUnreadable(
            f"it has versions in the format {written!r}; write a provider for them"
        )
    try:
        objects = json.loads(text)
    except ValueError:
        raise SourceUnreadable(
            "it has a version that is not JSON; write a provider for it"
        ) from None
    for each in objects if isinstance(objects, list) else ():
        values = each.get("fields") if isinstance(each, Mapping) else None
        if isinstance(values, Mapping):
            yield {name: value for name, value in values.items() if isinstance(value, str)}
