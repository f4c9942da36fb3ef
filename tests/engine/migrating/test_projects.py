"""Projects on the engine, migrated by the command ``migrate``: back and forth, and killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import uuid
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.engine.migrating.interrupted_case import CHANGED, CHANGED_LATER
from tests.processes import python_path
from tests.schema.migrated.building import Case
from tests.schema.migrated.cases import CASES
from tests.schema.migrated.writing import write_app

ROOT = Path(__file__).parents[3]
AT_ONCE = 7
REFUSED = {
    "remove": ("back", "it cannot be null and has no default"),
    "closed_remove": ("back", "it cannot be null and has no default"),
    "longer_used": ("back", "longer_used_thing.name cannot become CharField"),
    "shorter_violated": ("forth", "shorter_violated_thing.name cannot become CharField"),
    "remove_check": ("back", "CHECK constraint failed: size_not_negative"),
    "foreign_key_to_text": ("back", "foreign_key_to_text_tag._id cannot become IntegerField"),
}
"""Cases that a SQL database refuses, too: the documents do not fit the new fields."""
OTHERWISE = ("type_fits", "type_violated", "embedded")
"""Documents are not those of the stock backend, which converts nothing and fills nothing in."""
RAW = ("run_python", "run_python_alone")
"""Their ``RunPython`` writes what the validator of that moment refuses, as a SQL column would."""
LABELS = [label for label in CASES if label not in RAW]


def run(module: str, *arguments: str) -> Any:
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=ROOT,
        env={
            **os.environ,
            "PYTHONPATH": python_path(),
            "MIGRATED_ENGINE": "djongo_services.backend",
            "KILLED_EVERY": "4",
        },
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def write(folder: Path, label: str, case: Case) -> None:
    write_app(
        folder,
        label,
        case.initial,
        case.change,
        dependencies=case.dependencies,
        closed=case.closed,
    )


@pytest.fixture(scope="module")
def outcomes(mongodb_server, tmp_path_factory):
    @cache
    def of(number: int) -> dict[str, Any]:
        folder = tmp_path_factory.mktemp("apps")
        labels = LABELS[number * AT_ONCE : (number + 1) * AT_ONCE]
        for label in labels:
            write(folder, label, CASES[label])
        name = f"engine_{uuid.uuid4().hex[:12]}"
        found: dict[str, Any] = run(
            "tests.schema.migrated.project", mongodb_server.uri, name, str(folder), *labels
        )
        return found

    return of


@pytest.fixture(params=LABELS)
def label(request):
    return request.param


@pytest.fixture
def outcome(label, outcomes):
    return outcomes(LABELS.index(label) // AT_ONCE)[label]


def test_the_check_is_clean_after_migrate_alone(outcome):
    assert outcome["first"] == []


def test_migrations_pass_or_say_what_does_not_fit(label, outcome):
    way, words = REFUSED.get(label, (None, ""))
    for each in ("back", "forth"):
        said = outcome[each]["default"]
        if each == way:
            assert words in said
        else:
            assert said is None


def test_documents_are_as_without_validators(label, outcome):
    if label not in REFUSED and label not in OTHERWISE:
        assert outcome["contents"]["default"] == outcome["contents"]["bare"]


def test_validators_stay_in_force_and_in_step(label, outcome):
    for way in ("validators_back", "validators_forth"):
        for level, action, violators in outcome[way].values():
            assert (level, action, violators) == ("strict", "error", 0)
    if label not in REFUSED:
        assert outcome["refused_new"] == outcome["refused_old"] == []
        assert outcome["check"] == []


class TestKilled:
    """SIGKILL after every fourth write, and then ``migrate`` again. (Each took 8 minutes.)"""

    @pytest.fixture(scope="class", params=["forth", "back"])
    @classmethod
    def ends(cls, request, mongodb_server, tmp_path_factory):
        folder = tmp_path_factory.mktemp("apps")
        write_app(folder, "changed", CHANGED.initial, CHANGED.change, CHANGED_LATER)
        return run(
            "tests.schema.migrated.killed",
            mongodb_server.uri,
            f"killed_{uuid.uuid4().hex[:12]}",
            str(folder),
            "changed",
            request.param,
            "tests.engine.migrating.interrupted_case:CHANGED",
        )

    def test_until_it_came_through(self, ends):
        *killed, last = [end["killed"] for end in ends]
        assert len(killed) > 10
        assert set(killed) == {-signal.SIGKILL}
        assert (last, ends[-1]["first_error"]) == (0, None)

    def test_the_next_run_ends_it(self, ends):
        for end in ends:
            assert end["error"] is None
            assert end["contents"] == ends[-1]["contents"]
            assert end["indexes"] == ends[-1]["indexes"]
            assert end["relaxed"] == []
            assert end["validators"] == ends[-1]["validators"]
            assert set(map(tuple, end["validators"].values())) == {("strict", "error", 0)}
            assert (
                end["check_at_the_end"]["differences"] == [] or end["check_at_the_end"]["waiting"]
            )
