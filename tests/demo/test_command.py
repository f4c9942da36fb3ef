"""The command ``demo``: from nothing to a site, and back to nothing."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import urllib.request
from pathlib import Path

from demo_project.demo.steps import CHECK, possible
from djongo_services.embedded import MongoServer
from tests.demo.conftest import ROOT, Demo


def test_check_runs_every_step_and_leaves_nothing(demo: Demo, mongodb_server: MongoServer) -> None:
    done = demo.manage("demo", "--check", "--no-color")
    assert done.returncode == 0, done.stdout + done.stderr
    outcomes = re.findall(r"^(\w+) +[\d.]+ s  (.+?): ", done.stdout, re.MULTILINE)
    assert outcomes == [("ok", step.name) for step in CHECK]
    assert "djongo_services.backend" in done.stdout.splitlines()[0]
    assert done.stdout.splitlines()[-1] == f"All {len(CHECK)} steps are ok."
    with mongodb_server.client() as client:
        assert f"{demo.database.name}_check" not in client.list_database_names()
    assert not (demo.folder / "reports").exists()


def test_the_stock_backend_leaves_out_what_it_cannot_do() -> None:
    left_out = {*CHECK} - {*possible(CHECK, engine=False)}
    assert {step.name for step in left_out} == {
        "atomic with a savepoint",
        "a check constraint",
        "inspectdb",
    }
    assert possible(CHECK, engine=True) == [*CHECK]


def test_a_failed_step_is_said_and_tells_the_exit_code(demo: Demo) -> None:
    done = demo.manage("demo", "--check", "--no-color", MONGODB_URI="mongodb://127.0.0.1:1/")
    assert done.returncode == 1
    assert re.search(r"^failed +[\d.]+ s  migrate: The MongoDB server of ", done.stdout, re.M)
    assert done.stderr.splitlines() == ["CommandError: Failed: migrate."]


def test_it_serves_an_embedded_server_until_ctrl_c(tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "DEMO_VAR": str(tmp_path),
        "DJANGO_SETTINGS_MODULE": "demo_project.settings",
        "PYTHONUNBUFFERED": "1",
    }
    environment.pop("MONGODB_URI", None)
    with subprocess.Popen(
        [sys.executable, "manage.py", "demo", "--port", "0", "--no-color"],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        limit = threading.Timer(280, process.kill)
        limit.start()
        try:
            assert process.stdout is not None
            said = ""
            for line in process.stdout:
                said += line
                if "Quit the server" in line:
                    break
            # The address comes first, before the steps.
            assert re.match(r"http://127\.0\.0\.1:\d+/ is the demo", said)
            assert "admin / admin" in said
            found = re.search(r"server at (http://\S+)", said)
            assert found is not None, said
            with urllib.request.urlopen(found[1], timeout=120) as response:
                assert "A museum" in response.read().decode()
            assert (tmp_path / "uri").read_text().startswith("mongodb://127.0.0.1:")
            second = subprocess.run(
                [sys.executable, "manage.py", "demo"],
                cwd=ROOT,
                env=environment,
                capture_output=True,
                text=True,
                check=False,
            )
            assert second.stderr.startswith("CommandError: A server for the demo runs already")
            process.send_signal(signal.SIGINT)
            assert process.wait(120) == 0
        finally:
            limit.cancel()
            process.kill()
    assert not (tmp_path / "uri").exists()
    assert (tmp_path / "reports" / "report.json").exists()
