"""A whole database, or some collections of it, as one report."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Any, NoReturn

from pymongo.collection import Collection as MongoCollection
from pymongo.database import Database
from pymongo.errors import (
    ConnectionFailure,
    InvalidName,
    OperationFailure,
    PyMongoError,
    ServerSelectionTimeoutError,
)

from djongo_services.exceptions import CollectionNotFound, PermissionMissing, ServerUnavailable
from djongo_services.introspection.catalog import Catalog, Collection
from djongo_services.introspection.profiling import profile as profile_collection
from djongo_services.introspection.profiling.references import find_references
from djongo_services.introspection.profiling.values import summarise_values
from djongo_services.introspection.profiling.warnings import find_warnings
from djongo_services.introspection.progress import Progress, ProgressHook, Stop
from djongo_services.introspection.reading import read_catalog
from djongo_services.introspection.report import (
    CollectionReport,
    Depth,
    Profile,
    Reference,
    Report,
    Warning,
)

_UNAUTHORIZED = 13
_AUTHENTICATION_FAILED = frozenset({18, 8000})
"""The server's code, and Atlas's."""


def inspect_database(
    database: Database[Any],
    *,
    collections: Sequence[str] | None = None,
    exclude: Sequence[str] = (),
    depth: Depth = "sample",
    sample: int = 1000,
    values: bool = False,
    progress: ProgressHook | None = None,
    stop: Stop | None = None,
) -> Report:
    """The catalog, profiles, references and warnings of a database, as one report.

    ``collections``: of these alone; their references to the others are found all the same.
    ``exclude``: shell patterns of names to leave out, case-sensitive. System collections are never
    profiled. ``values``: whether to summarise values too, which reads every collection once or
    twice more. Everything is read by the database's read preference.

    A collection whose documents cannot be read is in the report without a profile, with a warning
    ``unreadable``. When ``stop`` is set or the connection is lost, the report holds what was done
    until then and ``stopped`` says so; of the collections that were not reached it has the catalog
    alone.

    Raises CollectionNotFound for a name that does not exist, ServerUnavailable when no server
    answers at the beginning, and PermissionMissing when the server refuses the user.
    """
    try:
        catalog = _read_catalog(database, progress)
    except PyMongoError as error:
        _explain(database, error)
    chosen = _chosen(catalog, collections, exclude)
    inspection = _Inspection(database, catalog, depth, sample, values, progress, stop)
    return inspection.report(chosen)


def _read_catalog(database: Database[Any], progress: ProgressHook | None) -> Catalog:
    if progress is not None:
        progress(Progress(collection="", phase="catalog", done=0))
    return read_catalog(database)


class _Inspection:
    """What was found of each collection so far."""

    def __init__(
        self,
        database: Database[Any],
        catalog: Catalog,
        depth: Depth,
        sample: int,
        values: bool,
        progress: ProgressHook | None,
        stop: Stop | None,
    ) -> None:
        self.database = database
        self.catalog = catalog
        self.depth = depth
        self.sample = sample
        self.values = values
        self.progress = progress
        self.stop = stop
        self.profiles: dict[str, Profile] = {}
        self.unreadable: dict[str, Warning] = {}
        self.references: Mapping[str, tuple[Reference, ...]] = {}
        self.warnings: dict[str, tuple[Warning, ...]] = {}

    def report(self, chosen: Sequence[Collection]) -> Report:
        stopped = None
        try:
            self._inspect(chosen)
        except ConnectionFailure as error:
            stopped = f"The connection to the server was lost: {_first_sentence(error)}"
        if self.stop is not None and self.stop.is_set():
            stopped = "The inspection was stopped."
        if stopped is not None:
            done = len(self.profiles) + len(self.unreadable)
            stopped += f" {done} of {len(chosen)} collections were read."
        return Report(
            server=self.catalog.server,
            database=self.catalog.database,
            collections=tuple(self._report(one) for one in chosen),
            stopped=stopped,
        )

    def _inspect(self, chosen: Sequence[Collection]) -> None:
        for collection in chosen:
            if self.stop is not None and self.stop.is_set():
                return
            self._read(collection)
        self.references = find_references(
            self.database,
            self.catalog,
            self.profiles,
            sample=self.sample,
            complete=self.depth != "sample",
            progress=self.progress,
            stop=self.stop,
        )
        for collection in chosen:
            if collection.name in self.profiles:
                self._warn(collection)

    def _read(self, collection: Collection) -> None:
        name = collection.name
        missing = _missing_source(self.catalog, collection)
        if missing is not None:
            reason = f"it is a view on {missing!r}, which does not exist"
            self.unreadable[name] = _unreadable(name, f"{reason}; create that or drop the view")
            return
        try:
            self.profiles[name] = self._profile(self.database[name])
        except InvalidName:
            reason = (
                "PyMongo refuses its name; rename it with the server's command renameCollection"
            )
            self.unreadable[name] = _unreadable(name, reason)
            return
        except OperationFailure as error:
            self.unreadable[name] = _unreadable(name, _refusal(error))
            return
        if self._is_dropped(collection):
            del self.profiles[name]
            self.unreadable[name] = _unreadable(name, "it was dropped in the meantime")
            return
        if self.values:
            self._summarise(name)

    def _profile(self, collection: MongoCollection[Any]) -> Profile:
        return profile_collection(
            collection,
            self.depth,
            sample=self.sample,
            progress=self.progress,
            stop=self.stop,
        )

    def _is_dropped(self, collection: Collection) -> bool:
        """A collection that no longer exists looks like an empty one."""
        had_documents = collection.statistics is not None and bool(collection.statistics.count)
        if self.profiles[collection.name].coverage.documents or not had_documents:
            return False
        return not self.database.list_collection_names(filter={"name": collection.name})

    def _summarise(self, name: str) -> None:
        profile = self.profiles[name]
        try:
            self.profiles[name] = summarise_values(
                self.database[name],
                profile,
                depth=self.depth,
                sample=self.sample,
                progress=self.progress,
                stop=self.stop,
            )
        except OperationFailure as error:
            reason = f"The values of {name!r} could not be summarised: {_refusal(error)}."
            coverage = replace(profile.coverage, stopped=profile.coverage.stopped or reason)
            self.profiles[name] = replace(profile, coverage=coverage)

    def _warn(self, collection: Collection) -> None:
        name = collection.name
        try:
            self.warnings[name] = find_warnings(
                self.database,
                collection,
                self.profiles[name],
                self.references.get(name, ()),
                values=self.values,
                progress=self.progress,
                stop=self.stop,
            )
        except OperationFailure as error:
            self.warnings[name] = (_unreadable(name, _refusal(error)),)

    def _report(self, collection: Collection) -> CollectionReport:
        name = collection.name
        if name in self.unreadable:
            return CollectionReport(collection=collection, warnings=(self.unreadable[name],))
        return CollectionReport(
            collection=collection,
            profile=self.profiles.get(name),
            references=self.references.get(name, ()),
            warnings=self.warnings.get(name, ()),
        )


def _chosen(
    catalog: Catalog, names: Sequence[str] | None, exclude: Sequence[str]
) -> list[Collection]:
    """By name; raises CollectionNotFound."""
    known = {collection.name: collection for collection in catalog.collections}
    for name in names or ():
        if name not in known:
            raise CollectionNotFound(_not_found(name, catalog.database, list(known)))
    wanted = known if names is None else dict.fromkeys(names)
    return [
        known[name]
        for name in sorted(wanted)
        if not any(fnmatchcase(name, pattern) for pattern in exclude)
    ]


def _not_found(name: str, database: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(name, known, n=3, cutoff=0.6)
    alike = [one for one in known if one.lower() == name.lower()]
    suggested = list(dict.fromkeys([*alike, *close]))
    if suggested:
        hint = f"did you mean {' or '.join(repr(one) for one in suggested)}?"
    elif known:
        hint = f"it has {len(known)} others."
    else:
        hint = "it is empty."
    return f"There is no collection {name!r} in the database {database!r}; {hint}"


def _missing_source(catalog: Catalog, collection: Collection) -> str | None:
    """What a view, or a view that it reads, is on, if that does not exist.

    The server answers such a view with nothing at all, as if it were empty.
    """
    known = {one.name: one for one in (*catalog.collections, *catalog.system_collections)}
    seen = set()
    while collection.view_on is not None and collection.name not in seen:
        seen.add(collection.name)
        if collection.view_on not in known:
            return collection.view_on
        collection = known[collection.view_on]
    return None


def _unreadable(name: str, reason: str) -> Warning:
    return Warning(code="unreadable", message=f"{name!r} cannot be read: {reason}.")


def _refusal(error: OperationFailure) -> str:
    if error.code == _UNAUTHORIZED:
        return "the database user lacks the privilege to read it; grant the role read"
    message = str((error.details or {}).get("errmsg") or error)
    return message.partition("\n")[0][:300].rstrip(".")


def _explain(database: Database[Any], error: PyMongoError) -> NoReturn:
    """The same error in one sentence that names the server, without user and password."""
    where = _address(database)
    match error:
        case ServerSelectionTimeoutError():
            timeout = database.client.options.server_selection_timeout
            raise ServerUnavailable(
                f"No MongoDB server answered at {where} within {timeout:g} seconds; "
                f"check that it is running and that the address is right."
            ) from error
        case ConnectionFailure():
            raise ServerUnavailable(
                f"The connection to the MongoDB server at {where} was lost: "
                f"{_first_sentence(error)}"
            ) from error
        case OperationFailure(code=code) if code in _AUTHENTICATION_FAILED:
            raise PermissionMissing(
                f"The MongoDB server at {where} refused the user name or the password; "
                f"check both, and authSource."
            ) from error
        case OperationFailure(code=13):
            raise PermissionMissing(
                f"The database user may not list the collections of {database.name!r} at {where}; "
                f"grant the role read on that database, or connect as a user who has it."
            ) from error
        case _:
            raise error


def _address(database: Database[Any]) -> str:
    servers = database.client.topology_description.server_descriptions()
    return ", ".join(sorted(f"{host}:{port}" for host, port in servers)) or "its address"


def _first_sentence(error: PyMongoError) -> str:
    text = str(error).partition("\n")[0].partition(", Timeout:")[0]
    return text.partition(" (configured timeouts:")[0].rstrip(".") + "."
