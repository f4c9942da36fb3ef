"""Changes of one collection's validator."""

from __future__ import annotations

from collections.abc import Collection as Names
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from djongo_services.introspection.catalog import Collection, Validator
from djongo_services.schema.diff.filters import Frozen, freeze
from djongo_services.schema.diff.rules import rule_changes
from djongo_services.schema.operations import SetValidator
from djongo_services.schema.ownership import is_ours, marked, unmarked
from djongo_services.schema.plan import Change, RuleChange, Sign
from djongo_services.schema.relaxing import before_relaxing
from djongo_services.schema.spec import Action, CollectionSpec, Level

STRICT: tuple[Level, Action] = ("strict", "error")
GENTLE: tuple[Level, Action] = ("moderate", "warn")
"""Level and action while documents violate the rules."""
_UNORDERED = ("required", "enum", "bsonType", "type")
_UNORDERED_QUERIES = ("$and", "$or", "$nor", "$in", "$nin", "allOf", "anyOf", "oneOf")


@dataclass(frozen=True, kw_only=True, slots=True)
class ValidationPolicy:
    """The caller's choices; what they leave open, the model decides, and otherwise the data:
    ``strict`` and ``error`` if no document violates, ``moderate`` and ``warn`` otherwise."""

    level: Level | None = None
    """``off`` leaves the validators of the database alone."""
    action: Action | None = None
    replace: Names[str] = ()
    """Collections whose validator may be replaced although djongo_services did not write it."""

    def wanted(self, spec: CollectionSpec, violators: int | None) -> Validator | None:
        """The validator that the collection should have, with our mark; None for none."""
        if spec.validator is None or self.level == "off":
            return None
        level, action = self.stage(spec, violators)
        return Validator(query=marked(spec.validator, spec.models), level=level, action=action)

    def stage(self, spec: CollectionSpec, violators: int | None) -> tuple[Level, Action]:
        level, action = STRICT if violators == 0 else GENTLE
        return self.level or spec.level or level, self.action or spec.action or action


def diff_validator(
    found: Collection,
    spec: CollectionSpec,
    policy: ValidationPolicy,
    violators: int | None,
    *,
    kept: bool,
) -> list[Change]:
    """At most one change; without operations if it is only reported. ``kept`` is the result of
    :func:`is_kept`."""
    if policy.level == "off":
        return []
    if found.type == "timeseries":
        return [] if spec.validator is None else [_impossible(found.name)]
    before = _validator_of(found)
    after = policy.wanted(spec, violators)
    if kept:
        return [_foreign(found.name)] if after is not None else []
    if before is None and after is None:
        return []
    if before is not None and after is not None and same_query(before.query, after.query):
        # Without a count, either of the two possible stages is right.
        counts = (0, 1) if violators is None else (violators,)
        if (before.level, before.action) in [policy.stage(spec, count) for count in counts]:
            return []
    return [_set(found.name, before, after, violators, spec.checks)]


def is_kept(found: Collection, spec: CollectionSpec, policy: ValidationPolicy) -> bool:
    """Whether the collection keeps a validator that djongo_services did not write.

    A validator that equals the models' rules can be taken over without any loss.
    """
    before = _validator_of(found)
    if before is None or found.name in policy.replace or is_ours(before.query):
        return False
    return spec.validator is None or not same_query(before.query, spec.validator)


def same_validator(before: Validator | None, after: Validator) -> bool:
    if before is None:
        return False
    levels = (before.level, before.action) == (after.level, after.action)
    return levels and same_query(before.query, after.query)


def same_query(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two validators mean the same: our mark and the order of keys and sets are ignored."""
    one, other = unmarked(one), unmarked(other)
    # Most are textually equal, and Python compares text much faster. Comparing values would be
    # wrong: True equals 1.
    return repr(one) == repr(other) or bool(_normal(one) == _normal(other))


def changed_rules(
    before: Validator | None, after: Validator | None, checks: Mapping[str, Mapping[str, Any]]
) -> tuple[RuleChange, ...]:
    """The changes, rule by rule; nothing if one of the two does not exist.

    ``checks``: by name, the parts of ``after`` that are constraints of a model.
    """
    if before is None or after is None:
        return ()
    return rule_changes(unmarked(before.query), unmarked(after.query), names=checks)


def _validator_of(found: Collection) -> Validator | None:
    # An emptied validator stays in the options as {}.
    return found.validator if found.validator and found.validator.query else None


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


def _set(
    name: str,
    before: Validator | None,
    after: Validator | None,
    violators: int | None,
    checks: Mapping[str, Mapping[str, Any]],
) -> Change:
    sign: Sign = "-" if after is None else "+" if before is None else "~"
    # A rollback restores the validator in force, not one that migrate had relaxed.
    was = before_relaxing(before) or before
    operation = SetValidator(collection=name, before=was, after=after, violators=violators)
    rules = changed_rules(before, after, checks)
    words = _words(before, after, violators)
    return Change(collection=name, sign=sign, words=words, operations=(operation,), rules=rules)


def _words(before: Validator | None, after: Validator | None, violators: int | None) -> str:
    if after is None:
        return "validator: removed, because the models have no rules for it"
    if before is None:
        said = f"validator, {after.level} and {after.action}"
    elif same_query(before.query, after.query):
        said = f"validator now {after.level} and {after.action}"
        said += f" (was {before.level} and {before.action})"
    else:
        said = f"validator changed, now {after.level} and {after.action}"
    if before_relaxing(before) is not None:
        said += "; a run of migrate relaxed it and has not ended"
    if violators:
        documents = "document violates" if violators == 1 else "documents violate"
        said += f"; {violators:,} {documents} it"
    return said


def _foreign(name: str) -> Change:
    words = (
        f"validator: djongo_services did not write it, so it is kept and the rules of the models "
        f"are not enforced; replace it with --replace-validator {name}"
    )
    return Change(collection=name, sign="~", words=words)


def _impossible(name: str) -> Change:
    words = "a time-series collection cannot have a validator; the model's rules stay unchecked"
    return Change(collection=name, sign="!", words=words)
