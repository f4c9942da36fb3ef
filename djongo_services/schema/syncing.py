"""From models to a plan in one step: read the database, count violators, compare."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from pymongo.database import Database

from djongo_services.exceptions import DjongoServicesError
from djongo_services.introspection import read_catalog
from djongo_services.introspection.catalog import Catalog, Validator
from djongo_services.introspection.progress import Progress, ProgressHook, Stop
from djongo_services.schema.applying import PlanOutdated
from djongo_services.schema.diff import IndexPolicy, ValidationPolicy, diff
from djongo_services.schema.diff.validators import same_query
from djongo_services.schema.operations import BuildIndexes, DropIndex, SetValidator
from djongo_services.schema.plan import Plan
from djongo_services.schema.spec import CollectionSpec
from djongo_services.schema.violators import Violator, count_violators, find_violators

Document = dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Policy:
    """What the caller leaves to the plan."""

    indexes: IndexPolicy = field(default_factory=IndexPolicy)
    validation: ValidationPolicy = field(default_factory=ValidationPolicy)


class UnknownIndex(DjongoServicesError):
    """An index was named for dropping that is not there, or that a model declares."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Violations:
    """Of one collection."""

    collection: str
    count: int
    examples: tuple[Violator, ...]


def make_plan(
    database: Database[Document],
    specs: Iterable[CollectionSpec],
    policy: Policy | None = None,
    *,
    count: bool = True,
    progress: ProgressHook | None = None,
    stop: Stop | None = None,
) -> Plan:
    """What brings the database to the specs.

    With ``count``, violators of every validator that is to be set, changed or could be tightened
    are counted first, one scan on the server for each such collection; without, a validator that
    waits for its violators to be mended is left as it is. Raises PyMongo's errors, and UnknownIndex
    for what the policy names.
    """
    specs, policy = tuple(specs), policy or Policy()
    names = [spec.name for spec in specs]
    # Usage only decides what may be dropped, and costs a round trip to every member.
    usage = policy.indexes.prune == "drop"
    catalog = read_catalog(database, names=names, statistics=False, usage=usage, multikey=False)
    violators: dict[str, int] = {}
    for spec in _to_count(catalog, specs, policy) if count else ():
        if stop is not None and stop.is_set():
            break
        if progress is not None:
            progress(Progress(collection=spec.name, phase="violators", done=0))
        violators[spec.name] = count_violators(database[spec.name], spec.validator or {})
    compare = partial(
        diff,
        catalog,
        specs,
        indexes=policy.indexes,
        validation=policy.validation,
        violators=violators,
    )
    plan = compare()
    _check_named(plan, policy.indexes)
    views = {found.name for found in catalog.collections if found.type == "view"}
    empty = set(_empty(database, plan, views))
    return compare(empty=empty) if empty else plan


def check_violators(database: Database[Document], plan: Plan) -> None:
    """Count again for a plan that was made a while ago.

    Raises PlanOutdated where documents violate by now what none did then.
    """
    for step in plan.operations:
        match step:
            case SetValidator(after=Validator(action="error") as after, violators=0):
                count = count_violators(database[step.collection], after.query)
                if count:
                    violate = "document violates" if count == 1 else "documents violate"
                    raise PlanOutdated(
                        f"{step.collection}: {count:,} {violate} the validator since the plan was "
                        f"made; make a new one."
                    )


def list_violations(
    database: Database[Document], specs: Iterable[CollectionSpec], *, limit: int
) -> Iterator[Violations]:
    """Per collection that has any: their number and the first ``limit``, with reasons."""
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


def _check_named(plan: Plan, policy: IndexPolicy) -> None:
    dropped = {
        f"{step.collection}.{step.index.name}"
        for step in plan.operations
        if isinstance(step, DropIndex)
    }
    for name in policy.named:
        if name not in dropped:
            raise UnknownIndex(
                f"{name!r} is no COLLECTION.INDEX that the models leave undeclared; --plan shows "
                f"those under «Left alone»."
            )


def _empty(database: Database[Document], plan: Plan, views: Container[str]) -> Iterator[str]:
    """Of the collections where documents could expire by a new TTL index, and of those with what
    cannot be changed, those without any documents. Views are not asked: it would run them."""
    builds = [step for step in plan.operations if isinstance(step, BuildIndexes) and step.expires]
    names = [build.collection for build in builds]
    names += [change.collection for change in plan.changes if change.sign == "!"]
    for name in dict.fromkeys(names):
        if name not in views and database[name].find_one({}, {"_id": True}) is None:
            yield name


def _to_count(
    catalog: Catalog, specs: tuple[CollectionSpec, ...], policy: Policy
) -> Iterator[CollectionSpec]:
    """Those whose data decides what becomes of the validator."""
    known = {collection.name: collection for collection in catalog.collections}
    for spec in specs:
        found = known.get(spec.name)
        if spec.validator is None or found is None or found.type != "collection":
            continue
        if policy.validation.level == "off":
            continue
        before = found.validator
        settled = before is not None and (before.level, before.action) == ("strict", "error")
        if not (before is not None and settled and same_query(before.query, spec.validator)):
            yield spec
