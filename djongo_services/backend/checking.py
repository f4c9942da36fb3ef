"""``Q.check()``, by which ``full_clean()`` evaluates a constraint's condition for values.

The backend's expressions have only TRUE and FALSE, so a comparison with null fails. SQL's check
constraints accept unknown results, and so do the validators: the condition is translated here in
the same way.
"""

from __future__ import annotations

from typing import Any

from django.db.models.functions import Coalesce
from django.db.models.lookups import Exact
from django.db.models.sql.constants import SINGLE

from djongo_services.schema.constraints import NotExpressible
from djongo_services.schema.constraints.expressions import Compiler
from djongo_services.schema.constraints.queries import holds

_ONE_DOCUMENT: dict[str, Any] = {"$facet": {"found": []}}
_CHECK = "_check"
"""The annotation of Django's query, which has no model."""


def condition_of(query: Any, result_type: Any) -> Any:
    """The resolved condition that Django wants to evaluate; None for any other query."""
    if query.model is not None or result_type != SINGLE or _CHECK not in query.annotations:
        return None
    match query.where.children:
        case [Exact(lhs=Coalesce() as found, rhs=True)]:
            return found.get_source_expressions()[0]
    return None


def check(connection: Any, condition: Any) -> tuple[int] | None:
    """The result that Django expects: a row unless the condition is FALSE.

    Raises NotExpressible for a condition that a validator cannot express either.
    """
    query = holds(condition, Compiler(backend=True), unknown=True)
    pipeline = [_ONE_DOCUMENT, {"$match": query}]
    found = connection.get_collection("__null").aggregate(pipeline, session=connection.session)
    return (1,) if next(iter(found), None) is not None else None


__all__ = ["NotExpressible", "check", "condition_of"]
