"""Which fields refer to which collections."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from pymongo.database import Database
from pymongo.errors import InvalidName, OperationFailure

from djongo_services.introspection.catalog import Catalog, Collection
from djongo_services.introspection.path import ELEMENT, Path, query_path
from djongo_services.introspection.profiling.decoding import LENIENT
from djongo_services.introspection.profiling.extraction import named_beside_keys
from djongo_services.introspection.profiling.interruption import Interrupted
from djongo_services.introspection.profiling.references.candidates import Candidates
from djongo_services.introspection.profiling.references.judging import Option, choose
from djongo_services.introspection.profiling.references.keys import (
    Key,
    existing,
    is_unmistakable,
    keys_of,
    token,
)
from djongo_services.introspection.profiling.references.samples import (
    Sampled,
    has_dbrefs,
    key_like,
    sample_dbrefs,
    sample_values,
)
from djongo_services.introspection.profiling.references.verifying import verify
from djongo_services.introspection.progress import Progress, ProgressHook, Stop
from djongo_services.introspection.report import Profile, Reference

PROBE = 10
"""Values of each path that are looked up under every key of the database."""

_UNREADABLE = (OperationFailure, InvalidName)
"""PyMongo refuses names such as ``a..b`` that the server accepts."""


def find_references(
    database: Database[Any],
    catalog: Catalog,
    profiles: Mapping[str, Profile],
    *,
    sample: int = 1000,
    complete: bool = False,
    progress: ProgressHook | None = None,
    stop: Stop | None = None,
) -> dict[str, tuple[Reference, ...]]:
    """The references in each profiled collection, verified against the collections of ``catalog``.

    A field refers to a collection when its values are that collection's ``_id`` values or those
    of another field with a unique index. Object ids, UUIDs and other values that nobody writes
    twice by accident are looked up under every key; others only where the field's name speaks of
    the collection. Up to ``sample`` distinct values of each field are then looked up; with
    ``complete`` the server looks all of them up. :mod:`.judging` says how many must be found.

    Reads at most a sample of each collection (or all of it, where that is cheaper) and sends one
    query for every 1,000 values and key, however many fields they come from. What cannot be read
    has no references and is no target. When ``stop`` is set, what was found so far is returned.
    Raises PyMongo's errors when the connection is lost.
    """
    search = _Search(database, catalog, profiles, sample, complete, progress, stop)
    found: dict[str, tuple[Reference, ...]] = dict.fromkeys(profiles, ())
    with suppress(Interrupted):
        search.probe()
        for name in profiles:
            with suppress(OperationFailure):
                found[name] = search.references(name)
    return found


class _Search:
    """The keys of a database, and what may refer to them."""

    def __init__(
        self,
        database: Database[Any],
        catalog: Catalog,
        profiles: Mapping[str, Profile],
        sample: int,
        complete: bool,
        progress: ProgressHook | None,
        stop: Stop | None,
    ) -> None:
        self.database = database.with_options(codec_options=LENIENT)
        self.collections = {one.name: one for one in catalog.collections}
        self.profiles = profiles
        self.sample = sample
        self.complete = complete
        self.progress = progress
        self.stop = stop
        keys = [key for one in catalog.collections for key in keys_of(one)]
        self.candidates = Candidates(keys, profiles)

    def probe(self) -> None:
        """Look some unmistakable values of every path up under every key."""
        probes: dict[tuple[str, Path], list[Any]] = {}
        for name, profile in self.profiles.items():
            paths = [field.path for field in profile.walk() if key_like(field)]
            with suppress(OperationFailure):
                for one in self._samples(profile, paths, min(self.sample, PROBE * 10)):
                    telling = [value for value in one.values if is_unmistakable(value)]
                    if telling:
                        probes[name, one.path] = telling[:PROBE]
        values = {token(value): value for values in probes.values() for value in values}
        for key in self.candidates.keys:
            fitting = [value for value in values.values() if self.candidates.fits(key, value)]
            with suppress(*_UNREADABLE):
                found = existing(self.database, key, fitting, stop=self.stop)
                self._remember(key, found, probes)

    def references(self, name: str) -> tuple[Reference, ...]:
        """Those of one collection, by path."""
        profile = self.profiles[name]
        paths = [
            field.path
            for field in profile.walk()
            if key_like(field) and self.candidates.of(name, field.path)
        ]
        found = [
            reference
            for one in self._samples(profile, paths, self.sample)
            for reference in self._judged(name, one)
        ]
        found += self._dbrefs(name, profile)
        self._tell(profile)
        return tuple(sorted(found, key=lambda one: [str(step) for step in one.path]))

    def _remember(
        self, key: Key, found: set[Any], probes: Mapping[tuple[str, Path], Sequence[Any]]
    ) -> None:
        for (name, path), values in probes.items():
            # A unique field is not a reference to itself.
            own = key.collection == name and query_path(path) == key.field
            if not own and any(token(value) in found for value in values):
                self.candidates.add(name, path, key)

    def _judged(self, name: str, sampled: Sampled) -> list[Reference]:
        options = []
        for key, evidence in self.candidates.of(name, sampled.path).items():
            fitting = [value for value in sampled.values if self.candidates.fits(key, value)]
            with suppress(*_UNREADABLE):
                found = existing(self.database, key, fitting, stop=self.stop)
                options.append(Option(key=key, evidence=evidence, found=frozenset(found)))
        chosen = choose(sampled.path, sampled.values, options)
        return [self._reference(name, option, sampled) for option in chosen]

    def _reference(self, name: str, option: Option, sampled: Sampled) -> Reference:
        values = {token(value) for value in sampled.values}
        return self._verified(
            name,
            Reference(
                path=sampled.path,
                target=option.key.collection,
                target_path=option.key.field,
                many=ELEMENT in sampled.path,
                unique=is_unique(self.collections.get(name), sampled.path),
                checked=len(values),
                found=len(values & option.found),
                complete=sampled.complete,
            ),
        )

    def _dbrefs(self, name: str, profile: Profile) -> list[Reference]:
        paths = [field.path for field in profile.walk() if has_dbrefs(field)]
        if not paths:
            return []
        source = self.database[name]
        references = []
        for one in sample_dbrefs(source, profile, paths, sample=self.sample, stop=self.stop):
            key = Key(collection=one.target)
            known = one.target in self.collections
            found = existing(self.database, key, one.values, stop=self.stop) if known else set()
            values = {token(value) for value in one.values}
            reference = Reference(
                path=one.path,
                target=one.target,
                kind="dbRef",
                many=ELEMENT in one.path,
                unique=is_unique(self.collections.get(name), one.path),
                checked=len(values),
                found=len(values & found),
                complete=one.complete,
            )
            references.append(self._verified(name, reference))
        return references

    def _verified(self, name: str, reference: Reference) -> Reference:
        if not self.complete or reference.complete:
            return reference
        beside = named_beside_keys(self.profiles[name])
        return verify(self.database[name], reference, beside=beside, stop=self.stop)

    def _samples(self, profile: Profile, paths: Sequence[Path], sample: int) -> Iterable[Sampled]:
        source = self.database[profile.collection]
        return sample_values(source, profile, paths, sample=sample, stop=self.stop)

    def _tell(self, profile: Profile) -> None:
        if self.progress is not None:
            documents = profile.coverage.documents
            self.progress(
                Progress(
                    collection=profile.collection,
                    phase="references",
                    done=documents,
                    total=documents,
                )
            )


def is_unique(collection: Collection | None, path: Path) -> bool:
    """Whether a unique index covers ``path`` alone.

    A partial index counts where its filter is about nothing but the path, as the unique
    constraints of django-mongodb-backend are, which leave only nulls out.
    """
    name = query_path(path)
    if collection is None or name is None:
        return False
    return any(
        index.unique
        and [key for key, _ in index.keys] == [name]
        and set(index.partial_filter or {}) <= {name}
        for index in collection.indexes
    )
