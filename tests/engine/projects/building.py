"""Projects in separate folders, whose ORM is on the engine."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.processes import python_path

ROOT = Path(__file__).parents[3]


@dataclass(frozen=True, kw_only=True, slots=True)
class Project:
    """A folder with code, and the name of its database, which ends in something unique."""

    folder: Path
    uri: str
    database: str
    settings: str

    def write(self, files: Mapping[str, str]) -> None:
        for name, text in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(text))

    def run(
        self, *arguments: str, env: Mapping[str, str] | None = None, stdin: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """``python -m`` with ``arguments``."""
        return subprocess.run(
            [sys.executable, "-m", *arguments],
            cwd=self.folder,
            env=self.environment(env),
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
            input=stdin,
        )

    def environment(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": self.settings,
            "PYTHONPATH": python_path(self.folder),
            "URI": self.uri,
            "NAME": self.database,
            **(more or {}),
        }
        for name in ("PYTEST_XDIST_WORKER", "PYTEST_ADDOPTS"):
            environment.pop(name, None)
        return environment


def succeeded(done: subprocess.CompletedProcess[Any]) -> Any:
    """Its output; everything that it printed if it failed."""
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
