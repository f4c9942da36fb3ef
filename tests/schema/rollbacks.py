"""Rolling back in one go, as the command and the admin do in two steps."""

from __future__ import annotations

from typing import Any

from bson import ObjectId
from pymongo.database import Database

from djongo_services.schema.applying import apply
from djongo_services.schema.undoing import plan_rollback


def roll_back(
    database: Database[Any], run: ObjectId, *, with_later: bool = False, **options: Any
) -> ObjectId:
    found = plan_rollback(database, run, with_later=with_later)
    return apply(database, found.plan, rolls_back=found.runs, **options)
