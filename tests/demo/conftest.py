"""The demo project in separate processes, on the session's server and in a temporary folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pymongo.database import Database

from djongo_services.embedded import MongoServer

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, kw_only=True)
class Demo:
    database: Database[dict[str, Any]]
    folder: Path
    environment: dict[str, str]

    def manage(
        self, *arguments: str, **environment: str | None
    ) -> subprocess.CompletedProcess[str]:
        """``manage.py`` with these arguments; a variable that is None is not set."""
        env = {**self.environment, **environment}
        return subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env={name: value for name, value in env.items() if value is not None},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=280,
            check=False,
        )

    def run(self, code: str, settings: str = "demo_project.settings") -> Any:
        """The value that ``code`` assigned to ``result``, as JSON, after ``django.setup()``."""
        done = subprocess.run(
            [sys.executable, "-c", f"import django; django.setup()\n{code}\n{_PRINT}"],
            cwd=ROOT,
            env={**self.environment, "DJANGO_SETTINGS_MODULE": settings},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])


_PRINT = "import json; print(); print(json.dumps(result, default=str))"


@pytest.fixture(scope="session")
def demo(mongodb_server: MongoServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """The demo, migrated and seeded once; tests leave its seeded documents as they are."""
    with new_demo(mongodb_server, tmp_path_factory.mktemp("demo")) as made:
        yield made


@contextmanager
def new_demo(server: MongoServer, folder: Path) -> Iterator[Demo]:
    """A new database, migrated and seeded."""
    name = f"demo_{uuid.uuid4().hex[:8]}"
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "demo_project.settings",
        "MONGODB_URI": server.uri,
        "MONGODB_NAME": name,
        "DEMO_VAR": str(folder),
    }
    with server.client(tz_aware=True) as client:
        made = Demo(database=client[name], folder=folder, environment=environment)
        for arguments in (("migrate", "-v0"), ("seed_demo",)):
            done = made.manage(*arguments)
            assert done.returncode == 0, done.stderr
        yield made
        client.drop_database(name)
