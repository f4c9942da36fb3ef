"""Making a plan for a page, and sending it to the confirmation page and back.

A confirmation contains the plan itself, signed: exactly the confirmed plan is applied.
:func:`djongo_services.schema.applying.apply` checks whether the database has changed since.
"""

from __future__ import annotations

import base64
import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import pymongo
from bson import encode
from django.core import signing
from pymongo.errors import PyMongoError

from djongo_services.admin.deadline import Mongo
from djongo_services.schema.operations import Operation, Risk
from djongo_services.schema.plan import Change, Plan
from djongo_services.schema.serialization import (
    PlanUnreadable,
    operation_bytes,
    plan_bytes,
    plan_from,
)
from djongo_services.schema.spec import CollectionSpec
from djongo_services.schema.syncing import make_plan

VALID_SECONDS = 3600
"""The maximum age of a confirmed plan."""
_SALT = "djongo_services.admin.plans"


@dataclass(frozen=True, kw_only=True, slots=True)
class Made:
    plan: Plan
    is_counted: bool
    """Whether violators were counted, which decides how strict a validator begins."""


def planned(database: Mongo, specs: Sequence[CollectionSpec], *, seconds: float) -> Made:
    """The plan, with violators counted if that takes no longer than ``seconds``."""
    began = time.monotonic()
    try:
        with pymongo.timeout(seconds):
            return Made(plan=make_plan(database, specs), is_counted=True)
    except PyMongoError as error:
        if not error.timeout or time.monotonic() - began < seconds / 2:
            raise
    return Made(plan=make_plan(database, specs, count=False), is_counted=False)


def digest_of(change: Change) -> str:
    digest = hashlib.sha256(encode({"collection": change.collection, "words": change.words}))
    for step in change.operations:
        digest.update(operation_bytes(step))
    return digest.hexdigest()[:16]


def only(plan: Plan, digest: str) -> Plan | None:
    """The plan with only this change; None if it has no such change."""
    chosen = tuple(change for change in plan.changes if digest_of(change) == digest)
    return replace(plan, changes=chosen, notes=(), problems=()) if chosen else None


def is_grave(steps: Sequence[Operation]) -> bool:
    return any(step.risk is Risk.DESTROYS for step in steps)


def signed(plan: Plan) -> str:
    data = plan_bytes(replace(plan, notes=(), problems=()))
    return signing.dumps(base64.b64encode(data).decode(), salt=_SALT, compress=True)


def confirmed(text: str) -> Plan | None:
    """The plan; None if the text is not ours, too old, or of another version."""
    try:
        return plan_from(base64.b64decode(signing.loads(text, salt=_SALT, max_age=VALID_SECONDS)))
    except (signing.BadSignature, PlanUnreadable):
        return None
