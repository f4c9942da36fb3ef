"""What the dashboard shows of a connection: the server, and its collections page by page.

One page has :data:`PER_PAGE` collections, and only of those are sizes read, which cost the server
about 0.4 ms for each collection and each index.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from djongo_services.admin.address import Address, shown_name
from djongo_services.admin.bars import Bar, bar
from djongo_services.admin.declarations import Specs, specs_by_name
from djongo_services.admin.patience import Mongo
from djongo_services.admin.profiles.keeping import ProfileNote, profile_notes
from djongo_services.admin.troubles import trouble_text
from djongo_services.connections import Connection
from djongo_services.exceptions import DjongoServicesError
from djongo_services.introspection import read_catalog
from djongo_services.introspection.catalog import Catalog, Collection
from djongo_services.introspection.reading.listing import list_collections
from djongo_services.introspection.redundancy import redundant
from djongo_services.introspection.rendering.numbers import count, size
from djongo_services.introspection.rendering.printable import printable
from djongo_services.introspection.rendering.wording import kind_text
from djongo_services.schema.diff import diff
from djongo_services.schema.plan import Plan

PER_PAGE = 50
OWN_PREFIX = "djongo_services_"
"""Of the collections in which this app keeps history, leases and profiles."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """What was read for one page of the dashboard."""

    names: tuple[str, ...]
    """Of all collections that match, those included that only a model knows."""
    page: int
    """From 1; the last there is, where more was asked for."""
    pages: int
    catalog: Catalog
    """Of the page's collections."""
    specs: Specs
    plan: Plan | None
    """For the page's collections; None where the models' wishes cannot be told."""
    trouble: str | None
    """Why not."""
    notes: dict[str, ProfileNote]


@dataclass(frozen=True, kw_only=True, slots=True)
class Drift:
    state: str
    """``same``, ``differs`` or ``free`` (no model declares it)."""
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class CollectionRow:
    address: Address
    name: str
    kind: str
    documents: str
    data: Bar | None
    """Bytes of the documents; None where there are none to measure, or none to be read."""
    indexes: Bar | None
    index_count: str
    drift: Drift | None
    warnings: tuple[str, ...]
    profiled: str | None
    """When the last profile was taken."""


def find_collections(
    database: Mongo, connection: Connection, *, matching: str, page: int, order: str
) -> Found:
    """``matching``: a part of the name, upper or lower case. ``order``: one of :data:`ORDERS`,
    ``-`` reverses; for one by size, the sizes of all matching collections are read. Raises
    PyMongo's errors."""
    specs, trouble = _specs(connection)
    names = _names(database, specs, matching)
    if order == "-name":
        names.reverse()
    pages = max(-(-len(names) // PER_PAGE), 1)
    page = min(max(page, 1), pages)
    chosen = names if _is_by_size(order) else _page(names, page)
    catalog = read_catalog(database, names=chosen, usage=False, multikey=False)
    wanted = tuple(specs[name] for name in chosen if name in specs)
    return Found(
        names=tuple(names),
        page=page,
        pages=pages,
        catalog=catalog,
        specs=specs,
        plan=diff(catalog, wanted) if trouble is None else None,
        trouble=trouble,
        notes=profile_notes(database, chosen),
    )


def collection_rows(found: Found, alias: str, order: str) -> list[CollectionRow]:
    """Of the page, in order; collections that only a model knows are among them."""
    known = {collection.name: collection for collection in found.catalog.collections}
    names = _by_size(found.names, known, order) if _is_by_size(order) else found.names
    # What was dropped between two questions is left out.
    chosen = [name for name in _page(names, found.page) if name in known or name in found.specs]
    statistics = [one.statistics for one in known.values() if one.statistics is not None]
    most_data = max((one.size for one in statistics), default=0)
    most_index = max((one.index_size for one in statistics), default=0)
    return [_row(name, known.get(name), found, alias, most_data, most_index) for name in chosen]


ORDERS = ("name", "documents", "data", "indexes")


def totals(database: Mongo) -> dict[str, str]:
    """Of the whole database, by the server's own sums."""
    answer = database.command("dbStats", read_preference=database.read_preference)
    return {
        "collections": count(int(answer.get("collections", 0))),
        "documents": count(int(answer.get("objects", 0))),
        "data": size(answer.get("dataSize", 0)),
        "storage": size(answer.get("storageSize", 0)),
        "indexes": size(answer.get("indexSize", 0)),
    }


def _specs(connection: Connection) -> tuple[Specs, str | None]:
    try:
        return specs_by_name(connection), None
    except (ImproperlyConfigured, DjongoServicesError) as error:
        return {}, trouble_text(error, connection)


def _names(database: Mongo, specs: Specs, matching: str) -> list[str]:
    listed = {one.name for one in list_collections(database, None)}
    names = {name for name in listed | specs.keys() if not name.startswith("system.")}
    return sorted(name for name in names if matching.lower() in name.lower())


def _page(names: Sequence[str], page: int) -> Sequence[str]:
    return names[(page - 1) * PER_PAGE : page * PER_PAGE]


def _is_by_size(order: str) -> bool:
    return order.removeprefix("-") in ORDERS[1:]


def _by_size(names: Iterable[str], known: dict[str, Collection], order: str) -> list[str]:
    def figure(name: str) -> float:
        collection = known.get(name)
        statistics = collection.statistics if collection else None
        if statistics is None:
            return -1
        match order.removeprefix("-"):
            case "documents":
                return statistics.count or 0
            case "data":
                return statistics.size
            case _:
                return statistics.index_size

    return sorted(sorted(names), key=figure, reverse=order.startswith("-"))


def _row(
    name: str,
    collection: Collection | None,
    found: Found,
    alias: str,
    most_data: int,
    most_index: int,
) -> CollectionRow:
    statistics = collection.statistics if collection else None
    note = found.notes.get(name)
    has_count = statistics is not None and statistics.count is not None
    return CollectionRow(
        address=Address(alias=alias, collection=name),
        name=shown_name(name),
        kind=kind_text(collection) if collection else _("not there"),
        documents=count(statistics.count or 0) if statistics and has_count else "",
        data=bar(size(statistics.size), statistics.size, most_data) if statistics else None,
        indexes=bar(size(statistics.index_size), statistics.index_size, most_index)
        if statistics
        else None,
        index_count=count(len(collection.indexes)) if collection and collection.indexes else "",
        drift=_drift(name, found),
        warnings=tuple(_warnings(collection, note)),
        profiled=note.finished if note else None,
    )


def _drift(name: str, found: Found) -> Drift | None:
    if name not in found.specs:
        own = name.startswith(OWN_PREFIX)
        return Drift(state="free", text=_("kept by this app") if own else _("no model"))
    if found.plan is None:
        return None
    changes = [change for change in found.plan.changes if change.collection == name]
    if not changes:
        return Drift(state="same", text=_("in sync"))
    return Drift(
        state="differs",
        text=ngettext("%(count)s difference", "%(count)s differences", len(changes))
        % {"count": count(len(changes))},
    )


def _warnings(collection: Collection | None, note: ProfileNote | None) -> Iterable[str]:
    if collection is None:
        return
    for missing in collection.unavailable:
        yield f"{printable(missing.what)}: {printable(missing.reason)}"
    if note is not None and note.warnings:
        yield ngettext(
            "%(count)s warning of the last profile",
            "%(count)s warnings of the last profile",
            note.warnings,
        ) % {"count": count(note.warnings)}
        return
    if superfluous := len(list(redundant(collection.indexes))):
        yield ngettext("%(count)s redundant index", "%(count)s redundant indexes", superfluous) % {
            "count": count(superfluous)
        }
    validator = collection.validator
    if validator is not None and validator.level == "off":
        yield _("validator is off")


def server_facts(catalog: Catalog) -> list[dict[str, Any]]:
    """The abilities, each with whether the server has it."""
    server = catalog.server
    told = (
        (_("transactions"), server.transactions),
        (_("snapshot reads"), server.snapshot_reads),
        (_("reasons of refused writes"), server.validator_errinfo),
        (_("conversion to unique"), server.prepare_unique),
        (_("twins of an index"), server.index_signatures),
        (_("conversion to TTL"), server.ttl_conversion),
        (_("time series"), server.time_series),
        (_("clustered collections"), server.clustered_collections),
    )
    return [{"name": name, "has": has} for name, has in told]
