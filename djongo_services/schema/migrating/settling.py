"""Restoring validators after ``migrate``: with the models' rules, and as strict as before unless
documents violate them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from bson.binary import UuidRepresentation
from bson.codec_options import CodecOptions
from pymongo import ReadPreference
from pymongo.database import Database

from djongo_services.introspection import read_catalog
from djongo_services.introspection.catalog import Validator
from djongo_services.schema.applying import SchemaLease, apply
from djongo_services.schema.diff.validators import GENTLE, ValidationPolicy
from djongo_services.schema.operations import SetValidator
from djongo_services.schema.ownership import marked
from djongo_services.schema.plan import Change, Plan, fingerprint
from djongo_services.schema.relaxing import before_relaxing
from djongo_services.schema.spec import CollectionSpec
from djongo_services.schema.violators import count_violators

# Reading the validators of a database in one query.
Document = dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Settled:
    """One collection whose validator was restored."""

    collection: str
    after: Validator | None
    violators: int


def relaxed_collections(database: Database[Document]) -> dict[str, Validator]:
    """The collections whose validators a run of ``migrate`` has relaxed, with the validators from
    before."""
    return _before_relaxing(validators_of(database))


def settle(
    database: Database[Document],
    specs: Mapping[str, CollectionSpec],
    *,
    created: Iterable[str],
    lease: SchemaLease,
) -> list[Settled]:
    """Give every relaxed collection, and every one that was created without a validator, that of
    its models.

    It is ``moderate`` and ``warn`` if documents violate it. Otherwise it is as strict as it was,
    and if that was ``moderate`` and ``warn``, as a sync would make it. It is recorded as a run of
    the history, like every change of a validator. Raises what
    :func:`~djongo_services.schema.applying.apply` raises.
    """
    there = validators_of(database)
    wanted: dict[str, Validator | None] = {name: None for name in created if name not in there}
    wanted |= _before_relaxing(there)
    steps = [_step(database, name, wanted[name], specs.get(name)) for name in sorted(wanted)]
    steps = [step for step in steps if step.before is not None or step.after is not None]
    if not steps:
        return []
    _apply(database, steps, lease)
    # Documents that were written between the count and the validator are found now, when no more
    # can arrive.
    late = [again for step in steps if (again := _loosened(database, step, specs)) is not None]
    if late:
        _apply(database, late, lease)
    done = {step.collection: step for step in (*steps, *late)}
    return [
        Settled(collection=name, after=step.after, violators=step.violators or 0)
        for name, step in done.items()
    ]


def _before_relaxing(validators: Mapping[str, Validator]) -> dict[str, Validator]:
    found = {name: before_relaxing(validator) for name, validator in validators.items()}
    return {name: before for name, before in found.items() if before is not None}


def _step(
    database: Database[Document],
    name: str,
    before: Validator | None,
    spec: CollectionSpec | None,
) -> SetValidator:
    if spec is None:
        # No model has the collection any more; its rules are as before.
        return SetValidator(collection=name, before=before, after=before)
    if spec.validator is None:
        return SetValidator(collection=name, before=before)
    violators = count_violators(primary(database)[name], spec.validator)
    after = _validator(spec, before, violators)
    return SetValidator(collection=name, before=before, after=after, violators=violators)


def _validator(spec: CollectionSpec, before: Validator | None, violators: int) -> Validator | None:
    assert spec.validator is not None
    wanted = ValidationPolicy().wanted(spec, violators)
    if violators or before is None or (before.level, before.action) == GENTLE:
        return wanted
    found = replace(before, query=marked(spec.validator, spec.models))
    return replace(found, level=spec.level or found.level, action=spec.action or found.action)


def _loosened(
    database: Database[Document], step: SetValidator, specs: Mapping[str, CollectionSpec]
) -> SetValidator | None:
    spec = specs.get(step.collection)
    if spec is None or step.after is None or step.violators or step.after.action != "error":
        return None
    violators = count_violators(primary(database)[step.collection], spec.validator or {})
    after = _validator(spec, step.after, violators)
    if not violators or after == step.after:
        return None
    return SetValidator(
        collection=step.collection, before=step.after, after=after, violators=violators
    )


def _apply(database: Database[Document], steps: list[SetValidator], lease: SchemaLease) -> None:
    names = [step.collection for step in steps]
    catalog = read_catalog(
        primary(database), names=names, statistics=False, usage=False, multikey=False
    )
    plan = Plan(
        database=database.name,
        fingerprint=fingerprint(catalog, names),
        collections=tuple(sorted(names)),
        changes=tuple(
            Change(
                collection=step.collection,
                sign="~" if step.before is not None else "+",
                words=step.words(),
                operations=(step,),
            )
            for step in steps
        ),
    )
    apply(database, plan, lease=lease)


_OPTIONS: CodecOptions[Document] = CodecOptions(uuid_representation=UuidRepresentation.STANDARD)


def primary(database: Database[Document]) -> Database[Document]:
    """The database read from its primary: a secondary may not know the latest changes yet."""
    return database.with_options(codec_options=_OPTIONS, read_preference=ReadPreference.PRIMARY)


def validators_of(database: Database[Document], name: str | None = None) -> dict[str, Validator]:
    """Validators by collection, of all collections or of the named one; those without a validator
    are not listed."""
    asked: Document = {"type": "collection", "options.validator": {"$exists": True}}
    if name is not None:
        asked["name"] = name
    found = primary(database).list_collections(filter=asked)
    return {
        entry["name"]: Validator(
            query=entry["options"]["validator"],
            level=entry["options"].get("validationLevel", "strict"),
            action=entry["options"].get("validationAction", "error"),
        )
        for entry in found
        if entry["options"]["validator"]
    }
