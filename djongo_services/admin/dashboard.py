"""The content of a connection's dashboard: the server, and its collections page by page.

A page has :data:`PER_PAGE` collections, and sizes are read only for these, because they cost the
server about 0.4 ms for each collection and each index.
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
from djongo_services.admin.dashboard_groups import GROUPS, Group, group_of
from djongo_services.admin.deadline import Mongo, error_text
from djongo_services.admin.profiles.keeping import ProfileNote, profile_notes
from djongo_services.connections import Connection
from djongo_services.exceptions import DjongoServicesError
from djongo_services.formatting import count, printable, size
from djongo_services.introspection import read_catalog
from djongo_services.introspection.catalog import Catalog, Collection
from djongo_services.introspection.reading.listing import list_types
from djongo_services.introspection.redundancy import redundant
from djongo_services.introspection.rendering.wording import kind_text
from djongo_services.schema.declared import Specs, declared_indexes, specs_by_name
from djongo_services.schema.diff import diff
from djongo_services.schema.plan import Plan

PER_PAGE = 50
STATES = ("differs", "same", "free")
"""The filters of the list: collections that differ from their models, that are in sync, and that no
model declares."""
MOST_BY_SIZE = 200
"""Up to this many collections, all sizes are read to sort by them; for more, only if the user has
accepted that it may take long."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DashboardPageData:
    """The data for one page of the dashboard."""

    names: tuple[str, ...]
    """The names of all matching collections, including those that only a model knows: in order, and
    grouped unless they are sorted by size."""
    groups: dict[str, Group]
    """Groups by collection name."""
    page: int
    """The page number from 1; the last one if a higher number was requested."""
    pages: int
    catalog: Catalog
    """The catalog of the page's collections."""
    specs: Specs
    plan: Plan | None
    """The plan for the collections that were read; None if the models' specs are unavailable."""
    is_whole: bool
    """Whether these are all collections of the models."""
    trouble: str | None
    """Why the specs are unavailable."""
    notes: dict[str, ProfileNote]
    order: str
    """The order of the list; by name if there are too many to sort by size."""
    too_many: bool
    """Whether there are too many to sort by size."""
    every: int
    """The number of all collections, whether they match or not."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Drift:
    state: str
    """``same``, ``differs`` or ``free`` (no model declares it)."""
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class CollectionRow:
    address: Address
    group: Group
    name: str
    kind: str
    documents: str
    data: Bar | None
    """The size of the documents in bytes; None if it is unknown or does not apply."""
    indexes: Bar | None
    index_count: str
    drift: Drift | None
    warnings: tuple[str, ...]
    profiled: str | None
    """The day of the last profile."""


def find_collections(
    database: Mongo,
    connection: Connection,
    *,
    matching: str,
    page: int,
    order: str,
    state: str = "",
    may_take_long: bool = False,
) -> DashboardPageData:
    """``matching``: part of the name, ignoring case. ``order``: one of :data:`ORDERS`, reversed
    with ``-``; to sort by size, the sizes of all matching collections are read, for more than
    :data:`MOST_BY_SIZE` only if it ``may_take_long``. ``state``: one of :data:`STATES`, or empty;
    to compare with the models, the indexes of all these collections are read. Raises PyMongo's
    errors."""
    specs, trouble = _specs(connection)
    every = _names(database, specs)
    names = [name for name in every if matching.lower() in name.lower()]
    groups = {name: group_of(name, specs, every) for name in names}
    if state == "free":
        names = [name for name in names if groups[name] == "free"]
    elif state:
        names = [name for name in names if name in specs] if trouble is None else []
    names.sort(reverse=order == "-name")
    names.sort(key=lambda name: GROUPS.index(groups[name]))
    compared = None
    if state in STATES[:2] and trouble is None:
        # Sizes are the most expensive part, and the comparison does not need them.
        compared = _compared(database, specs, names)
        differing = {change.collection for change in compared.changes}
        names = [name for name in names if (name in differing) == (state == "differs")]
    if too_many := _is_by_size(order) and len(names) > MOST_BY_SIZE and not may_take_long:
        order = "name"
    page = _bounded(page, names)
    shown = names if _is_by_size(order) else _page(names, page)
    catalog = read_catalog(database, names=shown, usage=False, multikey=False)
    wanted = tuple(specs[name] for name in shown if name in specs)
    plan = compared or (diff(catalog, wanted) if trouble is None else None)
    return DashboardPageData(
        names=tuple(names),
        groups=groups,
        page=page,
        pages=_pages(names),
        catalog=catalog,
        specs=specs,
        plan=plan,
        is_whole=compared is None and len(wanted) == len(specs),
        order=order,
        too_many=too_many,
        every=len(every),
        trouble=trouble,
        notes=profile_notes(database, shown),
    )


def collection_rows(found: DashboardPageData, alias: str) -> list[CollectionRow]:
    """The rows of the page, in order, including collections that only a model knows."""
    known = {collection.name: collection for collection in found.catalog.collections}
    is_by_size = _is_by_size(found.order)
    names = _by_size(found.names, known, found.order) if is_by_size else found.names
    # A collection that was dropped between two queries is left out.
    chosen = [name for name in _page(names, found.page) if name in known or name in found.specs]
    statistics = [one.statistics for one in known.values() if one.statistics is not None]
    most_data = max((one.size for one in statistics), default=0)
    most_index = max((one.index_size for one in statistics), default=0)
    return [_row(name, known.get(name), found, alias, most_data, most_index) for name in chosen]


ORDERS = ("name", "documents", "data", "indexes")


def _compared(database: Mongo, specs: Specs, names: Sequence[str]) -> Plan:
    catalog = read_catalog(database, names=names, statistics=False, usage=False, multikey=False)
    return diff(catalog, tuple(specs[name] for name in names if name in specs))


def _specs(connection: Connection) -> tuple[Specs, str | None]:
    try:
        return specs_by_name(connection), None
    except (ImproperlyConfigured, DjongoServicesError) as error:
        return {}, error_text(error, connection)


def _names(database: Mongo, specs: Specs) -> set[str]:
    listed = list_types(database)
    return {name for name in listed.keys() | specs.keys() if not name.startswith("system.")}


def _pages(names: Sequence[str]) -> int:
    return max(-(-len(names) // PER_PAGE), 1)


def _bounded(page: int, names: Sequence[str]) -> int:
    return min(max(page, 1), _pages(names))


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
    found: DashboardPageData,
    alias: str,
    most_data: int,
    most_index: int,
) -> CollectionRow:
    statistics = collection.statistics if collection else None
    note = found.notes.get(name)
    has_count = statistics is not None and statistics.count is not None
    return CollectionRow(
        address=Address(alias=alias, collection=name),
        group=found.groups[name],
        name=shown_name(name),
        kind=kind_text(collection) if collection else _("missing"),
        documents=count(statistics.count or 0) if statistics and has_count else "",
        data=bar(size(statistics.size), statistics.size, most_data) if statistics else None,
        indexes=bar(size(statistics.index_size), statistics.index_size, most_index)
        if statistics
        else None,
        index_count=count(len(collection.indexes)) if collection and collection.indexes else "",
        drift=_drift(name, found),
        warnings=tuple(_warnings(collection, note, found)),
        profiled=note.finished[:10] if note else None,
    )


def _drift(name: str, found: DashboardPageData) -> Drift | None:
    if name not in found.specs:
        return Drift(state="free", text=_without_model(found.groups.get(name, "free")))
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


def _without_model(group: Group) -> str:
    match group:
        case "own":
            return _("used by this app")
        case "files":
            return _("part of a bucket")
        case "django":
            return _("used by Django")
        case _:
            return _("no model")


def _warnings(
    collection: Collection | None, note: ProfileNote | None, found: DashboardPageData
) -> Iterable[str]:
    if collection is None:
        return
    for missing in collection.unavailable:
        yield f"{printable(missing.what)}: {printable(missing.reason)}"
    if note is not None and note.warnings:
        yield ngettext("%(count)s warning", "%(count)s warnings", note.warnings) % {
            "count": count(note.warnings)
        }
        return
    spec = found.specs.get(collection.name)
    declared = declared_indexes(collection, spec, found.catalog.server)
    if superfluous := len(list(redundant(collection.indexes, declared))):
        yield ngettext("%(count)s redundant index", "%(count)s redundant indexes", superfluous) % {
            "count": count(superfluous)
        }
    validator = collection.validator
    if validator is not None and validator.level == "off":
        yield _("validator is off")


def server_facts(catalog: Catalog) -> list[dict[str, Any]]:
    """The features, each with whether the server has it."""
    server = catalog.server
    told = (
        (_("transactions"), server.transactions),
        (_("snapshot reads"), server.snapshot_reads),
        (_("validation error details"), server.validator_errinfo),
        (_("conversion to unique"), server.prepare_unique),
        (_("several indexes with one key pattern"), server.index_signatures),
        (_("conversion to TTL"), server.ttl_conversion),
        (_("time series"), server.time_series),
        (_("clustered collections"), server.clustered_collections),
    )
    return [{"name": name, "has": has} for name, has in told]
