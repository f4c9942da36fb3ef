"""The step that migrates a synced collection back and forth: its validator follows the models."""

from __future__ import annotations

from typing import Any

from django.core.management import CommandError, call_command
from django.db import connection

from demo_project.demo.deployment import Deployment
from demo_project.demo.inspection import require
from demo_project.demo.step import Step
from demo_project.demo.syncing import sync

LAST = "archive.0003_longer_loan_code"
COLLECTION = "archive_loan"


def back_and_forth(deployment: Deployment) -> str:
    call_command("migrate", "archive", "0002", verbosity=0)
    before = _longest()
    require(before == 12, f"After migrating back, the code of a loan may have {before} characters.")
    refused = _refused(deployment)
    require(LAST in refused, f"syncmongoschema does not name the migration that waits: {refused}")
    call_command("migrate", "archive", verbosity=0)
    after = _longest()
    require(after == 16, f"After migrating, the code of a loan may have {after} characters.")
    sync(deployment, "check_migrated.txt", "--check")
    return f"{COLLECTION}: code maxLength {before}, then {after}; strict each time"


def _refused(deployment: Deployment) -> str:
    try:
        sync(deployment, "refused.txt")
    except CommandError as error:
        return str(error)
    return "it was not refused."


def _longest() -> Any:
    """``maxLength`` in the current validator."""
    (found,) = connection.database.list_collections(filter={"name": COLLECTION})
    options = found["options"]
    strict = (options.get("validationLevel"), options.get("validationAction"))
    require(strict == ("strict", "error"), f"The validator of {COLLECTION} is {strict}.")
    query = options["validator"]
    schema = query.get("$and", [query])[0]["$jsonSchema"]
    return schema["properties"]["code"].get("maxLength")


STEPS = (Step(name="migrate a synced collection", run=back_and_forth),)
