"""Generated models in a separate project, compared with the database they were made from."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.processes import python_path

ROOT = Path(__file__).parents[2]

_SETTINGS = """
SECRET_KEY = "tests"
USE_TZ = True
INSTALLED_APPS = ["django_mongodb_backend", "djongo_services", "generated"]
DATABASES = {{"default": {database!r}}}
DEFAULT_AUTO_FIELD = "django_mongodb_backend.fields.ObjectIdAutoField"
DATABASE_ROUTERS = ["django_mongodb_backend.routers.MongoRouter"]
DJONGO_SERVICES = {{"SCHEMA": {{"MODELS": {models!r}}}}}
"""


@dataclass(frozen=True, kw_only=True)
class Checked:
    code: int
    """The exit code of ``syncmongoschema --check``."""
    plan: dict[str, Any]
    errors: str

    @property
    def index_changes(self) -> list[str]:
        return [
            f"{change['collection']}: {change['sign']} {change['words']}"
            for change in self.plan["differences"]
            if "index" in change["words"]
        ]

    @property
    def notes(self) -> list[str]:
        return [f"{note['collection']}: {note['words']}" for note in self.plan["notes"]]


class GeneratedProject:
    """A project whose only app has the models that ``inspectmongo`` writes."""

    def __init__(self, folder: Path, *, uri: str, database: str) -> None:
        self.folder = folder
        address = {"ENGINE": "django_mongodb_backend", "HOST": uri, "NAME": database}
        (folder / "generated").mkdir(parents=True)
        (folder / "generated" / "__init__.py").write_text("")
        (folder / "generated" / "models.py").write_text("")
        self._address = address
        self._write_settings([])

    @property
    def models(self) -> Path:
        return self.folder / "generated" / "models.py"

    def inspect(self, *arguments: str) -> str:
        """Write the models of the whole database; their text."""
        made = self.folder / "models.py"
        command = ("inspectmongo", "--format", "models", "--style", "backend")
        done = self.manage(*command, "--output", str(made), *arguments)
        assert done.returncode == 0, done.stderr
        self.models.write_text(made.read_text("utf-8"), "utf-8")
        self._write_settings(["generated"])
        return self.models.read_text("utf-8")

    def manage_collections(self) -> None:
        """Hand the collections over to migrations: the backend then says what their indexes are."""
        text = self.models.read_text("utf-8")
        assert "managed = False" in text
        self.models.write_text(text.replace("managed = False", "managed = True"), "utf-8")
        self._write_settings([])

    def check(self) -> Checked:
        """``manage.py check`` and ``syncmongoschema --check``, which compares the generated app."""
        done = self.manage("check", "--fail-level", "ERROR")
        assert done.returncode == 0, done.stderr
        done = self.manage("syncmongoschema", "--check", "--format", "json", "generated")
        assert done.returncode in (0, 1), done.stderr
        return Checked(code=done.returncode, plan=json.loads(done.stdout), errors=done.stderr)

    def manage(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "django", *arguments],
            env={
                **os.environ,
                "DJANGO_SETTINGS_MODULE": "generated_settings",
                "PYTHONPATH": python_path(self.folder),
            },
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def _write_settings(self, models: Sequence[str]) -> None:
        text = _SETTINGS.format(
            database=self._address, models={"default": list(models)} if models else {}
        )
        (self.folder / "generated_settings.py").write_text(text)
