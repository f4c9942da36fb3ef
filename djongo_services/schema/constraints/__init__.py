"""CheckConstraints as queries for a collection's validator.

SQL accepts a row if the condition is UNKNOWN, not only if it is TRUE: ``CHECK (age >= 18)`` accepts
NULL. So do the queries built here, which treat a missing field as NULL. They do not use ``$where``,
``$text``, ``$near`` or ``$function``, which validators refuse, and raise no errors for values of
unexpected types: the ``$jsonSchema`` beside them checks types.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import FieldError, ValidationError
from django.db.models import CheckConstraint, Model
from django.db.models.sql import Query as ModelQuery

from djongo_services.schema.constraints.columns import NotExpressible
from djongo_services.schema.constraints.expressions import Compiler
from djongo_services.schema.constraints.queries import EVERYTHING, Query, holds
from djongo_services.schema.spec import Problem

__all__ = ["NotExpressible", "check_queries", "check_query", "named_clause", "resolved"]


def check_queries(
    model: type[Model], *, backend: bool
) -> tuple[Mapping[str, Query], tuple[Problem, ...]]:
    """The queries of the model's CheckConstraints, by name, and what MongoDB cannot express."""
    queries: dict[str, Query] = {}
    problems: list[Problem] = []
    for constraint in model._meta.constraints:
        if not isinstance(constraint, CheckConstraint):
            continue
        try:
            query = check_query(model, constraint, backend=backend)
        except NotExpressible as error:
            problems.append(
                Problem(
                    subject=f"{model._meta.label}: constraint {constraint.name}",
                    reason=f"The server cannot check it: {error}.",
                )
            )
        else:
            if query != EVERYTHING:
                queries[str(constraint.name)] = query
    return queries, tuple(problems)


def check_query(model: type[Model], constraint: CheckConstraint, *, backend: bool) -> Query:
    """The documents that the constraint accepts: those for which it is not FALSE.

    ``backend`` is what writes the documents: django-mongodb-backend or ``to_document``. Raises
    NotExpressible with the reason as a clause.
    """
    return holds(resolved(model, constraint.condition), Compiler(backend=backend), unknown=True)


def named_clause(name: str, query: Query) -> Query:
    """The query as a part of a validator that carries the constraint's name.

    When the server explains why it refused a document, it omits a ``$comment``. It mentions the
    title of a schema that did not match, so beside the query there is a schema that nothing
    matches.
    """
    return {"$or": [{"$jsonSchema": {"title": name, "not": {}}}, query], "$comment": name}


def resolved(model: type[Model], condition: Any) -> Any:
    """A ``Q`` or a boolean expression over the model's columns, with its lookups resolved.

    Raises NotExpressible if it refers to other models or to fields that do not exist.
    """
    try:
        return ModelQuery(model=model, alias_cols=False).build_where(condition)
    except ValidationError as error:
        raise NotExpressible(error.messages[0].rstrip(".")) from error
    except (FieldError, ValueError, TypeError, NotImplementedError) as error:
        raise NotExpressible(str(error).rstrip(".")) from error
