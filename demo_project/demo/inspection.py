"""The steps that run ``inspectmongo`` in every format and check its output."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from functools import partial
from html.parser import HTMLParser
from typing import Any

from django.core.management import call_command
from pymongo import MongoClient

from demo_project.archive.seeding.oddities import ODDITIES
from demo_project.demo.deployment import MANAGE, Deployment
from demo_project.demo.findings import missing_oddities
from demo_project.demo.round_trip import plain_collections, round_trip
from demo_project.demo.step import Step, StepFailed


def inspect(deployment: Deployment, file: str, *arguments: str) -> str:
    """Run the command as a user does, and return the text that it wrote to ``reports/file``."""
    deployment.reports.mkdir(parents=True, exist_ok=True)
    output = deployment.reports / file
    call_command(
        "inspectmongo",
        *("--depth", "complete", "--output", str(output), "--verbosity", "0", *arguments),
        stdout=io.StringIO(),
        stderr=io.StringIO(),
    )
    return output.read_text("utf-8")


def report(deployment: Deployment) -> str:
    text = inspect(deployment, "report.txt", "--format", "report", "--values")
    require("legacy_cards" in text, "The report does not name the collection legacy_cards.")
    return f"reports/report.txt, {text.count(chr(10)):,} lines"


def json_report(deployment: Deployment) -> str:
    document = parse(
        inspect(deployment, "report.json", "--format", "json", "--values"), "report.json"
    )
    require(document.get("format_version") == 1, "report.json has no format_version 1.")
    if missing := missing_oddities(document):
        raise StepFailed(f"report.json does not show {len(missing)} oddities: {missing[0]}.")
    return f"reports/report.json, {len(ODDITIES)} seeded oddities found"


def models(deployment: Deployment, *, style: str) -> str:
    file = f"models_{style}.py"
    source = inspect(deployment, file, "--format", "models", "--style", style, "--values")
    try:
        compile(source, file, "exec")
    except SyntaxError as error:
        raise StepFailed(f"{file} is not Python: {error}.") from None
    if style == "plain":
        return f"reports/{file}, compiles"
    saved = round_trip(deployment.reports / file)
    if without := plain_collections() - saved.keys():
        raise StepFailed(f"{file} has no model for the collection {min(without)}.")
    total = sum(saved.values())
    return f"reports/{file}, {total:,} documents of {len(saved)} collections round-trip"


def json_schema(deployment: Deployment) -> str:
    text = inspect(deployment, "jsonschema.json", "--format", "jsonschema")
    validators = parse(text, "jsonschema.json")
    client: MongoClient[dict[str, Any]] = MongoClient(deployment.uri)
    with client:
        for name, validator in validators.items():
            refused = client[deployment.database][name].count_documents({"$nor": [validator]})
            require(refused == 0, f"The schema of {name} refuses {refused} of its documents.")
    return f"reports/jsonschema.json, all documents of {len(validators)} collections satisfy it"


def mermaid(deployment: Deployment) -> str:
    text = inspect(deployment, "diagram.mmd", "--format", "mermaid")
    require(text.lstrip().startswith("erDiagram"), "diagram.mmd is not an ER diagram.")
    return "reports/diagram.mmd"


def html(deployment: Deployment) -> str:
    page = _ExternalResources()
    page.feed(inspect(deployment, "report.html", "--format", "html", "--values"))
    require("html" in page.tags, "report.html is not a page.")
    require(not page.found, f"report.html loads {page.found}.")
    return "reports/report.html, self-contained"


def kind_b(deployment: Deployment) -> str:
    """The same database from a project whose ORM is on SQLite, in a separate process."""
    output = deployment.reports / "report_sql.json"
    done = subprocess.run(
        [
            *(sys.executable, str(MANAGE), "inspectmongo"),
            *("--settings", "demo_project.settings_sql"),
            *("--format", "json", "--output", str(output)),
        ],
        env=deployment.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    said = done.stderr.strip().splitlines() or ["it wrote no message"]
    require(done.returncode == 0, f"Kind B fails with exit code {done.returncode}: {said[-1]}")
    document = parse(output.read_text("utf-8"), output.name)
    names = {collection["name"] for collection in document["collections"]}
    require("archive_note" in names, "Kind B does not see the collection archive_note.")
    return f"reports/{output.name}, {len(names)} collections"


def require(fact: bool, otherwise: str) -> None:
    if not fact:
        raise StepFailed(otherwise)


def parse(text: str, file: str) -> dict[str, Any]:
    try:
        document: dict[str, Any] = json.loads(text)
    except ValueError as error:
        raise StepFailed(f"{file} is not JSON: {error}.") from None
    return document


class _ExternalResources(HTMLParser):
    """Finds the first address of another host from which a page would load something."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.found: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attrs:
            loads = name in ("src", "srcset") or (tag == "link" and name == "href")
            if loads and not (value or "").startswith("data:"):
                self.found = self.found or value


STEPS = (
    Step(name="inspectmongo report", run=report),
    Step(name="inspectmongo json", run=json_report),
    Step(name="inspectmongo models (backend)", run=partial(models, style="backend")),
    Step(name="inspectmongo models (plain)", run=partial(models, style="plain")),
    Step(name="inspectmongo jsonschema", run=json_schema),
    Step(name="inspectmongo mermaid", run=mermaid),
    Step(name="inspectmongo html", run=html),
    Step(name="inspectmongo json (kind B)", run=kind_b),
)
