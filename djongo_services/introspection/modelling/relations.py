"""References between collections as ForeignKey and OneToOneField."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from djongo_services.introspection.modelling import facts
from djongo_services.introspection.modelling.declarations import Call, ClassReference
from djongo_services.introspection.modelling.naming import RESERVED_FIELDS, Namespace
from djongo_services.introspection.path import render_path
from djongo_services.introspection.report import CollectionReport, Field, Reference

LEAST_CONFIDENCE = 0.8
"""A reference that was found for a smaller share of the values becomes only a comment."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """A class that foreign keys may refer to."""

    class_name: str
    key: Field
    """The ``_id``, or the field that replaces it: djongo's documents have an ``id`` beside it."""


Targets: TypeAlias = Mapping[tuple[str, str], Target]
"""Targets by collection and name of the field."""


def relation(
    report: CollectionReport, found: Field, targets: Targets
) -> tuple[Reference, Target] | None:
    """The reference at a top-level field, if a foreign key can express it.

    It can if it refers to an ``_id`` or a unique field with one type, has the same type itself and
    does not go through an array; a foreign key converts its values as the target's key does.
    """
    for reference in report.references:
        target = targets.get((reference.target, reference.target_path))
        if (
            reference.path == found.path
            and reference.kind == "value"
            and not reference.many
            and reference.confidence >= LEAST_CONFIDENCE
            and target is not None
            and facts.kinds(found) == facts.kinds(target.key)
            and len(facts.kinds(found)) == 1
            and facts.kinds(found) <= {"objectId", "string", "int", "long"}
        ):
            return reference, target
    return None


def declared_relation(
    report: CollectionReport, found: Field, targets: Targets
) -> tuple[Reference, Target] | None:
    """The reference of a foreign key; None if its target has no class."""
    for reference in report.references:
        target = targets.get((reference.target, reference.target_path))
        if target is not None and reference.path == found.path:
            return reference, target
    return None


def relation_name(name: str) -> str:
    """``author_id`` as ``author``, since Django adds the ``_id`` itself."""
    shorter = name.removesuffix("_id")
    return shorter if shorter and shorter not in RESERVED_FIELDS else name


def relation_call(
    reference: Reference,
    target: Target,
    *,
    to_field: str | None,
    related_name: str | None,
    plain: bool,
) -> Call:
    """A foreign key without a constraint: MongoDB has no foreign keys."""
    function = "models.OneToOneField" if reference.unique else "models.ForeignKey"
    call = Call(
        function=function, args=(target.class_name, ClassReference(name="models.DO_NOTHING"))
    )
    if to_field is not None:
        call = call.having(to_field=to_field)
    if related_name is not None:
        call = call.having(related_name=related_name)
    if plain or reference.found < reference.checked:
        call = call.having(db_constraint=False)
    return call


def related_name(
    class_name: str, field_name: str, *, unique: bool, accessors: Namespace
) -> str | None:
    """The related name; None if Django's default is free (fields.E302 to E305).

    ``accessors`` contains the target's field names and its existing related names.
    """
    query = class_name.lower()
    default = query if unique else f"{query}_set"
    # Two reverse relations have the same name in queries, whatever their accessors are.
    if query not in accessors and default not in accessors and query.isidentifier():
        accessors.claim(query)
        if default != query:
            accessors.claim(default)
        return None
    return accessors.claim(f"{query}_{field_name}".replace("__", "_"))


def remarks(report: CollectionReport, found: Field) -> tuple[str, ...]:
    """What is known about references at or below the field and cannot be expressed as a foreign
    key."""
    told = []
    for reference in report.references:
        if reference.path[: len(found.path)] == found.path:
            text = f"{render_path(reference.path)} refers to {reference.target}"
            if reference.target_path != "_id":
                text += f" by {reference.target_path}"
            told.append(f"{text}{_confidence(reference)}.")
    return tuple(told)


def dangling(reference: Reference) -> tuple[str, ...]:
    if reference.found == reference.checked:
        return ()
    missing = reference.checked - reference.found
    return (f"{missing} of {reference.checked} values looked up are not in {reference.target}.",)


def _confidence(reference: Reference) -> str:
    if reference.found == reference.checked:
        return ""
    return f" ({reference.found} of {reference.checked} values looked up were found)"
