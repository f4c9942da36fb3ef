"""A comparison as JSON, for programs; ``docs/drift.md`` documents every key.

Keys are always there and always in this order; what is not known is null.
"""

from __future__ import annotations

import json
from typing import Any, Final

from djongo_services.drift.comparison import (
    LEVEL,
    SEVERITIES,
    CollectionDrift,
    Comparison,
    Difference,
    Side,
)
from djongo_services.drift.words import line
from djongo_services.translation import english

FORMAT_VERSION: Final = 1
"""Raised when a key changes its meaning or goes; new keys may come without."""

Json = dict[str, Any]


def render_json(comparison: Comparison) -> str:
    """In ASCII; ends with a newline."""
    return json.dumps(comparison_document(comparison), indent=2) + "\n"


@english()
def comparison_document(comparison: Comparison) -> Json:
    found = list(comparison.differences())
    return {
        "format_version": FORMAT_VERSION,
        "before": _side(comparison.before),
        "after": _side(comparison.after),
        "compared": comparison.compared,
        "tests": comparison.tests,
        "level": LEVEL,
        "tolerance": comparison.tolerance,
        "counts": {
            **{
                severity: sum(one.counts and one.severity == severity for one in found)
                for severity in SEVERITIES
            },
            "uncertain": sum(not one.certain and one.accepted is None for one in found),
            "accepted": sum(one.accepted is not None for one in found),
        },
        "collections": [_collection(one) for one in comparison.collections],
        "unused": list(comparison.unused),
        "notes": list(comparison.notes),
    }


def _side(side: Side) -> Json:
    moment = side.inspected_at
    return {
        "label": side.label,
        "database": side.database,
        "server": side.server,
        "inspected_at": None if moment is None else moment.isoformat(timespec="seconds"),
        "stopped": side.stopped,
    }


def _collection(collection: CollectionDrift) -> Json:
    return {
        "name": collection.name,
        "models": list(collection.models),
        "before": collection.before,
        "after": collection.after,
        "differences": [_difference(one) for one in collection.differences],
        "notes": list(collection.notes),
    }


def _difference(found: Difference) -> Json:
    return {
        "sign": found.sign,
        "kind": found.kind,
        "severity": found.severity,
        "subject": found.subject,
        "detail": found.detail,
        "before": found.before,
        "after": found.after,
        "before_share": found.before_share,
        "after_share": found.after_share,
        "models": found.models,
        "p": found.p,
        "certain": found.certain,
        "accepted": found.accepted,
        "line": line(found),
    }
