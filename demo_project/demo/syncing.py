"""The steps in which ``syncmongoschema`` finds the seeded drift, repairs it and proves it."""

from __future__ import annotations

import io
from typing import Any

from django.core.management import call_command
from django.db import connection

from demo_project.archive.seeding.drift import COLLECTIONS, DANGLING, DRIFT
from demo_project.demo.deployment import Deployment
from demo_project.demo.findings import missing_drift
from demo_project.demo.inspection import parse, require
from demo_project.demo.mending import mend
from demo_project.demo.step import Step, StepFailed

REPAIR = ("--prune", "drop", "--allow-destructive", "--noinput")
"""Also drops what no model declares, for which ``make demo`` asks no confirmation."""


def sync(deployment: Deployment, file: str, *arguments: str, code: int = 0) -> str:
    """Run the command as a user does, and return what it wrote to ``reports/file``, followed by
    stderr.

    Raises StepFailed if it ends with another exit code.
    """
    deployment.reports.mkdir(parents=True, exist_ok=True)
    output, errors = deployment.reports / file, io.StringIO()
    arguments = (*arguments, "--output", str(output), "--verbosity", "0")
    ended = 0
    try:
        call_command("syncmongoschema", *arguments, stdout=io.StringIO(), stderr=errors)
    except SystemExit as left:
        ended = int(left.code or 0)
    if said := errors.getvalue():
        output.write_text(output.read_text("utf-8") + said, "utf-8")
    if ended != code:
        raise StepFailed(f"syncmongoschema ends with exit code {ended}, not {code}.")
    return output.read_text("utf-8")


def plan(deployment: Deployment) -> str:
    text = sync(deployment, "plan.txt", "--plan", "--prune", "drop")
    document = parse(
        sync(deployment, "plan.json", "--plan", "--prune", "drop", "--format", "json"), "plan.json"
    )
    if missing := missing_drift(document):
        raise StepFailed(f"plan.json does not show {len(missing)} drifts: {missing[0]}.")
    last = text.splitlines()[-1]
    return f"reports/plan.txt, {len(DRIFT)} seeded drifts found. {last}"


def check_before(deployment: Deployment) -> str:
    text = sync(deployment, "check_before.txt", "--check", code=1)
    return f"reports/check_before.txt, exit code 1. {text.splitlines()[-1]}"


def violations(deployment: Deployment) -> str:
    text = sync(deployment, "violations.txt", "--violations", "3")
    found = [line for line in text.splitlines() if not line.startswith(" ")]
    require(len(found) == 4, f"violations.txt shows {len(found)} collections, not 4.")
    return f"reports/violations.txt, documents of {len(found)} collections"


def repair(deployment: Deployment) -> str:
    text = sync(deployment, "applied.txt", *REPAIR)
    return f"reports/applied.txt. {text.splitlines()[-1]}"


def mend_violators(deployment: Deployment) -> str:
    arguments = ("--violations", "3", "--format", "json")
    document = parse(sync(deployment, "violations.json", *arguments), "violations.json")
    mended = list(mend(document))
    require(bool(mended), "violations.json lists no document to mend.")
    return "; ".join(mended)


def tighten(deployment: Deployment) -> str:
    """Sync again, which makes the validators strict because no violator is left."""
    sync(deployment, "tightened.txt", *REPAIR)
    wanted = dict.fromkeys(COLLECTIONS, ("strict", "error"))
    wanted["archive_search"] = ("strict", "warn")
    found = _validators()
    if other := {name for name in wanted if found.get(name) != wanted[name]}:
        name = min(other)
        raise StepFailed(f"The validator of {name} is {found.get(name)}, not {wanted[name]}.")
    return f"reports/tightened.txt, validators of {len(wanted)} collections are strict"


def check_after(deployment: Deployment) -> str:
    return sync(deployment, "check_after.txt", "--check").strip()


def references(deployment: Deployment) -> str:
    text = sync(deployment, "references.txt", "--check", "--references", code=1)
    for line in DANGLING:
        require(line in text, f"references.txt does not show {line!r}.")
    return f"reports/references.txt, exit code 1. {DANGLING[0]}"


def history(deployment: Deployment) -> str:
    sync(deployment, "history.txt", "--history")
    document = parse(
        sync(deployment, "history.json", "--history", "--format", "json"), "history.json"
    )
    runs = document["runs"]
    done = sum(run["status"] == "done" for run in runs)
    require(done >= 2, f"history.json shows {done} runs that are done, not 2 or more.")
    return f"reports/history.txt, {len(runs)} runs"


def _validators() -> dict[str, tuple[Any, Any]]:
    """Level and action by collection."""
    return {
        found["name"]: (
            found["options"].get("validationLevel"),
            found["options"].get("validationAction"),
        )
        for found in connection.database.list_collections()
    }


STEPS = (
    Step(name="syncmongoschema --plan", run=plan),
    Step(name="syncmongoschema --check", run=check_before),
    Step(name="syncmongoschema --violations", run=violations),
    Step(name="syncmongoschema", run=repair),
    Step(name="mend the violators", run=mend_violators),
    Step(name="syncmongoschema again", run=tighten),
    Step(name="syncmongoschema --check again", run=check_after),
    Step(name="syncmongoschema --check --references", run=references),
    Step(name="syncmongoschema --history", run=history),
)
