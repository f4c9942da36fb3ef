"""The demo's steps, in order."""

from __future__ import annotations

from demo_project.demo import (
    collecting,
    comparing,
    data,
    engine,
    inspection,
    migrating,
    opening,
    pages,
    syncing,
    testing,
)
from demo_project.demo.step import Step

_COMMANDS = (
    *data.STEPS,
    *inspection.STEPS,
    *syncing.STEPS,
    *comparing.STEPS,
    *migrating.STEPS,
    *engine.STEPS,
    *collecting.STEPS,
)
BEFORE_SERVING = (*_COMMANDS, collecting.AGAIN, *opening.STEPS)
CHECK = (*_COMMANDS, *testing.STEPS, *pages.STEPS)


def possible(steps: tuple[Step, ...], *, engine: bool) -> list[Step]:
    """The steps that can run with ``ENGINE = "djongo_services.backend"``, or without it."""
    return [step for step in steps if engine or not step.needs_engine]
