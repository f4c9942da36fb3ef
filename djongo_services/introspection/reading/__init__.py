"""Reading the catalog of a database with few concurrent round trips.

============== ==================================== =============================================
What           From                                 Round trips
============== ==================================== =============================================
collections    ``listCollections``                  1
indexes        ``listIndexes``                      1 for each collection
statistics     ``$collStats``                       1 for each 50 collections
usage          ``$indexStats``                      1 for each 50 collections, from every member
multikey       ``$listCatalog`` (6.0+), ``explain`` 1 for each 50 collections, or for each index
build progress ``$currentOp``                       1, when an index is being built
============== ==================================== =============================================
"""

from __future__ import annotations

from collections.abc import Collection as Names

from bson.codec_options import CodecOptions, DatetimeConversion
from pymongo.database import Database

from djongo_services.abilities import Abilities, read_abilities
from djongo_services.introspection.catalog import Catalog, Collection, Unavailable
from djongo_services.introspection.reading.assembly import Answers, assemble
from djongo_services.introspection.reading.catalog_queries import Questions, workers
from djongo_services.introspection.reading.listing import (
    Document,
    ListedCollection,
    list_collections,
)

__all__ = ["read_catalog"]


_LENIENT: CodecOptions[Document] = CodecOptions(
    tz_aware=True,
    # A date beyond the year 9999 or broken text in an option must not hide the whole catalog.
    datetime_conversion=DatetimeConversion.DATETIME_AUTO,
    unicode_decode_error_handler="replace",
)


def read_catalog(
    database: Database[Document],
    *,
    names: Names[str] | None = None,
    statistics: bool = True,
    usage: bool = True,
    multikey: bool = True,
    abilities: Abilities | None = None,
) -> Catalog:
    """Collections, options, validators and indexes of a database.

    ``names``: only these collections; a name that does not exist is left out, and a time-series
    collection includes its buckets. ``statistics``: counts and sizes; computing them costs the
    server about 0.4 ms for each collection and each index. ``usage``: how often each member has
    used each index. ``multikey``: one more command for each index before MongoDB 6.0, or without
    the privilege for ``$listCatalog``. ``abilities``: what is already known about the server.

    It reads with the database's read preference, and outside of any session or transaction that the
    caller has bound. What the user may not read is None, with the reason in ``unavailable``; a
    collection that is dropped in the meantime is left out.

    Raises PyMongo's errors when the server cannot be reached, refuses the user, or the connection
    is lost.
    """
    database = database.with_options(codec_options=_LENIENT)
    with workers() as pool:
        server = pool.submit(read_abilities, database.client) if abilities is None else None
        listed = pool.submit(list_collections, database, names).result()
        questions = Questions(pool, database, [one for one in listed if one.type != "view"])
        if statistics:
            questions.ask_statistics()
        if multikey:
            questions.ask_multikey()
        known = abilities if server is None else server.result()
        assert known is not None
        missing = questions.ask_usage(known) if usage else []
        answers, lost = questions.answers()
    return _catalog(database.name, known, _collections(listed, answers), (*missing, *lost))


def _collections(listed: list[ListedCollection], answers: dict[str, Answers]) -> list[Collection]:
    return [
        assemble(entry, Answers() if entry.type == "view" else answers[entry.name])
        for entry in listed
        if entry.type == "view" or entry.name in answers
    ]


def _catalog(
    name: str,
    server: Abilities,
    collections: list[Collection],
    unavailable: tuple[Unavailable, ...],
) -> Catalog:
    return Catalog(
        database=name,
        server=server,
        collections=tuple(one for one in collections if not _is_system(one)),
        system_collections=tuple(one for one in collections if _is_system(one)),
        unavailable=unavailable,
    )


def _is_system(collection: Collection) -> bool:
    return collection.name.startswith("system.")
