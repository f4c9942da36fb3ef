"""A project of kind A in a separate folder, whose commands are run as a user runs them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from pymongo.database import Database

from tests.processes import python_path

ROOT = Path(__file__).parents[3]

_SETTINGS = """
SECRET_KEY = "tests"
USE_TZ = True
INSTALLED_APPS = ["django_mongodb_backend", "djongo_services", "shop"]
DATABASES = {{"default": {address!r}}}
DEFAULT_AUTO_FIELD = "django_mongodb_backend.fields.ObjectIdAutoField"
DATABASE_ROUTERS = ["django_mongodb_backend.routers.MongoRouter"]
SILENCED_SYSTEM_CHECKS = ["models.W027"]
DJONGO_SERVICES = {{"SCHEMA": {schema!r}}}
"""


class MadeProject:
    """One app, ``shop``, on one database."""

    def __init__(self, folder: Path, uri: str, database: Database[dict[str, Any]]) -> None:
        self.folder = folder
        self.database = database
        self._uri = uri
        self.configure()

    def configure(self, **schema: Any) -> None:
        """Write the settings, with these of ``SCHEMA``."""
        address = {
            "ENGINE": "django_mongodb_backend",
            "HOST": self._uri,
            "NAME": self.database.name,
        }
        text = _SETTINGS.format(address=address, schema=schema)
        (self.folder / "shop_settings.py").write_text(text)

    def write(self, path: str, text: str) -> None:
        file = self.folder / "shop" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, *arguments],
            cwd=ROOT,
            env={
                **os.environ,
                "DJANGO_SETTINGS_MODULE": "shop_settings",
                "PYTHONPATH": python_path(self.folder),
                "PYTHONDONTWRITEBYTECODE": "1",  # Files are rewritten within one second.
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def manage(self, *arguments: str, code: int = 0) -> str:
        """Run a command that has to end with this exit code; what it said."""
        return self.run("-m", "django", *arguments, code=code)

    def manage_all(self, *commands: list[str]) -> str:
        """Several commands in one process, which starts slowly; each has to end well."""
        lines = ["import django; django.setup()", "from django.core.management import call_command"]
        lines += [f"call_command(*{command!r})" for command in commands]
        return self.run("-c", "\n".join(lines))

    def run(self, *arguments: str, code: int = 0) -> str:
        with self.start(*arguments) as process:
            said = "".join(process.communicate(timeout=120))
        assert process.returncode == code, said
        return said

    def validator(self, name: str) -> tuple[str, str, dict[str, Any]]:
        """Level, action and ``$jsonSchema`` of a collection that has one."""
        (found,) = self.database.list_collections(filter={"name": name})
        options = found["options"]
        query = options["validator"]
        schema = query["$and"][0] if "$and" in query else query
        return options["validationLevel"], options["validationAction"], schema["$jsonSchema"]
