"""The difference between a database and its models, as a plan.

A pure function of values: it queries no server and imports no model. For the catalog of a database
to which its plan was applied, it returns an empty plan.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import replace
from typing import Any

from djongo_services.abilities import Abilities
from djongo_services.introspection.catalog import Catalog, Collection
from djongo_services.schema.diff.collections import (
    diff_options,
    finish_remaking,
    fixed,
    is_made_by_insert,
    make_anew,
    view,
)
from djongo_services.schema.diff.coverage import diff_coverage
from djongo_services.schema.diff.indexes import IndexPolicy, diff_indexes, undeclared
from djongo_services.schema.diff.matching import fitting
from djongo_services.schema.diff.validators import ValidationPolicy, diff_validator, is_kept
from djongo_services.schema.operations import BuildIndexes, CreateCollection
from djongo_services.schema.plan import Change, Plan, fingerprint
from djongo_services.schema.remaking import aside_name, fresh_name
from djongo_services.schema.spec import CollectionSpec

__all__ = ["IndexPolicy", "ValidationPolicy", "diff"]


def diff(
    catalog: Catalog,
    specs: tuple[CollectionSpec, ...],
    *,
    indexes: IndexPolicy | None = None,
    validation: ValidationPolicy | None = None,
    violators: Mapping[str, int] | None = None,
    uncovered: Mapping[str, Mapping[str, int]] | None = None,
    empty: Container[str] = (),
) -> Plan:
    """The steps that change a database from ``catalog`` to ``specs``.

    ``violators`` counts, by collection, the documents that the wanted validator refuses; without a
    count, a validator that is set or changed begins as ``moderate`` and ``warn``. ``uncovered``
    counts, by collection and index, the documents that a unique index does not cover. ``empty`` are
    collections without documents: none could expire, and they can be recreated with options that
    cannot be changed. Collections that no spec names are left alone.
    """
    known = {collection.name: collection for collection in catalog.collections}
    changes: list[Change] = []
    notes: list[Change] = []
    for spec in sorted(specs, key=lambda spec: spec.name):
        found = known.get(spec.name)
        if spec.view:
            (notes if found is None or found.type == "view" else changes).append(view(spec, found))
            continue
        count = (violators or {}).get(spec.name)
        validator = validation or ValidationPolicy()
        old = known.get(aside_name(spec.name))
        whole = _with_collation_of(old or found, spec)
        if found is None:
            changes += [_anew(whole, None, [], validator)] if old else _create(spec, validator)
            continue
        impossible = _wrong_kind(found)
        if impossible:
            changes.append(impossible)
            continue
        inherited = found.options.get("collation")
        fitted = fitting(spec.indexes, found.indexes, inherited, never_null=spec.never_null)
        spec = replace(spec, indexes=fitted)
        differences = fixed(found, whole)
        if differences and old and is_made_by_insert(found):
            changes.append(_anew(whole, found, [], validator))
            continue
        may_go = spec.name in empty and found.type != "timeseries"
        kept = is_kept(found, spec, validator)
        if differences and may_go and not kept and not _would_lose(found, spec, catalog.server):
            changes.append(_anew(whole, found, differences, validator))
            continue
        if old or fresh_name(spec.name) in known:
            changes.append(finish_remaking(spec.name))
        changes += diff_options(found, spec)
        for change in diff_validator(found, spec, validator, count, kept=kept):
            is_change = change.operations or change.sign == "!"
            (changes if is_change else notes).append(change)
        result = diff_indexes(
            found,
            spec.indexes,
            catalog.server,
            indexes or IndexPolicy(),
            empty=spec.name in empty,
        )
        changes += result.changes
        changes += diff_coverage(spec, (uncovered or {}).get(spec.name, {}))
        notes += result.notes
    return Plan(
        database=catalog.database,
        fingerprint=fingerprint(catalog, [spec.name for spec in specs]),
        collections=tuple(sorted(spec.name for spec in specs)),
        changes=tuple(changes),
        notes=tuple(notes),
        problems=tuple(problem for spec in specs for problem in spec.problems),
        rules={spec.name: spec.rules for spec in specs if spec.rules is not None},
    )


def _anew(
    spec: CollectionSpec, found: Collection | None, differences: list[str], policy: ValidationPolicy
) -> Change:
    return make_anew(spec.name, found, differences, _options(spec, policy), spec.indexes)


def _options(spec: CollectionSpec, policy: ValidationPolicy) -> dict[str, Any]:
    """The options of a new collection. They include its validator, because it has no violators."""
    options: dict[str, Any] = dict(spec.options)
    validator = policy.wanted(spec, violators=0)
    if validator is not None:
        options["validator"] = dict(validator.query)
        options["validationLevel"] = validator.level
        options["validationAction"] = validator.action
    return options


def _create(spec: CollectionSpec, policy: ValidationPolicy) -> list[Change]:
    options = _options(spec, policy)
    created = CreateCollection(collection=spec.name, options=options)
    changes = [Change(collection=spec.name, sign="+", words=created.words(), operations=(created,))]
    for index in spec.indexes:
        build = BuildIndexes(collection=spec.name, indexes=(index,))
        words = build.words().removeprefix("build ")
        changes.append(Change(collection=spec.name, sign="+", words=words, operations=(build,)))
    return changes


def _with_collation_of(found: Collection | None, spec: CollectionSpec) -> CollectionSpec:
    """The spec with the collection's collation, if the models do not set one."""
    collation = None if found is None else found.options.get("collation")
    inherited = {} if collation is None else {"collation": collation}
    return replace(spec, options={**inherited, **spec.options})


def _would_lose(found: Collection, spec: CollectionSpec, server: Abilities) -> bool:
    """Whether it has an index that the models do not declare."""
    return bool(undeclared(found, spec.indexes, server))


def _wrong_kind(found: Collection) -> Change | None:
    if found.type != "view":
        return None
    words = (
        f"a view of {found.view_on} exists where the models expect a collection; add "
        f"@collection_options(view=True) to a model that reads it, or drop or rename the view"
    )
    return Change(collection=found.name, sign="!", words=words)
