"""A step of the demo: its name, its work, and how its outcome is shown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter

from django.core.management.base import CommandError
from django.db import DatabaseError
from pymongo.errors import PyMongoError

from demo_project.demo.deployment import Deployment
from djongo_services.connections import connections
from djongo_services.error_messages import describe_error
from djongo_services.exceptions import DjongoServicesError


class StepFailed(Exception):
    """One sentence: what was found, and what was expected."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    name: str
    run: Callable[[Deployment], str]
    """Returns what it did in a few words; raises StepFailed or what commands raise."""
    essential: bool = False
    """Whether the later steps are pointless if it fails."""
    needs_engine: bool = False
    """Whether it needs the engine and cannot run on the stock backend."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    name: str
    ok: bool
    text: str
    seconds: float


def run_steps(
    steps: Sequence[Step], deployment: Deployment, show: Callable[[Outcome], None]
) -> list[Outcome]:
    """Run them in order and show each outcome when it ends; stop after an essential step that
    failed."""
    outcomes: list[Outcome] = []
    for step in steps:
        outcomes.append(_run(step, deployment))
        show(outcomes[-1])
        if step.essential and not outcomes[-1].ok:
            break
    return outcomes


def _run(step: Step, deployment: Deployment) -> Outcome:
    started = perf_counter()
    try:
        text, ok = step.run(deployment), True
    except (StepFailed, CommandError, DjongoServicesError, OSError) as error:
        text, ok = str(error), False
    except (PyMongoError, DatabaseError) as error:
        cause = error.__cause__ if isinstance(error.__cause__, PyMongoError) else error
        text, ok = describe_error(cause, connections["default"]), False
    except Exception as error:  # noqa: BLE001 - a defect of the command that the step runs
        text, ok = f"It raised {type(error).__name__}: {error}", False
    return Outcome(name=step.name, ok=ok, text=text, seconds=perf_counter() - started)
