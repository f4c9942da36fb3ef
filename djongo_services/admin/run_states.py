"""The state of runs for pages: whether one is in progress, where it is, and the results of its
steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from bson import ObjectId
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from djongo_services.admin.deadline import Mongo
from djongo_services.admin.plan_cards import MOST_STEPS, Cards
from djongo_services.admin.profiles.keeping import moment
from djongo_services.durations import elapsed_text
from djongo_services.formatting import count, percent, printable, shortened
from djongo_services.introspection.catalog import IndexBuild
from djongo_services.introspection.reading.probes import read_builds
from djongo_services.lease import COLLECTION as LEASES
from djongo_services.schema.applying import History, RunStep, SchemaRun
from djongo_services.schema.operations import BuildIndexes
from djongo_services.schema.wording import summary_text

_LONGEST = 2_000


@dataclass(frozen=True, kw_only=True, slots=True)
class FoundRun:
    run: SchemaRun
    is_alive: bool
    """Whether its process may be alive: the lease is held, and no run has begun since."""

    @property
    def is_running(self) -> bool:
        return self.is_alive and self.run.status == "running"


@dataclass(frozen=True, kw_only=True, slots=True)
class RunPart(FoundRun):
    """A run with some of its steps."""

    steps: list[RunStep]
    current: RunStep | None = None
    """The current step."""
    build: IndexBuild | None = None
    """The progress of its indexes, which share one scan."""


def latest_runs(database: Mongo, limit: int) -> list[FoundRun]:
    """The runs, newest first."""
    runs = History(database).runs(limit)
    latest = runs[0].id if any(run.status == "running" for run in runs) else None
    is_alive = latest is not None and _is_held(database)
    return [FoundRun(run=run, is_alive=is_alive and run.id == latest) for run in runs]


def read_run(database: Mongo, key: ObjectId, *, page: int) -> RunPart | None:
    """A run with the steps of that page, from 1; None if the history has no such run."""
    history = History(database)
    run = history.run(key)
    if run is None:
        return None
    steps = history.some_steps(key, (page - 1) * MOST_STEPS, MOST_STEPS)
    if run.status != "running":
        return RunPart(run=run, steps=steps, is_alive=False)
    is_alive = next(history.later(run), None) is None and _is_held(database)
    current = history.current(key)
    build = None if current is None else _build_of(database, current)
    return RunPart(run=run, steps=steps, is_alive=is_alive, current=current, build=build)


def has_inverse(database: Mongo, part: RunPart) -> bool:
    """Whether any step of the run can be undone."""
    begun = (step for step in part.steps if step.was_begun)
    rest = History(database).begun_steps(part.run.id)
    return any(step.operation.inverse() for step in chain(begun, rest))


def _build_of(database: Mongo, step: RunStep) -> IndexBuild | None:
    if not isinstance(step.operation, BuildIndexes):
        return None
    builds = read_builds(database, [step.operation.collection])
    if isinstance(builds, dict):
        for index in step.operation.indexes:
            build = builds.get((step.operation.collection, index.name))
            if build is not None and build.total:
                return build
    return None


def ask_to_stop(database: Mongo, key: ObjectId, *, by: str) -> list[str] | None:
    """The collections of the current and remaining steps; empty for a run that has ended, None for
    an unknown run."""
    history = History(database)
    if history.run(key) is None:
        return None
    left = [one for one in history.steps(key) if one.status in ("pending", "running")]
    if not history.ask_to_stop(key, by=by):
        return []
    return list(dict.fromkeys(one.operation.collection for one in left))


def run_context(run: SchemaRun, *, is_alive: bool) -> dict[str, Any]:
    is_running = run.status == "running" and is_alive
    texts = {
        "running": _("running") if is_alive else _("its process has ended"),
        "done": _("done"),
        "failed": _("failed"),
        "interrupted": _("interrupted"),
    }
    return {
        "id": str(run.id),
        "summary": summary_text(run.summary),
        "started": moment(run.started),
        "took": "" if run.seconds is None else elapsed_text(run.seconds),
        "status": texts[run.status],
        "state": "same" if run.status == "done" else "free" if is_running else "differs",
        "is_running": is_running,
        "is_stopping": is_running and run.stopped_by is not None,
        "steps": _("%(done)s of %(all)s") % {"done": count(run.done), "all": count(run.steps)},
        "steps_text": _steps_text(run),
        "by": printable(run.by),
        "rolls_back": ", ".join(map(str, run.rolls_back)),
        "error": printable(run.error or "")[:_LONGEST],
    }


def progress_context(part: RunPart) -> dict[str, Any]:
    """Plain values, because the page's script reads them too."""
    done = float(part.run.done)
    phase, figures = _("starting"), [_steps_text(part.run)]
    if part.current is not None:
        words = f"{part.current.operation.collection}: {part.current.operation.words()}"
        phase = shortened(printable(words), _LONGEST)
    if part.build is not None:
        share = _share(part.build)
        done += share
        figures.append(_("%(share)s of the index build") % {"share": percent(share)})
    done = round(min(done, part.run.steps), 3)
    return {
        "is_running": part.is_running,
        "phase": phase,
        "figures": ", ".join(figures),
        "done": done,
        "shown": str(done),
        "total": part.run.steps,
    }


def step_contexts(steps: Sequence[RunStep], cards: Cards) -> list[dict[str, Any]]:
    shown = cards.steps([step.operation for step in steps])
    return [
        {
            "card": card,
            "number": step.number,
            **step_state(step),
            "took": "" if step.seconds is None else elapsed_text(step.seconds),
            "error": printable(step.error or "")[:_LONGEST],
        }
        for step, card in zip(steps, shown, strict=True)
    ]


def step_state(step: RunStep) -> dict[str, str]:
    texts = {
        "pending": _("not started"),
        "running": _("running"),
        "done": _("done"),
        "failed": _("failed"),
        "interrupted": _("interrupted"),
    }
    states = {"done": "same", "failed": "differs", "interrupted": "differs"}
    return {"status": texts[step.status], "state": states.get(step.status, "free")}


def _steps_text(run: SchemaRun) -> str:
    said = ngettext("%(done)s of %(all)s step", "%(done)s of %(all)s steps", run.steps)
    return said % {"done": count(run.done), "all": count(run.steps)}


def _share(build: IndexBuild) -> float:
    return min((build.done or 0) / (build.total or 1), 1.0)


def _is_held(database: Mongo) -> bool:
    held = {"_id": "schema", "$expr": {"$gt": ["$expires", "$$NOW"]}}
    return database[LEASES].count_documents(held, limit=1) > 0
