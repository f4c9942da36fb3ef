"""The step that shows what the sync has changed, compared with the report that was written before
it."""

from __future__ import annotations

from typing import Any

from demo_project.demo.deployment import Deployment
from demo_project.demo.inspection import inspect, parse, require
from demo_project.demo.step import Step


def since_the_report(deployment: Deployment) -> str:
    """Compare as JSON, which is checked here, and as a page for the reader."""
    baseline = ("--baseline", str(deployment.reports / "report.json"), "--values")
    document: dict[str, Any] = parse(
        inspect(deployment, "changes.json", *baseline, "--format", "json"), "changes.json"
    )
    found = [one for each in document["collections"] for one in each["differences"]]
    kinds = {one["kind"] for one in found}
    require({"index", "validator"} <= kinds, "changes.json does not show what the sync has done.")
    page = inspect(deployment, "changes.html", *baseline, "--format", "html")
    require("<!doctype html>" in page, "changes.html is not a page.")
    return f"reports/changes.html, {len(found)} differences"


STEPS = (Step(name="inspectmongo --baseline", run=since_the_report),)
