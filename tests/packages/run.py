"""Run all operations in this process, and print what became of each as JSON.

``accepted``, ``refused`` where the database refused it, or another error. Arguments are
parts of the names of operations.
"""

from __future__ import annotations

import io
import json
import os
import sys
import traceback
from typing import Any

import django
from django.core.management import call_command

REFUSED_BY_SERVER = 121


def main() -> None:
    os.environ.setdefault("DJANGO_SUPERUSER_PASSWORD", "secret")
    django.setup()
    from django.db import connection, transaction

    from tests.packages.operations import ACCEPTED, REFUSED

    call_command("migrate", run_syncdb=True, verbosity=0)
    mongodb = connection.vendor == "mongodb"
    if mongodb:
        call_command("syncmongoschema", verbosity=0, stdout=sys.stderr)
    outcomes = {
        name: _outcome(run, transaction.atomic)
        for name, run in {**ACCEPTED, **REFUSED}.items()
        if any(part in name for part in sys.argv[1:] or [""])
    }
    result: dict[str, Any] = {"outcomes": outcomes}
    if mongodb:
        result |= {"validators": _validators(connection), "difference": _difference()}
    json.dump(result, sys.stdout)


def _outcome(run: Any, atomic: Any) -> str:
    try:
        with atomic():
            run()
    except Exception as error:  # noqa: BLE001  (whatever it is, it is the outcome)
        if os.environ.get("PACKAGES_TRACEBACKS"):
            traceback.print_exc()
        said = f"{type(error).__name__}: {error}"
        refusal = _refused_by_mongodb(error) or _refused_by_sql(error)
        return f"refused, {said}" if refusal else f"failed, {said}"
    return "accepted"


def _difference() -> str:
    """The last lines of ``syncmongoschema --check``."""
    text = io.StringIO()
    try:
        call_command("syncmongoschema", check=True, verbosity=0, stdout=text)
    except SystemExit:
        return text.getvalue()
    return ""


def _refused_by_mongodb(error: BaseException | None) -> bool:
    from pymongo.errors import BulkWriteError, OperationFailure

    while error is not None:
        if isinstance(error, BulkWriteError):
            return any(one["code"] == REFUSED_BY_SERVER for one in error.details["writeErrors"])
        if isinstance(error, OperationFailure) and error.code == REFUSED_BY_SERVER:
            return True
        error = error.__cause__
    return False


def _refused_by_sql(error: Exception) -> bool:
    from decimal import InvalidOperation

    from django.db import DataError, IntegrityError

    # Too many digits are refused by Django where SQLite would take them.
    return isinstance(error, IntegrityError | DataError | InvalidOperation)


def _validators(connection: Any) -> dict[str, list[str]]:
    return {
        found["name"]: [
            found["options"].get("validationLevel"),
            found["options"].get("validationAction"),
        ]
        for found in connection.database.list_collections(filter={"type": "collection"})
        if "validator" in found["options"]
    }


if __name__ == "__main__":
    main()
