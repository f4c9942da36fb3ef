from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pymongo.database import Database

from tests.conftest import RunDjango
from tests.fields.project import FILES, PRELUDE
from tests.processes import python_path


@pytest.fixture
def site(tmp_path: Path, manage: RunDjango, database: Database[Any]) -> Callable[[str], str]:
    """Runs code on the site of :mod:`tests.fields.project`, and returns what it prints."""
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(textwrap.dedent(text))

    def run(code: str) -> str:
        done = manage(
            code=PRELUDE + textwrap.dedent(code),
            settings="settings_keyed",
            env={
                "PYTHONPATH": python_path(tmp_path),
                "KEYED_DATABASE": database.name,
                "FOLDER": str(tmp_path),
            },
            timeout=240,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run
