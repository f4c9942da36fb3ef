"""``migrate`` on a synced database, killed after each of its writes and run again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from tests.processes import python_path
from tests.schema.migrated.interrupted_case import INTERRUPTED, INTERRUPTED_LATER
from tests.schema.migrated.writing import write_app

ROOT = Path(__file__).parents[3]
LABEL = "interrupted"


@pytest.fixture(scope="module", params=["forth", "back"])
def ends(request, mongodb_server, tmp_path_factory):
    folder = tmp_path_factory.mktemp("apps")
    write_app(
        folder, LABEL, INTERRUPTED.initial, INTERRUPTED.change, INTERRUPTED_LATER, closed=True
    )
    name = f"killed_{uuid.uuid4().hex[:12]}"
    arguments = [mongodb_server.uri, name, str(folder), LABEL, request.param]
    done = subprocess.run(
        [sys.executable, "-m", "tests.schema.migrated.killed", *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": python_path()},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_it_was_killed_at_every_write_but_the_last(ends):
    *killed, last = [end["killed"] for end in ends]
    assert len(killed) > 20
    assert set(killed) == {-signal.SIGKILL}
    assert last == 0
    assert ends[-1]["first_error"] is None


def test_both_validators_are_relaxed_before_anything_is_migrated(ends):
    """They are tightened only after the migrations; meanwhile the check names the relaxed ones."""
    relaxed = [len(end["relaxed"]) for end in ends]
    whole = relaxed.index(2)
    assert relaxed[:whole] == sorted(relaxed[:whole])
    assert relaxed[-1] == 0
    for end in ends:
        assert len(end["warnings"]) == bool(end["relaxed"])
        for name in end["relaxed"]:
            assert f"{LABEL}_{name}" in end["warnings"][0]
            assert "migrate relaxed the validators and has not ended" in end["warnings"][0]
            (change,) = [
                change
                for change in end["check"]["differences"]
                if change["collection"] == f"{LABEL}_{name}"
            ]
            assert "a run of migrate relaxed it and has not ended" in change["words"]
        if end["relaxed"]:
            assert end["check"]["code"] == 1


def test_the_next_run_ends_it(ends):
    for end in ends:
        assert end["error"] is None
        assert end["contents"] == ends[-1]["contents"]
        assert end["validators"] == {name: ["strict", "error", 0] for name in ("tag", "thing")}
        assert end["check_at_the_end"]["differences"] == [] or end["check_at_the_end"]["waiting"]
