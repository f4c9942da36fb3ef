"""The seeded drift: found, repaired by the command and the ORM, and back after a seed."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from demo_project.archive.seeding.drift import COLLECTIONS, DANGLING, DRIFT
from demo_project.demo.findings import missing_drift
from tests.demo.conftest import Demo

REPAIR = ("--prune", "drop", "--allow-destructive", "--noinput")


@pytest.fixture(scope="module")
def drifted(demo: Demo) -> Iterator[Demo]:
    """A separate database, which the tests of this module repair."""
    name = f"demo_{uuid.uuid4().hex[:8]}"
    database = demo.database.client[name]
    made = replace(demo, database=database, environment={**demo.environment, "MONGODB_NAME": name})
    for arguments in (("migrate", "-v0"), ("seed_demo",)):
        done = made.manage(*arguments)
        assert done.returncode == 0, done.stderr
    yield made
    database.client.drop_database(name)


def plan(demo: Demo) -> dict[str, Any]:
    done = demo.manage("syncmongoschema", "--plan", "--prune", "drop", "--format", "json")
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_every_drift_is_in_the_plan(demo: Demo) -> None:
    found = plan(demo)
    assert missing_drift(found) == []
    changes = [change for change in found["differences"] if change["collection"] in COLLECTIONS]
    assert len(changes) == len(DRIFT)


def test_a_plan_without_them_misses_them(demo: Demo) -> None:
    found = plan(demo)
    assert len(missing_drift({**found, "differences": []})) == len(DRIFT)
    for change in found["differences"]:
        change["sign"] = "!"
    assert len(missing_drift(found)) == len(DRIFT)


def test_the_violators_are_explained(demo: Demo) -> None:
    text = demo.manage("syncmongoschema", "--violations", "3").stdout
    assert "role: 'intern' is not among the choices" in text
    assert "weather.wind: 40 breaks maximum 12" in text
    assert "country: is int, must be string" in text
    assert "elevation: 12000 breaks maximum 8849" in text


def test_dangling_references_are_told(demo: Demo) -> None:
    done = demo.manage("syncmongoschema", "--check", "--references")
    assert done.returncode == 1
    assert all(line in done.stderr for line in DANGLING)


def test_it_is_repaired_and_seeding_brings_it_back(drifted: Demo) -> None:
    assert drifted.manage("syncmongoschema", *REPAIR).returncode == 0
    assert len(drifted.run(_MEND)) == 5
    assert drifted.manage("syncmongoschema", *REPAIR).returncode == 0
    checked = drifted.manage("syncmongoschema", "--check")
    assert checked.stdout == f"In sync: {drifted.database.name} matches the models.\n"
    assert checked.returncode == 0
    done = drifted.manage("seed_demo")
    assert done.returncode == 0, done.stderr
    assert missing_drift(plan(drifted)) == []


_MEND = """
import io, json
from django.core.management import call_command
from demo_project.demo.mending import mend
output = io.StringIO()
call_command("syncmongoschema", violations=3, format="json", stdout=output, stderr=io.StringIO())
result = list(mend(json.loads(output.getvalue())))
"""


def test_what_the_demo_cannot_mend_is_reported(demo: Demo) -> None:
    told = demo.run(
        """
from demo_project.demo.mending import mend
from demo_project.demo.step import StepFailed
try:
    result = list(mend({"violations": [{"collection": "auth_user", "examples": []}]}))
except StepFailed as error:
    result = str(error)
"""
    )
    assert told == "The demo cannot mend documents of auth_user."
