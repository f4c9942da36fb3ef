"""What a validator said of a document that it refused, sorted by the fields it is about."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pymongo.errors import BulkWriteError, PyMongoError, WriteError

from djongo_services.schema.violators import explain

REFUSED = 121
"""DocumentValidationFailure."""

Checks = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Complaint:
    text: str
    """``is a string, must be int``, without the name of the field."""
    column: str | None = None
    """The top-level field of the document; None where it is about several, or about the whole."""
    check: str | None = None
    """The name of the model's constraint that is broken."""


def refusal_details(error: BaseException) -> Mapping[str, Any] | None:
    """The server's ``errInfo.details``, empty before MongoDB 5.0; None for any other error.

    The backend raises PyMongo's BulkWriteError when it inserts, and wraps WriteError in Django's
    DatabaseError when it updates.
    """
    cause = error if isinstance(error, PyMongoError) else error.__cause__
    found: Mapping[str, Any]
    match cause:
        case BulkWriteError():
            found = next(iter((cause.details or {}).get("writeErrors", ())), {})
        case WriteError():
            found = {"code": cause.code, **(cause.details or {})}
        case _:
            return None
    if found.get("code") != REFUSED:
        return None
    details: Mapping[str, Any] = (found.get("errInfo") or {}).get("details") or {}
    return details


def complaints(
    details: Mapping[str, Any], validator: Mapping[str, Any], checks: Checks
) -> Iterator[Complaint]:
    """One for each rule that is broken. ``validator`` is the one that refused, ``checks`` are those
    of its parts that are a model's constraints, by name."""
    if details.get("operatorName") != "$and":
        yield from _clause(details)
        return
    parts = validator.get("$and", ())
    for broken in details.get("clausesNotSatisfied", ()):
        name = _name(broken.get("index"), parts, checks)
        if name is None:
            yield from _clause(broken["details"])
        else:
            yield Complaint(text=" ".join(explain(broken["details"])), check=name)


def _clause(details: Mapping[str, Any]) -> Iterator[Complaint]:
    for rule in details.get("schemaRulesNotSatisfied", ()):
        yield from _rule(rule)
    rest = {name: value for name, value in details.items() if name != "schemaRulesNotSatisfied"}
    if "schemaRulesNotSatisfied" not in details or "clausesNotSatisfied" in rest:
        for text in explain(rest):
            yield Complaint(text=text)


def _rule(rule: Mapping[str, Any]) -> Iterator[Complaint]:
    match rule.get("operatorName"):
        case "properties" if "propertiesNotSatisfied" in rule:
            for item in rule["propertiesNotSatisfied"]:
                name = item["propertyName"]
                one = {**rule, "propertiesNotSatisfied": [item]}
                for text in explain({"schemaRulesNotSatisfied": [one]}):
                    yield Complaint(text=text.removeprefix(f"{name}: "), column=name)
        case "required" if "missingProperties" in rule:
            for name in rule["missingProperties"]:
                yield Complaint(text="is missing", column=name)
        case _:
            for text in explain({"schemaRulesNotSatisfied": [rule]}):
                yield Complaint(text=text)


def _name(index: Any, parts: Any, checks: Checks) -> str | None:
    if not isinstance(index, int) or index >= len(parts):
        return None
    return next((name for name, check in checks.items() if check == parts[index]), None)
