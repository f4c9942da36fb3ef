"""Inspecting a whole database, or some collections of it, for one report."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Container, Mapping, Sequence
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from functools import partial
from typing import Any, NoReturn, TypeAlias

from pymongo.database import Database
from pymongo.errors import (
    ConnectionFailure,
    OperationFailure,
    PyMongoError,
    ServerSelectionTimeoutError,
)

from djongo_services import server_errors
from djongo_services.abilities import Abilities
from djongo_services.exceptions import CollectionNotFound, PermissionMissing, ServerUnavailable
from djongo_services.formatting import counted
from djongo_services.introspection.catalog import Catalog, Collection
from djongo_services.introspection.examining import (
    Examined,
    Examiner,
    refusal,
    unreadable,
)
from djongo_services.introspection.masking import without_secret_examples
from djongo_services.introspection.muting import Mute, audible
from djongo_services.introspection.profiling.engine import is_small
from djongo_services.introspection.profiling.interruption import ProfilingInterrupted, ThreadPool
from djongo_services.introspection.profiling.references import find_references
from djongo_services.introspection.profiling.references.samples import Harvest
from djongo_services.introspection.profiling.warnings import find_warnings, grouped
from djongo_services.introspection.reading import read_catalog
from djongo_services.introspection.report import (
    CollectionReport,
    Depth,
    Finding,
    Profile,
    Reference,
    Report,
)
from djongo_services.progress import Progress, ProgressHook, Stop

Declared: TypeAlias = Callable[[Collection, Abilities], Container[str]]


def inspect_database(
    database: Database[Any],
    *,
    collections: Sequence[str] | None = None,
    exclude: Sequence[str] = (),
    depth: Depth = "sample",
    sample: int = 1000,
    values: bool = False,
    declared: Declared | None = None,
    show_secrets: bool = False,
    mute: Sequence[Mute] = (),
    progress: ProgressHook | None = None,
    stop: Stop | None = None,
) -> Report:
    """The catalog, profiles, references and warnings of a database, as one report.

    ``collections``: only these; their references to the others are found nevertheless. ``exclude``:
    shell patterns of names to leave out, case-sensitive. System collections are never profiled.
    ``values``: whether to summarise values too, which reads every collection once or twice more;
    what looks like a secret is left out unless ``show_secrets`` is set. ``mute``: warnings that are
    counted but not shown. ``declared`` returns the names of a collection's indexes that models
    declare, so that no warning advises to drop them. Everything is read with the database's read
    preference.

    Small collections are read completely, with one query each, a few at a time.

    A collection whose documents cannot be read is in the report without a profile, with a warning
    ``unreadable``. When ``stop`` is set or the connection is lost, the report contains what was
    done until then and the reason in ``stopped``; of the remaining collections it has only the
    catalog.

    Raises CollectionNotFound for a name that does not exist, ServerUnavailable when no server
    responds at the beginning, and PermissionMissing when the server refuses the user.
    """
    began = datetime.now(UTC)
    try:
        catalog = _read_catalog(database, progress)
    except PyMongoError as error:
        explain(database, error)
    chosen = _chosen(catalog, collections, exclude)
    examiner = Examiner(
        database=database,
        catalog=catalog,
        depth=depth,
        sample=max(sample, 1),
        values=values,
        show_secrets=show_secrets,
    )
    return _Inspection(examiner, mute, declared, progress, stop).report(chosen, began)


def _read_catalog(database: Database[Any], progress: ProgressHook | None) -> Catalog:
    if progress is not None:
        progress(Progress(collection="", phase="catalog", done=0))
    return read_catalog(database)


class _Inspection:
    """The results for each collection so far."""

    def __init__(
        self,
        examiner: Examiner,
        mutes: Sequence[Mute],
        declared: Declared | None,
        progress: ProgressHook | None,
        stop: Stop | None,
    ) -> None:
        self.examiner = examiner
        self.database = examiner.database
        self.catalog = examiner.catalog
        self.mutes = mutes
        self.declared = declared
        self.progress = progress
        self.stop = stop
        self.harvest = Harvest()
        self.profiles: dict[str, Profile] = {}
        self.unreadable: dict[str, Finding] = {}
        self.references: Mapping[str, tuple[Reference, ...]] = {}
        self.warnings: dict[str, tuple[Finding, ...]] = {}

    def report(self, chosen: Sequence[Collection], began: datetime) -> Report:
        stopped = None
        try:
            self._inspect(chosen)
        except ProfilingInterrupted:
            pass
        except ConnectionFailure as error:
            stopped = f"The connection to the server was lost: {first_sentence(error)}"
        if self.stop is not None and self.stop.is_set():
            stopped = "The inspection was stopped."
        if stopped is not None:
            done = len(self.profiles) + len(self.unreadable)
            were = "was" if len(chosen) == 1 else "were"
            stopped += f" {done} of {counted(len(chosen), 'collection')} {were} read."
        return Report(
            server=self.catalog.server,
            database=self.catalog.database,
            collections=tuple(self._report(one) for one in chosen),
            stopped=stopped,
            inspected_at=began,
        )

    def _inspect(self, chosen: Sequence[Collection]) -> None:
        for collection in self._examine_small(chosen):
            if self.stop is not None and self.stop.is_set():
                return
            self._take(self.examiner.examine(collection, progress=self.progress, stop=self.stop))
        self.references = find_references(
            self.database,
            self.catalog,
            self.profiles,
            sample=self.examiner.sample,
            complete=self.examiner.depth != "sample",
            harvest=self.harvest,
            progress=self.progress,
            stop=self.stop,
        )
        for collection in chosen:
            if collection.name in self.profiles:
                self._warn(collection)

    def _examine_small(self, chosen: Sequence[Collection]) -> list[Collection]:
        """Read the small ones, a few at a time, and return the others."""
        pool = ThreadPool(self.stop, lambda: None)
        small = [one for one in chosen if is_small(one, self.examiner.sample)]
        tasks = (partial(self._small, one, pool) for one in small)
        for number, (collection, examined) in enumerate(pool.run(tasks), 1):
            if examined is not None:
                self._take(examined)
            self._tell(collection.name, number, len(small))
        done = self.profiles.keys() | self.unreadable.keys()
        return [one for one in chosen if one.name not in done]

    def _small(
        self, collection: Collection, pool: ThreadPool
    ) -> tuple[Collection, Examined | None]:
        return collection, self.examiner.examine_small(collection, pool.halt)

    def _take(self, examined: Examined) -> None:
        name = examined.collection.name
        if examined.profile is not None:
            self.profiles[name] = examined.profile
        if examined.unreadable is not None:
            self.unreadable[name] = examined.unreadable
        if examined.harvested is not None:
            self.harvest.add(examined.harvested)

    def _tell(self, name: str, done: int, total: int) -> None:
        if self.progress is not None:
            self.progress(Progress(collection=name, phase="sample", done=done, total=total))

    def _warn(self, collection: Collection) -> None:
        name = collection.name
        try:
            found = find_warnings(
                self.database,
                collection,
                self.profiles[name],
                self.references.get(name, ()),
                values=self.examiner.values,
                declared=self.declared(collection, self.catalog.server) if self.declared else (),
                progress=self.progress,
                stop=self.stop,
            )
        except OperationFailure as error:
            found = (unreadable(name, refusal(error)),)
        if not self.examiner.show_secrets:
            found = without_secret_examples(name, found)
        self.warnings[name] = found

    def _report(self, collection: Collection) -> CollectionReport:
        name = collection.name
        warnings = self.warnings.get(name, ())
        if name in self.unreadable:
            warnings = (self.unreadable[name],)
        shown, muted = audible(name, warnings, self.mutes)
        return CollectionReport(
            collection=collection,
            profile=self.profiles.get(name),
            references=self.references.get(name, ()),
            warnings=tuple(grouped(shown)),
            muted=muted,
        )


def _chosen(
    catalog: Catalog, names: Sequence[str] | None, exclude: Sequence[str]
) -> list[Collection]:
    """The collections with these names; raises CollectionNotFound."""
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
        hint = f"it has {counted(len(known), 'other')}."
    else:
        hint = "it is empty."
    return f"There is no collection {name!r} in the database {database!r}; {hint}"


def explain(database: Database[Any], error: PyMongoError) -> NoReturn:
    """Raise the error again as one that names the server."""
    where = _address(database)
    match error:
        case ServerSelectionTimeoutError():
            timeout = database.client.options.server_selection_timeout
            raise ServerUnavailable(
                f"No MongoDB server answered at {where} within {timeout:g} "
                f"{'second' if timeout == 1 else 'seconds'}; "
                f"check that it is running and that the address is right."
            ) from error
        case ConnectionFailure():
            raise ServerUnavailable(
                f"The connection to the MongoDB server at {where} was lost: {first_sentence(error)}"
            ) from error
        case OperationFailure(code=code) if code in server_errors.AUTHENTICATION_FAILED:
            raise PermissionMissing(
                f"The MongoDB server at {where} refused the user name or the password; "
                f"check both, and authSource."
            ) from error
        case OperationFailure(code=server_errors.UNAUTHORIZED):
            raise PermissionMissing(
                f"The database user may not list the collections of {database.name!r} at {where}; "
                f"grant the role read on that database, or connect as a user who has it."
            ) from error
        case _:
            raise error


def _address(database: Database[Any]) -> str:
    servers = database.client.topology_description.server_descriptions()
    return ", ".join(sorted(f"{host}:{port}" for host, port in servers)) or "its address"


def first_sentence(error: PyMongoError) -> str:
    text = str(error).partition("\n")[0].partition(", Timeout:")[0]
    return text.partition(" (configured timeouts:")[0].rstrip(".") + "."
