"""The steps in which ``gridfs_gc`` finds the seeded garbage, removes it, and restores a file."""

from __future__ import annotations

import io
from typing import Any

from django.core.management import call_command

from demo_project.archive.seeding.garbage import GARBAGE
from demo_project.demo.deployment import Deployment
from demo_project.demo.inspection import parse, require
from demo_project.demo.step import Step, StepFailed

BUCKET = "media"


def collect(deployment: Deployment, file: str, *arguments: str) -> str:
    """Run the command as a user does, and return what it wrote to ``reports/file``."""
    deployment.reports.mkdir(parents=True, exist_ok=True)
    output = deployment.reports / file
    arguments = (*arguments, "--output", str(output), "--verbosity", "0")
    call_command("gridfs_gc", BUCKET, *arguments, stdout=io.StringIO(), stderr=io.StringIO())
    return output.read_text("utf-8")


def dry_run(deployment: Deployment) -> str:
    collect(deployment, "garbage.txt", "--dry-run")
    found = _found(collect(deployment, "garbage.json", "--dry-run", "--format", "json"))
    for garbage in GARBAGE:
        if found.get(garbage.kind, 0) < garbage.count:
            raise StepFailed(
                f"garbage.json shows {found.get(garbage.kind, 0)} {garbage.kind}, not "
                f"{garbage.count}."
            )
    return f"reports/garbage.txt, {sum(found.values())} things to collect"


def remove(deployment: Deployment) -> str:
    text = collect(deployment, "collected.txt", "--noinput")
    left = _found(collect(deployment, "left.json", "--dry-run", "--format", "json"))
    require(not sum(left.values()), f"left.json still shows {left}.")
    return f"reports/collected.txt. {text.strip().splitlines()[-1]}"


def restore(deployment: Deployment) -> str:
    return collect(deployment, "restored.txt", "--restore", "plates/unlabelled-1.jpg").strip()


def bring_back(deployment: Deployment) -> str:
    """Restore a file, so that the admin has something to show."""
    call_command("seed_demo", size=deployment.size, stdout=io.StringIO(), no_color=True)
    return "drift and garbage are back, for the admin's pages"


def _found(text: str) -> dict[str, int]:
    document = parse(text, "gridfs_gc --format json")
    (bucket,) = document["buckets"]
    return {kind["kind"]: kind["count"] for kind in _kinds(bucket)}


def _kinds(bucket: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = bucket["found"]
    return found


STEPS = (
    Step(name="gridfs_gc --dry-run", run=dry_run),
    Step(name="gridfs_gc", run=remove),
    Step(name="gridfs_gc --restore", run=restore),
)
AGAIN = Step(name="seed_demo again", run=bring_back)
