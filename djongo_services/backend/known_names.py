"""Undocumented names of django-mongodb-backend that the engine relies on.

PyMongo's names are in :mod:`djongo_services.transaction.clients`, which checks them, too.
"""

from __future__ import annotations

from functools import cache

import django_mongodb_backend
from django.core.exceptions import ImproperlyConfigured
from django_mongodb_backend import base, compiler

_NAMES: dict[type, tuple[str, ...]] = {
    base.DatabaseWrapper: (
        "_connection_pools",
        "_driver_info",
        "commit_mongo",
        "get_collection",
        "in_atomic_block_mongo",
        "rollback_mongo",
        "session",
        "start_transaction_mongo",
    ),
    compiler.SQLCompiler: ("build_query", "execute_sql", "pre_sql_setup", "query_class"),
    compiler.SQLCompiler.query_class: ("get_cursor", "get_pipeline"),
    compiler.SQLInsertCompiler: ("insert",),
}


@cache
def refuse_unknown_backend() -> None:
    """Raises ImproperlyConfigured if this version of the backend lacks what is needed."""
    for owner, names in _NAMES.items():
        for name in names:
            if not hasattr(owner, name) and name not in _set_by_init(owner):
                raise ImproperlyConfigured(
                    f"django-mongodb-backend {django_mongodb_backend.__version__} has no "
                    f"{owner.__name__}.{name}, which the engine djongo_services.backend needs; "
                    f"install a version from 5.2 to 6.1."
                )


def _set_by_init(owner: type) -> tuple[str, ...]:
    """The names in a class's ``__init__``, which sets the attributes of instances."""
    code = getattr(vars(owner).get("__init__"), "__code__", None)
    return code.co_names if code is not None else ()
