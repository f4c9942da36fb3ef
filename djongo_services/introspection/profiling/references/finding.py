"""Finding which fields refer to which collections.

Values that were found make a reference if, of the distinct ones looked up:

- 10 % were found, if the values are unmistakable (object ids, UUIDs): one that exists elsewhere is
  no accident, and the others are dangling;
- 50 % were found, if the name says that it contains keys of the collection (``author_id``);
- 95 % of at least 5 were found, if the name is only the collection's (``order`` for ``orders``).

Without evidence in the name, only unmistakable values count.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from pymongo.database import Database
from pymongo.errors import InvalidName, OperationFailure

from djongo_services.bson_decoding import LENIENT
from djongo_services.introspection.catalog import Catalog, Collection
from djongo_services.introspection.path import ELEMENT, Path, query_path
from djongo_services.introspection.profiling.extraction import named_beside_keys
from djongo_services.introspection.profiling.interruption import ProfilingInterrupted, ThreadPool
from djongo_services.introspection.profiling.references.addressed import (
    FORMS,
    Form,
    sample_addresses,
)
from djongo_services.introspection.profiling.references.candidates import (
    Candidates,
    Evidence,
    closeness,
    common_beginning,
)
from djongo_services.introspection.profiling.references.keys import (
    TargetKey,
    Token,
    is_unmistakable,
    keys_of,
    token,
)
from djongo_services.introspection.profiling.references.lookups import Hits, Lookups, Probes
from djongo_services.introspection.profiling.references.samples import (
    PROBE,
    Harvest,
    Sampled,
    key_like,
    may_tell,
    sample_values,
)
from djongo_services.introspection.profiling.references.verifying import verify
from djongo_services.introspection.report import Profile, Reference
from djongo_services.progress import Progress, ProgressHook, Stop

_UNREADABLE = (OperationFailure, InvalidName)
"""PyMongo refuses names such as ``a..b`` that the server accepts."""

References = dict[str, tuple[Reference, ...]]


def find_references(
    database: Database[Any],
    catalog: Catalog,
    profiles: Mapping[str, Profile],
    *,
    sample: int = 1000,
    complete: bool = False,
    harvest: Harvest | None = None,
    progress: ProgressHook | None = None,
    stop: Stop | None = None,
) -> References:
    """The references in each profiled collection, verified against the collections of ``catalog``.

    A field refers to a collection if its values are that collection's ``_id`` values or those of
    another field with a unique index; an ObjectId or UUID may be stored as text. Object ids, UUIDs
    and other values that do not occur twice by accident are looked up under every key; others only
    if the field's name suggests the collection. Then up to ``sample`` distinct values of each field
    are looked up; with ``complete`` all of them are. The required shares are in the module's
    documentation. DBRefs and the pointers of Parse contain their target themselves.

    This reads at most a sample of each collection (or all of it, if that is cheaper), nothing that
    ``harvest`` has, and sends one query for every 1,000 values and key, however many fields they
    come from, three at a time. A collection that cannot be read has no references and is not a
    target. When ``stop`` is set, the references found so far are returned. Raises PyMongo's errors
    when the connection is lost.
    """
    found: References = dict.fromkeys(profiles, ())
    pool = ThreadPool(stop, lambda: None)
    search = _Search(database, catalog, profiles, sample, complete, harvest or Harvest(), pool)
    with suppress(ProfilingInterrupted):
        search.probe()
        for name, references in pool.run(partial(search.references, name) for name in profiles):
            found[name] = references
            if progress is not None:
                total = profiles[name].coverage.documents
                progress(Progress(collection=name, phase="references", done=total, total=total))
    return found


class _Search:
    """The keys of a database, and the fields that may refer to them."""

    def __init__(
        self,
        database: Database[Any],
        catalog: Catalog,
        profiles: Mapping[str, Profile],
        sample: int,
        complete: bool,
        harvest: Harvest,
        pool: ThreadPool,
    ) -> None:
        self.database = database.with_options(codec_options=LENIENT)
        self.collections = {one.name: one for one in catalog.collections}
        self.profiles = profiles
        self.sample = sample
        self.complete = complete
        self.harvest = harvest
        self.pool = pool
        keys = [key for one in catalog.collections for key in keys_of(one)]
        self.candidates = Candidates(keys, profiles)
        self.lookups = Lookups(self.database, self.candidates, harvest, pool.halt)

    def probe(self) -> None:
        """Look up some unmistakable values of every path under every key."""
        probes = Probes(self.lookups)
        asked = []
        for name, profile in self.profiles.items():
            telling = self.harvest.telling(name)
            if telling is None:
                asked.append(partial(self._telling, profile))
            else:
                probes.add(name, telling)
        for name, telling in self.pool.run(asked):
            probes.add(name, telling)
        probes.look_up_what_is_known()
        unknown = [key for key in self.candidates.keys if self.harvest.hashes(key) is None]
        for key, found in self.pool.run(partial(self._existing, probes, key) for key in unknown):
            probes.found(key, found)

    def references(self, name: str) -> tuple[str, tuple[Reference, ...]]:
        """The references of one collection, by path."""
        profile = self.profiles[name]
        with suppress(OperationFailure):
            found = [
                reference
                for one in self._samples(profile, self._worth_a_look(profile), self.sample)
                for reference in self._judged(name, one)
            ]
            found += self._addressed(name, profile)
            return name, tuple(sorted(found, key=lambda one: [str(step) for step in one.path]))
        return name, ()

    def _worth_a_look(self, profile: Profile) -> list[Path]:
        return [
            field.path
            for field in profile.walk()
            if key_like(field) and self.candidates.of(profile.collection, field.path)
        ]

    def _telling(self, profile: Profile) -> tuple[str, dict[Path, Sequence[Any]]]:
        paths = [field.path for field in profile.walk() if may_tell(field)]
        found: dict[Path, Sequence[Any]] = {}
        with suppress(OperationFailure):
            for one in self._samples(profile, paths, min(self.sample, PROBE * 10)):
                values = [value for value in one.values if is_unmistakable(value)]
                if values:
                    found[one.path] = values[:PROBE]
        return profile.collection, found

    def _existing(self, probes: Probes, key: TargetKey) -> tuple[TargetKey, Hits]:
        with suppress(*_UNREADABLE):
            return key, self.lookups.hits(key, probes.values)
        return key, Hits()

    def _judged(self, name: str, sampled: Sampled) -> list[Reference]:
        options = []
        for key, evidence in self.candidates.of(name, sampled.path).items():
            with suppress(*_UNREADABLE):
                hits = self.lookups.hits(key, sampled.values)
                options.append(Option(key=key, evidence=evidence, hits=hits))
        chosen = choose(name, sampled.path, sampled.values, options)
        return [self._reference(name, option, sampled) for option in chosen]

    def _reference(self, name: str, option: Option, sampled: Sampled) -> Reference:
        values = {token(value) for value in sampled.values}
        reference = Reference(
            path=sampled.path,
            target=option.key.collection,
            target_path=option.key.field,
            kind="text" if option.is_text else "value",
            many=ELEMENT in sampled.path,
            unique=is_unique(self.collections.get(name), sampled.path),
            checked=len(values),
            found=len(values & option.found),
            complete=sampled.complete,
        )
        return self._verified(name, reference, option.hits)

    def _addressed(self, name: str, profile: Profile) -> list[Reference]:
        """The references by DBRefs and pointers."""
        return [reference for form in FORMS for reference in self._of_form(name, profile, form)]

    def _of_form(self, name: str, profile: Profile, form: Form) -> Iterable[Reference]:
        source = self.database[name]
        stop = self.pool.halt
        for one in sample_addresses(source, profile, form, sample=self.sample, stop=stop):
            hits = Hits()
            if one.target in self.collections:
                with suppress(*_UNREADABLE):
                    hits = self.lookups.hits(TargetKey(collection=one.target), one.values)
            values = {token(value) for value in one.values}
            reference = Reference(
                path=one.path,
                target=one.target,
                kind=form.kind,
                many=ELEMENT in one.path,
                unique=is_unique(self.collections.get(name), one.path),
                checked=len(values),
                found=len(values & hits.all),
                complete=one.complete,
            )
            yield self._verified(name, reference, hits)

    def _verified(self, name: str, reference: Reference, hits: Hits) -> Reference:
        if not self.complete or reference.complete:
            return reference
        beside = named_beside_keys(self.profiles[name])
        source = self.database[name]
        converted = bool(hits.converted)
        return verify(source, reference, self.lookups, beside=beside, converted=converted)

    def _samples(self, profile: Profile, paths: Sequence[Path], sample: int) -> Iterable[Sampled]:
        kept = self.harvest.sample(profile, paths, sample)
        if kept is not None:
            return kept
        source = self.database[profile.collection]
        return sample_values(source, profile, paths, sample=sample, stop=self.pool.halt)


def is_unique(collection: Collection | None, path: Path) -> bool:
    """Whether a unique index covers ``path`` alone.

    A partial index counts if its filter concerns only the path, as in the unique constraints of
    django-mongodb-backend, which only exclude nulls.
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


# When values that were found make a reference.
UNMISTAKABLE_SHARE = 0.1
KEYED_SHARE = 0.5
NAMED_SHARE = 0.95
NAMED_MINIMUM = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class Option:
    """A key under which values of a path were looked up."""

    key: TargetKey
    evidence: Evidence
    hits: Hits

    @property
    def found(self) -> frozenset[Token]:
        return self.hits.all

    @property
    def is_text(self) -> bool:
        """Whether the values are the keys in another form."""
        return len(self.hits.converted) > len(self.hits.direct)


def choose(
    collection: str, path: Path, values: Iterable[Any], options: Sequence[Option]
) -> list[Option]:
    """The options that are references of a path in ``collection``, the best first.

    If several collections contain the same keys (a copy, a backup, a table of one-to-one details),
    only the one that the name suggests is reported, otherwise the first by name. Another one is
    added if it has values that the previous ones lack: then the path refers to several collections.
    """
    kinds = {token(value): is_unmistakable(value) for value in values}
    able = [option for option in options if _is_reference(option, kinds)]
    able.sort(key=lambda option: _rank(collection, path, option, len(kinds)))
    chosen: list[Option] = []
    explained: set[Token] = set()
    for option in able:
        new = {value for value in option.found - explained if kinds.get(value)}
        if not chosen or len(new) >= UNMISTAKABLE_SHARE * len(kinds):
            chosen.append(option)
            explained |= option.found
    return chosen


def _is_reference(option: Option, kinds: dict[Token, bool]) -> bool:
    found = [value for value in option.found if value in kinds]
    unmistakable = sum(kinds[value] for value in found)
    if unmistakable and unmistakable >= UNMISTAKABLE_SHARE * len(kinds):
        return True
    match option.evidence:
        case Evidence.KEYED:
            return bool(found) and len(found) >= KEYED_SHARE * len(kinds)
        case Evidence.NAMED:
            return len(kinds) >= NAMED_MINIMUM and len(found) >= NAMED_SHARE * len(kinds)
        case _:
            return False


def _rank(collection: str, path: Path, option: Option, checked: int) -> tuple[Any, ...]:
    # In tenths: a copy with a few more values does not win against the collection in the name.
    tenths = len(option.found) * 10 // checked
    key = option.key
    return (
        -tenths,
        -option.evidence,
        -common_beginning(collection, key.collection),
        -closeness(path, key.collection),
        key.field != "_id",
        key.collection,
        key.field,
    )
