"""``migrate`` on synced collections with documents, back and forth, and without validators."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.processes import python_path
from tests.schema.migrated.cases import CASES
from tests.schema.migrated.writing import write_app

ROOT = Path(__file__).parents[3]
AT_ONCE = 7
"""Apps of one project: Django renders the models of all for each migration of one."""


@pytest.fixture(scope="module")
def outcomes(mongodb_server, tmp_path_factory):
    """The outcomes of a case; those of one project are run together."""
    labels = list(CASES)

    @cache
    def run(number: int) -> dict[str, Any]:
        own = labels[number * AT_ONCE : (number + 1) * AT_ONCE]
        needed = [app for label in own for app, _ in CASES[label].dependencies]
        chosen = list(dict.fromkeys([*own, *needed]))
        folder = tmp_path_factory.mktemp("apps")
        for label in chosen:
            case = CASES[label]
            write_app(
                folder,
                label,
                case.initial,
                case.change,
                dependencies=case.dependencies,
                closed=case.closed,
            )
        name = f"migrated_{uuid.uuid4().hex[:12]}"
        arguments = [mongodb_server.uri, name, str(folder), *chosen]
        done = subprocess.run(
            [sys.executable, "-m", "tests.schema.migrated.project", *arguments],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": python_path()},
            capture_output=True,
            text=True,
            timeout=280,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def of(label: str) -> dict[str, Any]:
        return run(labels.index(label) // AT_ONCE)[label]

    return of


@pytest.fixture(params=list(CASES))
def outcome(request, outcomes):
    return outcomes(request.param)


def test_migrations_pass_as_without_validators(outcome):
    for way in ("back", "forth"):
        assert outcome[way] == {"default": None, "bare": None}
    assert outcome["contents"]["default"] == outcome["contents"]["bare"]


def test_documents_of_the_models_as_they_are_then_are_accepted(outcome):
    assert outcome["refused_new"] == []
    assert outcome["refused_old"] == []


def test_validators_are_strict_again_where_the_data_allows_it(outcome):
    for way in ("validators_back", "validators_forth"):
        for level, action, violators in outcome[way].values():
            wanted = ("moderate", "warn") if violators else ("strict", "error")
            assert (level, action) == wanted


def test_the_check_names_what_waits_and_is_clean_at_the_end(outcome, request):
    label = request.node.callspec.params["outcome"]
    assert outcome["waiting"] == [f"{label}.0002_change"]
    assert outcome["check"] == []
