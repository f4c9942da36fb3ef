"""Warnings about a validator: documents that it would refuse, and a validator that is switched
off."""

from __future__ import annotations

from typing import Any

from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import ExecutionTimeout, OperationFailure

from djongo_services.introspection import catalog
from djongo_services.introspection.profiling.interruption import interruptible
from djongo_services.introspection.profiling.warnings.wording import objects
from djongo_services.introspection.report import Coverage, Finding
from djongo_services.progress import Stop

EXAMPLES = 5
COUNTED = 1000
"""The maximum number of documents counted at the depth ``sample``."""

PATIENCE = 10_000
"""The time limit in milliseconds for counting them at the depth ``sample``."""


def about_validator(
    database: Database[Any],
    collection: catalog.Collection,
    coverage: Coverage,
    *,
    stop: Stop | None = None,
) -> list[Finding]:
    """Documents that the collection's validator would refuse, and a validator switched off."""
    validator = collection.validator
    if validator is None:
        return []
    warnings = []
    if validator.level == "off":
        warnings.append(
            Finding(
                code="validator-off",
                message=(
                    "The collection has a validator that is not applied (validationLevel off); "
                    "switch it on or remove it."
                ),
            )
        )
    thorough = coverage.requested != "sample"
    source = database[collection.name]
    try:
        examples = _refused(source, validator.query, thorough, stop)
        if examples:
            count = _count(source, validator.query, thorough, stop)
            warnings.append(_violations(validator, count, thorough, examples))
    except OperationFailure:
        # Without the privilege, or with a rule that queries do not support: the number is unknown.
        return warnings
    return warnings


def _violations(
    validator: catalog.Validator, count: int | None, thorough: bool, examples: tuple[Any, ...]
) -> Finding:
    if count is None:
        found, count = f"At least {objects(len(examples))}", len(examples)
    elif not thorough and count >= COUNTED:
        found = f"At least {objects(count)}"
    else:
        found = objects(count)
    do_not = "does not" if count == 1 else "do not"
    return Finding(
        code="validator-violations",
        message=f"{found} {do_not} satisfy the collection's validator; {_consequence(validator)}.",
        count=count,
        examples=examples,
    )


def _consequence(validator: catalog.Validator) -> str:
    match validator.level, validator.action:
        case "off", _:
            return "it is switched off, so nothing refuses them"
        case _, "warn":
            return "it only warns in the server's log"
        case "moderate", _:
            return "they can still be updated (validationLevel moderate)"
        case _:
            return "the next update of any of them is refused"


def _refused(
    collection: Collection[Any], query: Any, thorough: bool, stop: Stop | None
) -> tuple[Any, ...]:
    with interruptible(collection, stop) as session:
        cursor = collection.find({"$nor": [query]}, {"_id": 1}, session=session).limit(EXAMPLES)
        if not thorough:
            cursor = cursor.max_time_ms(PATIENCE)
        return tuple(document.get("_id") for document in cursor)


def _count(
    collection: Collection[Any], query: Any, thorough: bool, stop: Stop | None
) -> int | None:
    """The number of documents; None if the server did not finish in time."""
    options: dict[str, Any] = {} if thorough else {"limit": COUNTED, "maxTimeMS": PATIENCE}
    with interruptible(collection, stop) as session:
        try:
            return collection.count_documents({"$nor": [query]}, session=session, **options)
        except ExecutionTimeout:
            return None
