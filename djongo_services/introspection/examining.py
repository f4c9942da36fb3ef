"""The documents of one collection: its profile, or why there is none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from pymongo.database import Database
from pymongo.errors import (
    InvalidName,
    OperationFailure,
)

from djongo_services import server_errors
from djongo_services.introspection.catalog import Catalog, Collection
from djongo_services.introspection.masking import without_secrets
from djongo_services.introspection.profiling import profile as profile_collection
from djongo_services.introspection.profiling.engine import Whole, is_small, profile_whole
from djongo_services.introspection.profiling.references.keys import keys_of
from djongo_services.introspection.profiling.references.samples import Harvested, harvested
from djongo_services.introspection.profiling.values import summarise_values
from djongo_services.introspection.report import Depth, Finding, Profile
from djongo_services.progress import ProgressHook, Stop


@dataclass(frozen=True, kw_only=True, slots=True)
class Examined:
    collection: Collection
    profile: Profile | None = None
    unreadable: Finding | None = None
    harvested: Harvested | None = None
    """The values of a collection that was read completely."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Examiner:
    """How the collections of a database are read."""

    database: Database[Any]
    catalog: Catalog
    depth: Depth
    sample: int
    values: bool
    show_secrets: bool

    def examine_small(self, collection: Collection, stop: Stop) -> Examined | None:
        """Examine a small collection in one thread, with one query; None if it is not small.

        Raises ProfilingInterrupted, and PyMongo's errors when the connection is lost.
        """
        if not is_small(collection, self.sample):
            return None
        try:
            source = self.database[collection.name]
            whole = profile_whole(source, self.depth, sample=self.sample, stop=stop)
        except (InvalidName, OperationFailure) as error:
            return _unreadable(collection, error)
        if whole is None:
            return None
        return self._examined(collection, whole.profile, whole, progress=None, stop=stop)

    def examine(
        self, collection: Collection, *, progress: ProgressHook | None, stop: Stop | None
    ) -> Examined:
        """Examine a collection. Raises PyMongo's errors when the connection is lost."""
        name = collection.name
        missing = _missing_source(self.catalog, collection)
        if missing is not None:
            reason = f"it is a view on {missing!r}, which does not exist"
            return _not_read(collection, f"{reason}; create that or drop the view")
        try:
            profile = profile_collection(
                self.database[name], self.depth, sample=self.sample, progress=progress, stop=stop
            )
        except (InvalidName, OperationFailure) as error:
            return _unreadable(collection, error)
        return self._examined(collection, profile, None, progress=progress, stop=stop)

    def _examined(
        self,
        collection: Collection,
        profile: Profile,
        whole: Whole | None,
        *,
        progress: ProgressHook | None,
        stop: Stop | None,
    ) -> Examined:
        if self._is_dropped(collection, profile):
            return _not_read(collection, "it was dropped in the meantime")
        documents: Sequence[bytes] | None = None if whole is None else whole.documents
        found = None
        if documents is not None:
            found = harvested(profile, keys_of(collection), documents)
        if self.values:
            profile = self._summarised(profile, progress, stop)
        return Examined(collection=collection, profile=profile, harvested=found)

    def _is_dropped(self, collection: Collection, profile: Profile) -> bool:
        """Whether it was dropped: a collection that no longer exists looks like an empty one."""
        had_documents = collection.statistics is not None and bool(collection.statistics.count)
        if profile.coverage.documents or not had_documents:
            return False
        return not self.database.list_collection_names(filter={"name": collection.name})

    def _summarised(
        self, profile: Profile, progress: ProgressHook | None, stop: Stop | None
    ) -> Profile:
        name = profile.collection
        try:
            found = summarise_values(
                self.database[name],
                profile,
                depth=self.depth,
                sample=self.sample,
                progress=progress,
                stop=stop,
            )
        except OperationFailure as error:
            reason = f"The values of {name!r} could not be summarised: {refusal(error)}."
            coverage = replace(profile.coverage, stopped=profile.coverage.stopped or reason)
            return replace(profile, coverage=coverage)
        return found if self.show_secrets else without_secrets(found)


def _missing_source(catalog: Catalog, collection: Collection) -> str | None:
    """The missing source of a view, or of a view that it reads.

    For such a view the server returns nothing, as if it were empty.
    """
    known = {one.name: one for one in (*catalog.collections, *catalog.system_collections)}
    seen = set()
    while collection.view_on is not None and collection.name not in seen:
        seen.add(collection.name)
        if collection.view_on not in known:
            return collection.view_on
        collection = known[collection.view_on]
    return None


def _unreadable(collection: Collection, error: InvalidName | OperationFailure) -> Examined:
    if isinstance(error, OperationFailure):
        return _not_read(collection, refusal(error))
    reason = "PyMongo refuses its name; rename it with the server's command renameCollection"
    return _not_read(collection, reason)


def _not_read(collection: Collection, reason: str) -> Examined:
    return Examined(collection=collection, unreadable=unreadable(collection.name, reason))


def unreadable(name: str, reason: str) -> Finding:
    return Finding(code="unreadable", message=f"{name!r} cannot be read: {reason}.")


def refusal(error: OperationFailure) -> str:
    """Why the server refused to read the documents of a collection, without a full stop."""
    if error.code == server_errors.UNAUTHORIZED:
        return "the database user lacks the privilege to read it; grant the role read"
    if error.code == server_errors.OPTION_NOT_SUPPORTED_ON_VIEW:
        return (
            "it is a view with a collation, and the server cannot compare its strings by another; "
            "inspect the collection that it reads"
        )
    message = str((error.details or {}).get("errmsg") or error)
    return message.partition("\n")[0][:300].rstrip(".")
