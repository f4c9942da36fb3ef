"""Django's own apps, the admin and packages with unusual fields, on collections that are synced
strictly with the default rules: what no SQL database refuses passes, what one refuses does not.

The same operations run on MongoDB and on SQLite. SQLite does not enforce lengths and digits;
``PACKAGES_POSTGRESQL=/socket/folder`` lets PostgreSQL take its place, with which all of ``REFUSED``
was tried (15.8), except that PostgreSQL cuts strings that are too long in ``bulk_update()``.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from typing import Any

import pytest

from djongo_services.embedded import MongoServer
from tests.processes import ROOT

UNCONVERTED = (
    "the backend's bulk_update() stores values that are not of the field's type as they are"
)
FILES = "the backend's bulk_update() cannot store files"
BACKEND_CANNOT = {
    "bulk_update flag: 0": UNCONVERTED,
    "bulk_update flag: 1": UNCONVERTED,
    "bulk_update price: '4 characters'": UNCONVERTED,
    "bulk_update file: ''": FILES,
    "bulk_update file: '40 characters'": FILES,
    "replacing_tags": "the backend cannot delete with a condition on another collection",
    "the_list_of_a_tree": "django-treebeard before 7 writes keys as JSON, and Wagtail needs 5",
    "the_admin_of_an_animal": "django-polymorphic's admin takes keys for integers",
}
"""What works on SQL and not on MongoDB, and would not without validators or not be readable."""


def _run(settings: str, uri: str, name: str, *parts: str, rules: str = "") -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.packages.run", *parts],
        cwd=ROOT,
        env={
            **os.environ,
            "DJANGO_SETTINGS_MODULE": f"tests.packages.{settings}",
            "DJONGO_SERVICES_TEST_URI": uri,
            "PACKAGES_DATABASE": name,
            "PACKAGES_RULES": rules or "database",
        },
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.fixture(scope="module")
def on_mongodb(mongodb_server: MongoServer) -> Any:
    name = f"packages_{uuid.uuid4().hex[:8]}"
    yield _run("settings_mongodb", mongodb_server.uri, name)
    with mongodb_server.client() as client:
        client.drop_database(name)


@pytest.fixture(scope="module")
def on_sql(mongodb_server: MongoServer) -> Any:
    return _run("settings_sql", mongodb_server.uri, "packages")


def _accepted(result: dict[str, Any]) -> set[str]:
    return {name for name, outcome in result["outcomes"].items() if outcome == "accepted"}


def test_every_validator_is_strict(on_mongodb: dict[str, Any]) -> None:
    validators = on_mongodb["validators"]
    assert {"auth_user", "django_session", "django_admin_log", "shop_plain"} <= validators.keys()
    assert set(map(tuple, validators.values())) == {("strict", "error")}


def test_what_no_sql_database_refuses_passes(
    on_mongodb: dict[str, Any], on_sql: dict[str, Any]
) -> None:
    expected = _names("ACCEPTED")
    assert expected <= _accepted(on_sql), _unlike(on_sql, expected)
    passing = expected - BACKEND_CANNOT.keys()
    assert passing <= _accepted(on_mongodb), _unlike(on_mongodb, passing)
    # Once the backend can, it is no exception any more.
    assert not _accepted(on_mongodb) & BACKEND_CANNOT.keys()


def test_what_a_sql_database_refuses_is_refused(
    on_mongodb: dict[str, Any], on_sql: dict[str, Any]
) -> None:
    outcomes = on_mongodb["outcomes"]
    for name in _names("REFUSED"):
        refused = "failed" if name.startswith("bulk_update file") else "refused"
        assert outcomes[name].startswith(refused), f"{name}: {outcomes[name]}"
    by_sqlite = on_sql["outcomes"].items()
    assert sum(outcome.startswith("refused") for _, outcome in by_sqlite) > 100


def test_nothing_differs_afterwards(on_mongodb: dict[str, Any]) -> None:
    assert on_mongodb["difference"] == ""


def test_what_forms_let_pass_passes_under_the_rules_of_the_model(
    mongodb_server: MongoServer,
) -> None:
    name = f"packages_{uuid.uuid4().hex[:8]}"
    parts = ("a form of", "the admin of")
    try:
        found = _run("settings_mongodb", mongodb_server.uri, name, *parts, rules="model")
    finally:
        with mongodb_server.client() as client:
            client.drop_database(name)
    tried = {name for name in _names("ACCEPTED") if name.startswith(parts)}
    assert _accepted(found) == tried, _unlike(found, tried)
    assert found["difference"] == ""


def _names(which: str) -> set[str]:
    """Without importing the models, which belong to other settings."""
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "import django, json; django.setup(); from tests.packages import operations; "
            f"print(json.dumps(list(operations.{which})))",
        ],
        cwd=ROOT,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "tests.packages.settings_sql"},
        capture_output=True,
        text=True,
        check=True,
    )
    return set(json.loads(done.stdout))


def _unlike(result: dict[str, Any], expected: set[str]) -> str:
    outcomes = {name: result["outcomes"][name] for name in expected}
    return "\n".join(f"{name}: {said}" for name, said in outcomes.items() if said != "accepted")
