"""``djongo_services.W024``: documents that the models refuse, if the settings ask for this
check."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from django.core import checks
from django.core.exceptions import ImproperlyConfigured
from pymongo.errors import PyMongoError

from djongo_services.conf import settings
from djongo_services.connections import Connection
from djongo_services.drift.breaking import breaking
from djongo_services.drift.comparison import Difference
from djongo_services.drift.model_shapes import ModelShape
from djongo_services.drift.words import change, what
from djongo_services.exceptions import DjongoServicesError
from djongo_services.formatting import printable
from djongo_services.introspection.profiling import profile
from djongo_services.schema.declared import specs_by_name
from djongo_services.schema.migrating.drift import asked_connections
from djongo_services.schema.migrating.waiting import waiting_migrations
from djongo_services.schema.spec import CollectionSpec
from djongo_services.translation import english

_NAMED = 3
"""The maximum number of differences that a message lists; the rest is counted."""


def check_shapes(databases: Sequence[str] | None = None) -> list[checks.CheckMessage]:
    """Check a sample of each collection that a model declares.

    Nothing is reported while migrations are unapplied, because they may convert the documents.
    """
    try:
        is_wanted = settings.inspection.check_shapes
    except ImproperlyConfigured:
        return []  # E002 reports it.
    if not databases or not is_wanted:
        return []
    found: list[checks.CheckMessage] = []
    for connection in asked_connections(databases):
        try:
            found += _check(connection)
        except (PyMongoError, ImproperlyConfigured, DjongoServicesError):
            continue  # W003 or E002 report it, or the command will.
    return found


def _check(connection: Connection) -> Iterator[checks.CheckMessage]:
    specs = specs_by_name(connection)
    if waiting_migrations(connection, tuple(specs.values())):
        return
    existing = set(connection.database.list_collection_names())
    found: list[Difference] = []
    for name in sorted(specs.keys() & existing):
        found += _breaking(connection, specs[name])
    if found:
        yield _warning(connection, found)


def _breaking(connection: Connection, spec: CollectionSpec) -> Iterator[Difference]:
    shape = ModelShape.of(spec)
    if shape:
        yield from breaking(spec.name, profile(connection.database[spec.name]), shape)


@english()  # As all messages of checks are, those of Django among them.
def _warning(connection: Connection, found: Sequence[Difference]) -> checks.CheckMessage:
    alias = connection.alias
    named = "; ".join(
        f"{printable(one.collection)}: {what(one)}, {change(one)}" for one in found[:_NAMED]
    )
    rest = len(found) - _NAMED
    more = f"; and {rest:,} more" if rest > 0 else ""
    return checks.Warning(
        f"Documents behind the connection {alias!r} break the models. {named}{more}.",
        hint=f"See manage.py inspectmongo --database {alias} --against-models.",
        obj=f"connection {alias!r}",
        id="djongo_services.W024",
    )
