"""Validators that check nothing while ``migrate`` changes their collections.

A relaxed validator keeps its rules, has the level ``off``, and its mark says so. So it is recorded
by the very command that relaxes it, stays with a collection that is renamed, and leaves nothing
behind when it is restored.

The level is ``off`` rather than the action ``warn``, because with that the server writes a line
into its log for each document that a migration changes.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

from djongo_services.introspection.catalog import Validator
from djongo_services.schema.ownership import annotated, note_of
from djongo_services.schema.spec import Level

_NOTE = re.compile(r"\Arelaxed by migrate at (\S+), (strict|moderate) before\Z")


def relaxed(validator: Validator, at: datetime) -> Validator:
    """Our validator in its form while ``migrate`` runs."""
    when = at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    note = f"relaxed by migrate at {when}, {validator.level} before"
    return Validator(query=annotated(validator.query, note), level="off", action=validator.action)


def before_relaxing(validator: Validator | None) -> Validator | None:
    """The validator before it was relaxed; None if it is not relaxed."""
    if validator is None or validator.level != "off":
        return None
    found = _NOTE.match(note_of(validator.query))
    if found is None:
        return None
    level: Level = "strict" if found[2] == "strict" else "moderate"
    return Validator(query=annotated(validator.query, ""), level=level, action=validator.action)
