"""The demo's models, and what its migrations and its seed have made of the database."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import replace

import pytest

from demo_project.archive.seeding.drift import DRIFT
from tests.demo.conftest import Demo, demo

__all__ = ["demo"]

CODE = """
from djongo_services.connections import connections
from djongo_services.introspection import read_catalog
from djongo_services.schema.diff import ValidationPolicy, diff
from djongo_services.schema.target import specs_for
catalog = read_catalog(connections["default"].database)
specs = specs_for(connections["default"])
plan = diff(catalog, specs, validation=ValidationPolicy(level="off"))
result = {
    "drift": [[c.collection, c.sign, c.words] for c in (*plan.changes, *plan.notes)],
    "problems": [[problem.subject, problem.reason] for problem in plan.problems],
    "collections": [spec.name for spec in specs],
}
"""


@pytest.fixture
def migrated(demo: Demo) -> Iterator[Demo]:
    """A database that has been migrated and no more."""
    name = f"demo_{uuid.uuid4().hex[:8]}"
    database = demo.database.client[name]
    made = replace(demo, database=database, environment={**demo.environment, "MONGODB_NAME": name})
    done = made.manage("migrate", "-v0")
    assert done.returncode == 0, done.stderr
    yield made
    database.client.drop_database(name)


def test_migrations_leave_nothing_to_do(migrated: Demo) -> None:
    found = migrated.run(CODE)
    assert found["drift"] == []
    assert found["problems"] == []
    assert {"archive_note", "auth_user_groups", "django_session"} <= {*found["collections"]}


def test_what_the_seed_has_drifted_is_all_that_differs(demo: Demo) -> None:
    drifted = [drift for drift in DRIFT if drift.words.startswith("index")]
    found = demo.run(CODE)["drift"]
    for drift in drifted:
        assert any(
            (collection, sign) == (drift.collection, drift.sign) and words.startswith(drift.words)
            for collection, sign, words in found
        ), drift
    assert len(found) == len(drifted)
