"""The databases of a test run: created empty, copied for parallel workers, dropped at the end."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument
from django.db import connections as databases
from pymongo import MongoClient
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import PyMongoError

from djongo_services import database_names
from djongo_services.conf import ConnectionSettings, settings
from djongo_services.connections import address_of, client_arguments, connections

Document = dict[str, Any]

SECONDS = 3.0
"""How long to wait for a server: tests that do not need it should not wait for long."""
_BATCH = 1000
_RAW: CodecOptions[Any] = CodecOptions(document_class=RawBSONDocument)


def own_databases() -> list[ConnectionSettings]:
    """Connections with a test database of their own: neither a mirror, nor the real database."""
    found: dict[str, ConnectionSettings] = {}
    for configured in settings.connections.values():
        if configured.database is None and not uses_real_database(configured):
            place = f"{address_of(configured)}/{database_names.name_in_tests(configured)}"
            found.setdefault(place, configured)
    return list(found.values())


def uses_real_database(configured: ConnectionSettings) -> bool:
    """Whether a test run would use a database that the settings name for a connection."""
    name = database_names.name_in_tests(configured)
    return any(
        other.database is None
        and other.name == name
        and address_of(other) == address_of(configured)
        for other in settings.connections.values()
    )


def create(*, verbosity: int, interactive: bool, keepdb: bool) -> None:
    """Create empty test databases; with ``keepdb``, existing ones are kept.

    A database of the ORM in memory cannot be kept, and its migrations run again: so ours must be
    empty as well.
    """
    keepdb = keepdb and not _is_orm_in_memory()
    connections.close_all()  # Clients from before have no listener.
    for configured in own_databases():
        _say(verbosity, "Using existing" if keepdb else "Creating", configured)
        with _reachable(configured) as client:
            name = database_names.name_in_tests(configured, database_names.worker_suffix())
            exists = name in client.list_database_names()
            if exists and not keepdb:
                if interactive and not _confirm(name):
                    sys.exit(1)
                client.drop_database(name)


def copy_for_workers(*, verbosity: int, workers: int) -> None:
    """Copy each test database for each of Django's parallel workers."""
    for configured in own_databases():
        name = database_names.name_in_tests(configured)
        with _reachable(configured) as client:
            for number in range(1, workers + 1):
                _say(verbosity, "Cloning", configured)
                target = database_names.name_in_tests(configured, str(number))
                client.drop_database(target)
                copy_database(client[name], client[target])


def destroy(*, verbosity: int, workers: int, keepdb: bool) -> None:
    if keepdb:
        return
    for configured in own_databases():
        _say(verbosity, "Destroying", configured)
        suffixes = [database_names.worker_suffix(), *(str(number + 1) for number in range(workers))]
        names = [database_names.name_in_tests(configured, suffix) for suffix in suffixes]
        copies = tuple(map(database_names.prefix_of_copies, names))
        with _reachable(configured) as client:
            # A worker that was terminated leaves its copies.
            left = [name for name in client.list_database_names() if name.startswith(copies)]
            for name in (*names, *left):
                client.drop_database(name)


def _is_orm_in_memory() -> bool:
    creations: list[Any] = [one.creation for one in databases.all() if one.vendor == "sqlite"]
    return any(one.is_in_memory_db(one._get_test_db_name()) for one in creations)


def client_for(configured: ConnectionSettings) -> MongoClient[Document]:
    """A client beside the connection's own, which no listener watches."""
    return MongoClient(
        **{**client_arguments(configured), "serverSelectionTimeoutMS": round(SECONDS * 1000)}
    )


def client_beside(wrapper: Any) -> MongoClient[Document]:
    """The same for an alias of DATABASES."""
    timeout = {"serverSelectionTimeoutMS": round(SECONDS * 1000)}
    return MongoClient(**{**wrapper.get_connection_params(), **timeout})


@contextmanager
def _reachable(configured: ConnectionSettings) -> Iterator[MongoClient[Document]]:
    """A client, if the server can be reached: tests without MongoDB run without it; the others will
    report what is missing."""
    with client_for(configured) as client:
        try:
            yield client
        except PyMongoError as error:
            sys.stderr.write(
                f"The test database of the MongoDB connection {configured.alias!r} cannot be "
                f"prepared: {error}\n"
            )


def copy_database(source: Database[Any], target: Database[Any]) -> None:
    """Copy collections with their options, validators, indexes and documents unchanged, and
    views."""
    for found in source.list_collections():
        name, options = found["name"], found["options"]
        if name.startswith("system."):
            continue
        target.create_collection(name, **options)
        if found["type"] == "view":
            continue
        indexes = [
            dict(one)
            for one in source[name].list_indexes()
            if one["name"] != "_id_" and not one.get("clustered")
        ]
        if indexes:
            target.command("createIndexes", name, indexes=indexes)
        _copy_documents(source[name], target[name])


def _copy_documents(source: Collection[Any], target: Collection[Any]) -> None:
    """Copy documents without decoding them; one that is older than its validator is not refused."""
    source, target = (one.with_options(codec_options=_RAW) for one in (source, target))
    with source.find(batch_size=_BATCH) as found:
        while batch := list(itertools.islice(found, _BATCH)):
            target.insert_many(batch, bypass_document_validation=True)


def _confirm(name: str) -> bool:
    """Ask for confirmation, as Django does for its own test databases."""
    answer = input(
        f"Type 'yes' if you would like to try deleting the MongoDB test database '{name}', "
        f"or 'no' to cancel: "
    )
    return answer == "yes"


def _say(verbosity: int, what: str, configured: ConnectionSettings) -> None:
    if verbosity >= 1:
        sys.stderr.write(f"{what} test database for MongoDB connection '{configured.alias}'...\n")
