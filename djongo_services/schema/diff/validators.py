"""What is to be done about the validator of one collection."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from djongo_services.introspection.catalog import Collection, Validator
from djongo_services.schema.diff.filters import Frozen, freeze
from djongo_services.schema.operations import SetValidator
from djongo_services.schema.plan import Change, Sign
from djongo_services.schema.spec import Action, CollectionSpec, Level

_UNORDERED = ("required", "enum", "bsonType", "type")
_UNORDERED_QUERIES = ("$and", "$or", "$nor", "$in", "$nin", "allOf", "anyOf", "oneOf")


@dataclass(frozen=True, kw_only=True, slots=True)
class ValidationPolicy:
    """What the caller asks for; what it leaves open, the model says, and else the data decides:
    ``strict`` and ``error`` where no document violates, ``moderate`` and ``warn`` otherwise."""

    level: Level | None = None
    """``off`` leaves the validators of the database alone."""
    action: Action | None = None

    def wanted(self, spec: CollectionSpec, violators: int | None) -> Validator | None:
        """The validator that the collection should have; None for none."""
        if spec.validator is None or self.level == "off":
            return None
        clean = violators == 0
        level = self.level or spec.level or ("strict" if clean else "moderate")
        action = self.action or spec.action or ("error" if clean else "warn")
        return Validator(query=spec.validator, level=level, action=action)


def diff_validator(
    found: Collection, spec: CollectionSpec, policy: ValidationPolicy, violators: int | None
) -> list[Change]:
    if policy.level == "off":
        return []
    if found.type == "timeseries":
        return [] if spec.validator is None else [_impossible(found.name)]
    # An emptied validator stays in the options as {}.
    before = found.validator if found.validator and found.validator.query else None
    after = policy.wanted(spec, violators)
    if after is None or same_validator(before, after):
        return []
    if violators is None and before is not None and _rests(before, spec, policy):
        return []
    operation = SetValidator(collection=found.name, before=before, after=after, violators=violators)
    sign: Sign = "+" if before is None else "~"
    words = _words(before, after, violators)
    return [Change(collection=found.name, sign=sign, words=words, operations=(operation,))]


def same_validator(before: Validator | None, after: Validator) -> bool:
    if before is None:
        return False
    levels = (before.level, before.action) == (after.level, after.action)
    return levels and same_query(before.query, after.query)


def same_query(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two validators mean the same: the order of keys and of sets says nothing."""
    # Most are equal to the letter, and Python compares letters much faster. Equal values would not
    # do: True equals 1.
    return repr(one) == repr(other) or bool(_normal(one) == _normal(other))


def _rests(before: Validator, spec: CollectionSpec, policy: ValidationPolicy) -> bool:
    """Nobody has counted, and the validator is at one of the two stages that counting leads to."""
    stages = (policy.wanted(spec, violators) for violators in (0, 1))
    return any(stage is not None and same_validator(before, stage) for stage in stages)


def _normal(value: Any, key: str = "") -> Frozen:
    match value:
        case Mapping():
            return ("{}", *sorted((str(k), _normal(v, str(k))) for k, v in value.items()))
        case list() | tuple():
            items = [_normal(item) for item in value]
            if key in _UNORDERED or key in _UNORDERED_QUERIES:
                items.sort(key=repr)
                if key == "bsonType" and len(items) == 1:
                    return items[0]
            return ("[]", *items)
    return freeze(value)


def _words(before: Validator | None, after: Validator, violators: int | None) -> str:
    if before is None:
        said = f"validator, {after.level} and {after.action}"
    elif same_query(before.query, after.query):
        said = f"validator {after.level} and {after.action}, was {before.level} and {before.action}"
    else:
        said = f"validator changed, {after.level} and {after.action}"
    if violators:
        documents = "document violates" if violators == 1 else "documents violate"
        said += f"; {violators:,} {documents} it"
    return said


def _impossible(name: str) -> Change:
    words = "a time-series collection takes no validator; the model's rules stay unchecked"
    return Change(collection=name, sign="!", words=words)
