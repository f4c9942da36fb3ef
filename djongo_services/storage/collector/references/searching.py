"""Searching for names of files in every text of every database of the project.

For fields with files, a query for the name shows the references. Everything else that may refer to
a file cannot be queried: rich text, JSON, URLs, names in another form, ids of files, tables of apps
that are no longer installed. So all texts are read, once for some thousand files, and only for
files that no source refers to.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Final, Protocol

from django.db import connections as databases
from pymongo import ReadPreference
from pymongo.collection import Collection as MongoCollection
from pymongo.database import Database
from pymongo.errors import PyMongoError

from djongo_services.connections import connections
from djongo_services.progress import Stop
from djongo_services.storage.collector.bson_order import Key
from djongo_services.storage.collector.errors import CollectorInterrupted
from djongo_services.storage.collector.references.fields import Tables, homes_of, stored_models
from djongo_services.storage.collector.references.lookups import explaining
from djongo_services.storage.collector.references.needles import SEPARATOR, Needles
from djongo_services.storage.collector.references.sources import (
    Naming,
    Sought,
    SourceUnreadable,
    first_line,
)

LEFT_OUT: Final = (
    "auth_permission",
    "django_admin_log",
    "django_content_type",
    "django_migrations",
    "django_session",
    "djongo_services_*",
)
"""Tables and collections that only record the past: a name in them would keep a file for ever."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Search:
    places: tuple[TextPlace, ...]

    def mentions(
        self, files: Iterable[Sought], naming: Naming, *, stop: Stop | None = None
    ) -> Mapping[Key, str]:
        """The files that are mentioned, and where first. Raises SourceUnreadable, and
        CollectorInterrupted."""
        needles = Needles(files, naming)
        found: dict[Key, str] = dict.fromkeys(
            needles.unsearchable, "its name has no word that could be looked for"
        )
        needles.forget(needles.unsearchable)

        def check() -> None:
            if stop is not None and stop.is_set():
                raise CollectorInterrupted

        for place in self.places:
            if not needles:
                break
            for where, keys in place.look(needles, check):
                found |= dict.fromkeys(keys, where)
                needles.forget(keys)
        return found


def open_search(
    tables: Tables, *, ignore: Collection[str] = (), exclude: Iterable[str] = ()
) -> Search:
    """A search of all DATABASES and all connections; ``ignore`` are labels of models in lower case,
    ``exclude`` patterns of names of tables and collections.

    Raises SourceUnreadable if one of them cannot be read, or is unknown in this process.
    """
    patterns, ignored = [*LEFT_OUT, *exclude], set()
    for model in stored_models():
        if model._meta.label_lower in ignore:
            ignored.add(model._meta.db_table)
        elif model._meta.managed:
            _check_homes(model)
    return Search(
        places=tuple(
            place
            for place in _places(tables)
            if place.name not in ignored
            and not any(fnmatchcase(place.name, pattern) for pattern in patterns)
        )
    )


def _check_homes(model: Any) -> None:
    try:
        homes_of(model)
    except SourceUnreadable as error:
        raise SourceUnreadable(f"{model._meta.label}: {error}") from error


def _places(tables: Tables) -> Iterator[TextPlace]:
    seen: set[Any] = set()
    for alias in databases:
        wrapper: Any = databases[alias]
        if wrapper.settings_dict["ENGINE"] == "django.db.backends.dummy":
            continue
        tables.names(alias)  # This raises an exception if the database cannot be read.
        if wrapper.vendor == "mongodb":
            yield from _unseen(collections_in(alias, wrapper.database), seen)
        else:
            try:
                yield from tables_in(alias)
            except SourceUnreadable as error:
                raise SourceUnreadable(f"the database {alias!r} cannot be read: {error}") from error
    for connection in connections.all():
        if connection.settings.database is None:  # Otherwise it is one of those.
            found = collections_in(connection.alias, connection.database)
            yield from _unseen(found, seen)


def _unseen(found: Iterable[Documents], seen: set[Any]) -> Iterator[Documents]:
    """The documents that are new: two aliases may have the same database."""
    for each in found:
        if each.uuid is None or each.uuid not in seen:
            seen.add(each.uuid)
            yield each


# Where texts are: in the tables of SQL databases and in the collections of MongoDB.
ROWS_AT_ONCE: Final = 500
DOCUMENTS_AT_ONCE: Final = 1_000

Check = Callable[[], None]
"""A function that is called between batches; it raises an exception to stop the work."""


class TextPlace(Protocol):
    """A table or a collection."""

    @property
    def name(self) -> str:
        """The name in the database."""

    def look(self, needles: Needles, check: Check) -> Iterator[tuple[str, set[Key]]]:
        """What is mentioned, and where, as it is found. Raises SourceUnreadable."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """The texts in a table's rows."""

    alias: str
    name: str
    columns: tuple[str, ...]
    schema: str | None = None
    """None: where the connection itself looks for tables."""

    def look(self, needles: Needles, check: Check) -> Iterator[tuple[str, set[Key]]]:
        connection: Any = databases[self.alias]
        quote = connection.ops.quote_name
        table = ".".join(quote(part) for part in (self.schema, self.name) if part is not None)
        selected = ", ".join(map(quote, self.columns))
        with explaining(), connection.chunked_cursor() as cursor:
            # Names come from the database itself, quoted by its backend.
            cursor.execute(f"SELECT {selected} FROM {table}")  # noqa: S608
            while rows := cursor.fetchmany(ROWS_AT_ONCE):
                check()
                yield from self._look(needles, rows)

    def _look(self, needles: Needles, rows: list[Any]) -> Iterator[tuple[str, set[Key]]]:
        by_column = [_joined(values) for values in zip(*rows, strict=True)]
        if not needles.in_text(SEPARATOR.join(by_column)):
            return
        for column, text in zip(self.columns, by_column, strict=True):
            if found := needles.in_text(text):
                yield f"{self._shown}.{column} on {self.alias!r}", found

    @property
    def _shown(self) -> str:
        return self.name if self.schema is None else f"{self.schema}.{self.name}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Documents:
    """The texts and ids in a collection's documents."""

    alias: str
    collection: MongoCollection[Any]
    uuid: Any
    """The server's own identifier, which is the same under all addresses and aliases."""

    @property
    def name(self) -> str:
        return self.collection.name

    def look(self, needles: Needles, check: Check) -> Iterator[tuple[str, set[Key]]]:
        primary = self.collection.with_options(read_preference=ReadPreference.PRIMARY)
        try:
            with primary.find_raw_batches({}, batch_size=DOCUMENTS_AT_ONCE) as batches:
                for batch in batches:
                    check()
                    if found := needles.in_bson(batch):
                        yield f"{self.name} on {self.alias!r}", found
        except PyMongoError as error:
            raise SourceUnreadable(f"{self.name} on {self.alias!r}: {first_line(error)}") from error


def tables_in(alias: str) -> Iterator[Table]:
    """The tables with text columns. Raises SourceUnreadable."""
    connection: Any = databases[alias]
    with explaining(), connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(_ALL_SCHEMAS)
            for schema, table, columns in cursor.fetchall():
                yield Table(alias=alias, schema=schema, name=table, columns=tuple(columns))
            return
        listed = connection.introspection.get_table_list(cursor)
        for name in sorted(each.name for each in listed if each.type != "v"):
            described = connection.introspection.get_table_description(cursor, name)
            columns = tuple(each.name for each in described if _has_text(connection, each))
            if columns:
                yield Table(alias=alias, name=name, columns=columns)


def collections_in(alias: str, database: Database[Any]) -> Iterator[Documents]:
    """All collections except views, the server's own and those of buckets. Raises
    SourceUnreadable."""
    try:
        found: list[Mapping[str, Any]] = list(database.list_collections())
    except PyMongoError as error:
        raise SourceUnreadable(
            f"the database {database.name!r} of {alias!r} cannot be read: {first_line(error)}"
        ) from error
    uuids = {each["name"]: each.get("info", {}).get("uuid") for each in found}
    names = {each["name"] for each in found if each.get("type") != "view"}
    for name in sorted(names):
        bucket, _, part = name.rpartition(".")
        is_of_bucket = part in _PARTS and bool({f"{bucket}.files", f"{bucket}.chunks"} & names)
        if not is_of_bucket and not name.startswith("system."):
            yield Documents(alias=alias, collection=database[name], uuid=uuids[name])


_PARTS: Final = frozenset({"files", "chunks", "trash", "uploads", "gc"})

_WITHOUT_TEXT: Final = frozenset(
    {
        "AutoField",
        "BigAutoField",
        "BigIntegerField",
        "BinaryField",
        "BooleanField",
        "DateField",
        "DateTimeField",
        "DecimalField",
        "DurationField",
        "FloatField",
        "GenericIPAddressField",
        "IntegerField",
        "PositiveBigIntegerField",
        "PositiveIntegerField",
        "PositiveSmallIntegerField",
        "SmallAutoField",
        "SmallIntegerField",
        "TimeField",
    }
)

_ALL_SCHEMAS: Final = """
    SELECT n.nspname, c.relname, array_agg(a.attname::text ORDER BY a.attnum)
    FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid
    JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
    WHERE c.relkind IN ('r', 'f') AND a.attnum > 0 AND NOT a.attisdropped
      AND t.typcategory IN ('S', 'A', 'U', 'C', 'X')
      AND n.nspname NOT IN ('pg_catalog', 'information_schema')
      AND n.nspname !~ '^pg_(toast|temp)'
      AND (pg_catalog.pg_table_is_visible(c.oid) OR has_table_privilege(c.oid, 'SELECT'))
    GROUP BY n.nspname, c.relname
    ORDER BY 1, 2
"""
"""Includes schemas that the connection does not search: each tenant may have one. Tables of other
schemas that it may not read are not its own. Categories: strings, arrays, JSON and the like,
composites."""


def _has_text(connection: Any, column: Any) -> bool:
    """Whether a column may contain text, also if Django does not know its type."""
    try:
        kind = connection.introspection.get_field_type(column.type_code, column)
    except KeyError:
        return True
    return (kind[0] if isinstance(kind, tuple) else kind) not in _WITHOUT_TEXT


def _joined(values: tuple[Any, ...]) -> str:
    return SEPARATOR.join(
        value if isinstance(value, str) else str(value)
        for value in values
        if value is not None and not isinstance(value, bytes | memoryview)
    )
