"""``db_default``, which SQL servers fill in and MongoDB does not: the engine does it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db import NotSupportedError
from django.db.models.expressions import DatabaseDefault, Value
from django.db.models.sql import Query
from pymongo.errors import OperationFailure

from djongo_services.server_errors import UNKNOWN_STAGE
from djongo_services.transaction import current

Document = dict[str, Any]
Expression = Any


def default_expression(field: Any, connection: Any) -> Expression:
    """The field's ``db_default`` as an expression for the server; a constant is a ``$literal``."""
    expression = field._db_default_expression
    if isinstance(expression, Value):
        value = field.get_db_prep_save(field.to_python(expression.value), connection)
        return {"$literal": value}
    query = Query(model=getattr(field, "model", None))
    resolved = expression.resolve_expression(query, allow_joins=False)
    compiler = query.get_compiler(connection=connection)
    found: Expression = resolved.as_mql(compiler, connection, as_expr=True)
    return found


def fill_in_defaults(connection: Any, fields: Iterable[Any], documents: list[Document]) -> None:
    """Fill in the defaults that are left to the database, in all documents.

    The server evaluates an expression once for all documents of a statement. Raises
    NotSupportedError if it cannot, as before MongoDB 5.1.
    """
    columns = {
        field.column: field
        for field in fields
        if any(isinstance(one.get(field.column), DatabaseDefault) for one in documents)
    }
    if not columns:
        return
    wanted = {name: default_expression(field, connection) for name, field in columns.items()}
    values = {
        name: one["$literal"]
        for name, one in wanted.items()
        if isinstance(one, dict) and "$literal" in one
    }
    rest = {name: one for name, one in wanted.items() if name not in values}
    values |= _evaluated(connection, rest) if rest else {}
    for document in documents:
        for name in columns:
            if isinstance(document.get(name), DatabaseDefault):
                document[name] = values[name]


def _evaluated(connection: Any, expressions: Document) -> Document:
    names = {f"v{number}": name for number, name in enumerate(expressions)}
    stage = {place: expressions[name] for place, name in names.items()}
    try:
        with current.apart():
            (found,) = connection.database.aggregate([{"$documents": [{}]}, {"$project": stage}])
    except OperationFailure as error:
        if error.code != UNKNOWN_STAGE:
            raise
        raise NotSupportedError(
            "This MongoDB server cannot evaluate the expression of a db_default, MongoDB 5.1 can; "
            "use a constant or default="
        ) from error
    return {name: found.get(place) for place, name in names.items()}
