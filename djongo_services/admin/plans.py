"""A plan as a page shows it, and how it travels to the page that confirms it and back.

A page that is confirmed carries the plan itself, signed: what was read is what is done. Whether the
database is still what it was made for, :func:`djongo_services.schema.applying.apply` checks.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import pymongo
from bson.json_util import CANONICAL_JSON_OPTIONS, dumps
from django.core import signing
from django.utils.translation import gettext as _
from pymongo.errors import PyMongoError

from djongo_services.admin.patience import Mongo
from djongo_services.introspection.rendering.printable import printable
from djongo_services.introspection.rendering.values import shortened
from djongo_services.schema.operations import Operation, Risk
from djongo_services.schema.plan import Change, Plan
from djongo_services.schema.rendering import load, operation_document, render_json
from djongo_services.schema.spec import CollectionSpec
from djongo_services.schema.syncing import make_plan

COUNTING_SECONDS = 0.8
"""How long violators are counted for a page; without a count, a validator begins gently."""
VALID_SECONDS = 3600
"""How old a confirmed plan may be."""
_SALT = "djongo_services.admin.plans"
_LONGEST = 500


@dataclass(frozen=True, kw_only=True, slots=True)
class Made:
    plan: Plan
    is_counted: bool
    """Whether violators were counted, which decides how strict a validator begins."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StepCard:
    collection: str
    words: str
    risk: str
    is_grave: bool
    waits_for: str
    is_reversible: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class ChangeCard:
    digest: str
    """Names the change in URLs."""
    collection: str
    kind: str
    """``added``, ``changed``, ``removed`` or ``impossible``: for the style."""
    sign: str
    words: str
    risk: str
    is_safe: bool
    is_grave: bool
    steps: tuple[StepCard, ...]


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


def cards(changes: Sequence[Change]) -> list[ChangeCard]:
    kinds = {"+": "added", "~": "changed", "-": "removed", "!": "impossible"}
    return [
        ChangeCard(
            digest=digest_of(change),
            collection=printable(change.collection),
            kind=kinds[change.sign],
            sign=change.sign,
            words=shortened(printable(change.words), _LONGEST),
            risk=risk_text(change.risk),
            is_safe=change.risk is Risk.SAFE,
            is_grave=change.risk is Risk.DESTROYS,
            steps=tuple(step_card(step) for step in change.operations),
        )
        for change in changes
    ]


def step_card(step: Operation) -> StepCard:
    return StepCard(
        collection=shortened(printable(step.collection), _LONGEST),
        words=shortened(printable(step.words()), _LONGEST),
        risk=risk_text(step.risk),
        is_grave=step.risk is Risk.DESTROYS,
        waits_for=step.waits_for,
        is_reversible=bool(step.inverse()),
    )


def risk_text(risk: Risk) -> str:
    return {
        Risk.SAFE: _("safe"),
        Risk.SLOW: _("slow"),
        Risk.BLOCKS: _("blocks writes"),
        Risk.DESTROYS: _("destroys"),
    }[risk]


def digest_of(change: Change) -> str:
    text = dumps(
        [change.collection, change.words, [operation_document(one) for one in change.operations]],
        json_options=CANONICAL_JSON_OPTIONS,
    )
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def only(plan: Plan, digest: str) -> Plan | None:
    """The plan with this change alone; None where it has no such change."""
    chosen = tuple(change for change in plan.changes if digest_of(change) == digest)
    return replace(plan, changes=chosen, notes=(), problems=()) if chosen else None


def is_grave(steps: Sequence[Operation]) -> bool:
    return any(step.risk is Risk.DESTROYS for step in steps)


def signed(plan: Plan) -> str:
    return signing.dumps(
        render_json(replace(plan, notes=(), problems=())), salt=_SALT, compress=True
    )


def confirmed(text: str) -> Plan | None:
    """None when the text is not ours, or too old."""
    try:
        return load(signing.loads(text, salt=_SALT, max_age=VALID_SECONDS))
    except signing.BadSignature:
        return None
