"""From models to a plan in one step: read the database, count violators, compare."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from pymongo.database import Database

from djongo_services.exceptions import DjongoServicesError
from djongo_services.introspection import read_catalog
from djongo_services.introspection.catalog import Catalog, Validator
from djongo_services.progress import Progress, ProgressHook, Stop
from djongo_services.schema.applying import PlanOutdated
from djongo_services.schema.diff import IndexPolicy, ValidationPolicy, diff
from djongo_services.schema.diff.coverage import uncovered_queries
from djongo_services.schema.diff.validators import is_kept, same_query
from djongo_services.schema.operations import BuildIndexes, DropIndex, SetValidator
from djongo_services.schema.plan import Plan
from djongo_services.schema.remaking import aside_name, fresh_name
from djongo_services.schema.spec import CollectionSpec
from djongo_services.schema.violators import (
    Violator,
    count_each,
    count_violators,
    find_violators,
)
from djongo_services.translation import gettext as _
from djongo_services.translation import ngettext

Document = dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class SyncPolicy:
    """What the caller lets the plan decide."""

    indexes: IndexPolicy = field(default_factory=IndexPolicy)
    validation: ValidationPolicy = field(default_factory=ValidationPolicy)


class UnknownIndex(DjongoServicesError):
    """An index that was named for dropping does not exist, or a model declares it."""


class UnknownValidator(DjongoServicesError):
    """A validator that was named for replacement does not exist, or is ours."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Violations:
    """The violators of one collection."""

    collection: str
    count: int
    examples: tuple[Violator, ...]


def make_plan(
    database: Database[Document],
    specs: Iterable[CollectionSpec],
    policy: SyncPolicy | None = None,
    *,
    count: bool = True,
    progress: ProgressHook | None = None,
    stop: Stop | None = None,
) -> Plan:
    """The plan that brings the database to the specs.

    With ``count``, violators of every validator that is set, changed or could be tightened are
    counted first, with one scan on the server for each such collection; and documents that a unique
    index does not cover, with one scan for each collection whose validator accepts such. Without
    it, a validator that waits for its violators to be corrected is left unchanged. Raises PyMongo's
    errors, and UnknownIndex for what the policy names.
    """
    specs, policy = tuple(specs), policy or SyncPolicy()
    names = [name for spec in specs for name in _names(spec.name)]
    # Usage only decides what may be dropped, and costs a round trip to every member.
    usage = policy.indexes.prune == "drop"
    catalog = read_catalog(database, names=names, statistics=False, usage=usage, multikey=False)
    _check_replaced(catalog, specs, policy.validation)
    violators: dict[str, int] = {}
    uncovered: dict[str, Mapping[str, int]] = {}

    def counting(spec: CollectionSpec, phase: str) -> bool:
        if stop is not None and stop.is_set():
            return False
        if progress is not None:
            progress(Progress(collection=spec.name, phase=phase, done=0))
        return True

    for spec in _to_count(catalog, specs, policy) if count else ():
        if counting(spec, "violators"):
            violators[spec.name] = count_violators(database[spec.name], spec.validator or {})
    for spec, queries in _to_cover(catalog, specs) if count else ():
        if counting(spec, "unique indexes"):
            uncovered[spec.name] = count_each(database[spec.name], queries)
    compare = partial(
        diff,
        catalog,
        specs,
        indexes=policy.indexes,
        validation=policy.validation,
        violators=violators,
        uncovered=uncovered,
    )
    plan = compare()
    _check_named(plan, policy.indexes)
    views = {found.name for found in catalog.collections if found.type == "view"}
    empty = set(_empty(database, plan, views))
    return compare(empty=empty) if empty else plan


def check_violators(database: Database[Document], plan: Plan) -> None:
    """Count again for a plan that was made a while ago.

    Raises PlanOutdated if documents now violate a validator that none violated then.
    """
    for step in plan.operations:
        match step:
            case SetValidator(after=Validator(action="error") as after, violators=0):
                count = count_violators(database[step.collection], after.query)
                if count:
                    text = ngettext(
                        "%(collection)s: %(count)s document violates the validator since the plan "
                        "was made; make a new one.",
                        "%(collection)s: %(count)s documents violate the validator since the plan "
                        "was made; make a new one.",
                        count,
                    )
                    words = {"collection": step.collection, "count": f"{count:,}"}
                    raise PlanOutdated(text % words)


def list_violations(
    database: Database[Document], specs: Iterable[CollectionSpec], *, limit: int
) -> Iterator[Violations]:
    """For each collection that has violators: their number and the first ``limit``, with
    reasons."""
    existing = set(database.list_collection_names())
    for spec in specs:
        if spec.validator is None or spec.name not in existing:
            continue
        count = count_violators(database[spec.name], spec.validator)
        if count:
            found = find_violators(
                database, spec.name, spec.validator, limit=limit, checks=spec.checks
            )
            yield Violations(collection=spec.name, count=count, examples=tuple(found))


def _check_replaced(
    catalog: Catalog, specs: tuple[CollectionSpec, ...], policy: ValidationPolicy
) -> None:
    without = replace(policy, replace=())
    known = {collection.name: collection for collection in catalog.collections}
    kept = {
        spec.name
        for spec in specs
        if spec.name in known and is_kept(known[spec.name], spec, without)
    }
    for name in policy.replace:
        if name not in kept:
            text = _(
                "The collection %(name)r has no validator of another origin that the models would "
                "replace; --plan lists those that are kept under 'Left alone'."
            )
            raise UnknownValidator(text % {"name": name})


def _names(collection: str) -> tuple[str, str, str]:
    """The collection, and the names of what an interrupted run may have left beside it."""
    return collection, aside_name(collection), fresh_name(collection)


def _check_named(plan: Plan, policy: IndexPolicy) -> None:
    dropped = {
        f"{step.collection}.{step.index.name}"
        for step in plan.operations
        if isinstance(step, DropIndex)
    }
    for name in policy.named:
        if name not in dropped:
            text = _(
                "No undeclared index %(name)r; write COLLECTION.INDEX as --plan lists it under "
                "'Left alone'."
            )
            raise UnknownIndex(text % {"name": name})


def _empty(database: Database[Document], plan: Plan, views: Container[str]) -> Iterator[str]:
    """The empty ones among the collections where documents could expire by a new TTL index and
    those with a change that is impossible. Views are not queried: that would run them."""
    builds = [step for step in plan.operations if isinstance(step, BuildIndexes) and step.expires]
    names = [build.collection for build in builds]
    names += [change.collection for change in plan.changes if change.sign == "!"]
    for name in dict.fromkeys(names):
        if name not in views and database[name].find_one({}, {"_id": True}) is None:
            yield name


def _to_cover(
    catalog: Catalog, specs: tuple[CollectionSpec, ...]
) -> Iterator[tuple[CollectionSpec, dict[str, Document]]]:
    """The collections where documents may not be covered by a unique index, and how to find
    them."""
    existing = {found.name for found in catalog.collections if found.type == "collection"}
    for spec in specs:
        queries = uncovered_queries(spec) if spec.name in existing else {}
        if queries:
            yield spec, queries


def _to_count(
    catalog: Catalog, specs: tuple[CollectionSpec, ...], policy: SyncPolicy
) -> Iterator[CollectionSpec]:
    """The specs whose validator depends on the data."""
    known = {collection.name: collection for collection in catalog.collections}
    for spec in specs:
        found = known.get(spec.name)
        if spec.validator is None or found is None or found.type != "collection":
            continue
        if policy.validation.level == "off" or is_kept(found, spec, policy.validation):
            continue
        before = found.validator
        settled = before is not None and (before.level, before.action) == ("strict", "error")
        if not (before is not None and settled and same_query(before.query, spec.validator)):
            yield spec
