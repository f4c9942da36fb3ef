"""The site for the tests with other packages, each in a separate process and on a separate
database."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from djongo_services.embedded import MongoServer
from tests.processes import ROOT, python_path

SetUp = "import django; django.setup()\n"
Prove = "from tests.transaction.packages.site import prove; print(prove())\n"


@pytest.fixture
def packages_environment(mongodb_server: MongoServer, tmp_path: Path) -> Iterator[dict[str, str]]:
    """The environment of a process that serves the site."""
    name = f"packages_{uuid.uuid4().hex}"
    yield {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.transaction.packages.settings",
        "DJONGO_SERVICES_TEST_URI": mongodb_server.uri,
        "PACKAGES_DATABASE": name,
        "PACKAGES_SQLITE": str(tmp_path / "packages.sqlite3"),
        "PYTHONPATH": python_path(),
    }
    with mongodb_server.client() as client:
        client.drop_database(name)


@pytest.fixture
def run(packages_environment: dict[str, str]) -> Callable[..., str]:
    """``run(code, MIDDLEWARE=[...])``: what the code prints; fails with its traceback."""

    def run(code: str, *, env: dict[str, str] | None = None, **settings: Any) -> str:
        done = subprocess.run(
            [sys.executable, "-W", "error::RuntimeWarning", "-c", code],
            cwd=ROOT,
            env={**packages_environment, "PACKAGES": json.dumps(settings), **(env or {})},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-4000:]
        return done.stdout

    return run
