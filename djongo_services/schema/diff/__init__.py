"""The difference between what a database is and what the models say, as a plan.

A pure function of values: no server is asked, no model is imported. Running it on the catalog of a
database to which its plan was applied gives an empty plan.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import replace
from typing import Any

from djongo_services.abilities import Abilities
from djongo_services.introspection.catalog import Catalog, Collection
from djongo_services.schema.diff.collections import diff_options, fixed, make_anew
from djongo_services.schema.diff.indexes import IndexPolicy, diff_indexes, undeclared
from djongo_services.schema.diff.validators import ValidationPolicy, diff_validator
from djongo_services.schema.operations import BuildIndexes, CreateCollection
from djongo_services.schema.plan import Change, Plan, fingerprint
from djongo_services.schema.spec import CollectionSpec

__all__ = ["IndexPolicy", "ValidationPolicy", "diff"]


def diff(
    catalog: Catalog,
    specs: tuple[CollectionSpec, ...],
    *,
    indexes: IndexPolicy | None = None,
    validation: ValidationPolicy | None = None,
    violators: Mapping[str, int] | None = None,
    empty: Container[str] = (),
) -> Plan:
    """What has to be done so that ``catalog`` becomes what ``specs`` say.

    ``violators`` counts, by collection, the documents that the wanted validator refuses; where it
    does not tell, a validator that is set or changed begins as ``moderate`` and ``warn``.
    ``empty`` are collections without documents: none could expire, and they can be made anew with
    options that cannot be changed.
    Collections that no spec names are left alone.
    """
    known = {collection.name: collection for collection in catalog.collections}
    changes: list[Change] = []
    notes: list[Change] = []
    for spec in sorted(specs, key=lambda spec: spec.name):
        found = known.get(spec.name)
        count = (violators or {}).get(spec.name)
        validator = validation or ValidationPolicy()
        if found is None:
            changes += _create(spec, validator)
            continue
        impossible = _wrong_kind(found)
        if impossible:
            changes.append(impossible)
            continue
        if spec.name in empty and (differences := fixed(found, spec)):
            anew = _create(_with_collation_of(found, spec), validator)
            if not _would_lose(found, spec, catalog.server, validator):
                steps = [step for change in anew for step in change.operations]
                changes.append(make_anew(found, differences, steps))
                continue
        changes += diff_options(found, spec)
        changes += diff_validator(found, spec, validator, count)
        result = diff_indexes(
            found,
            spec.indexes,
            catalog.server,
            indexes or IndexPolicy(),
            empty=spec.name in empty,
        )
        changes += result.changes
        notes += result.notes
    return Plan(
        database=catalog.database,
        fingerprint=fingerprint(catalog, [spec.name for spec in specs]),
        collections=tuple(sorted(spec.name for spec in specs)),
        changes=tuple(changes),
        notes=tuple(notes),
        problems=tuple(problem for spec in specs for problem in spec.problems),
    )


def _create(spec: CollectionSpec, policy: ValidationPolicy) -> list[Change]:
    """A collection that does not exist: with its validator at once, for it has no violators."""
    options: dict[str, Any] = dict(spec.options)
    validator = policy.wanted(spec, violators=0)
    if validator is not None:
        options["validator"] = dict(validator.query)
        options["validationLevel"] = validator.level
        options["validationAction"] = validator.action
    created = CreateCollection(collection=spec.name, options=options)
    changes = [Change(collection=spec.name, sign="+", words=created.words(), operations=(created,))]
    for index in spec.indexes:
        build = BuildIndexes(collection=spec.name, indexes=(index,))
        words = build.words().removeprefix("build ")
        changes.append(Change(collection=spec.name, sign="+", words=words, operations=(build,)))
    return changes


def _with_collation_of(found: Collection, spec: CollectionSpec) -> CollectionSpec:
    """As the models leave it open."""
    collation = found.options.get("collation")
    inherited = {} if collation is None else {"collation": collation}
    return replace(spec, options={**inherited, **spec.options})


def _would_lose(
    found: Collection, spec: CollectionSpec, server: Abilities, policy: ValidationPolicy
) -> bool:
    """Whether somebody gave it an index or a validator that the models do not declare."""
    if found.validator is not None and policy.wanted(spec, violators=0) is None:
        return True
    return bool(undeclared(found, spec.indexes, server))


def _wrong_kind(found: Collection) -> Change | None:
    if found.type != "view":
        return None
    words = (
        f"a view of {found.view_on} stands where the models want a collection; "
        f"drop or rename the view, or give the model another db_table"
    )
    return Change(collection=found.name, sign="!", words=words)
