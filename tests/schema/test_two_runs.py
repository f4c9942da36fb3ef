"""Two runs at once: the second one waits, and a run that was paused for too long does not
continue."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from pymongo.database import Database

from djongo_services.schema.applying import History, LeaseLost, Locked, apply
from tests.schema.drifted import WANTED, drift, indexes_of
from tests.schema.test_faults import finish, plan_for


@contextmanager
def disturbed(
    uri: str, database: Database[Any], number: int, seconds: float
) -> Iterator[subprocess.Popen[str]]:
    """A run in a separate process, stopped (SIGSTOP) after its Nth operation."""
    arguments = [uri, database.name, str(signal.SIGSTOP.value), str(number), str(seconds)]
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.schema.disturbed_run", *arguments],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        _, status = os.waitpid(process.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status)
        yield process
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        process.communicate()


def resumed(process: subprocess.Popen[str]) -> dict[str, Any]:
    process.send_signal(signal.SIGCONT)
    output, _ = process.communicate(timeout=30)
    result: dict[str, Any] = json.loads(output)
    return result


class TestTwoRuns:
    def test_the_second_hears_who_is_at_work_since_when(self, database, mongodb_server):
        drift(database)
        with disturbed(mongodb_server.uri, database, 1, 30) as process:
            with pytest.raises(Locked, match=rf"process {process.pid} on .*, since \d\d:\d\d:\d\d"):
                apply(database, plan_for(database))
            assert resumed(process)["error"] is None
        assert indexes_of(database) == WANTED

    def test_who_slept_longer_than_the_lease_does_not_go_on(self, database, mongodb_server):
        drift(database)
        with disturbed(mongodb_server.uri, database, 2, 1) as process:
            finish(database)
            result = resumed(process)
        assert result["error"] == ["LeaseLost", str(LeaseLost())]
        assert result["sent"] == 2
        assert indexes_of(database) == WANTED
        assert plan_for(database).in_sync
        assert [run.status for run in History(database).runs()] == ["done", "failed"]

    def test_who_slept_in_the_last_step_does_not_count_as_done(self, database, mongodb_server):
        drift(database)
        steps = len(plan_for(database).operations)
        with disturbed(mongodb_server.uri, database, steps, 1) as process:
            finish(database)
            result = resumed(process)
        assert result["error"] == ["LeaseLost", str(LeaseLost())]
        assert result["sent"] == steps
        assert [run.status for run in History(database).runs()] == ["done", "failed"]
