"""All demo projects are complete: settings, migrations, checks, the secret, the record."""

from __future__ import annotations

import os
import stat
import subprocess
import sys

import pytest

from tests.demo.conftest import ROOT, Demo

LOOK = """
import io
from django.core.management import call_command
from django.db import connection
from djongo_services.connections import connections
from django.core import checks
def said(*arguments, **options):
    output = io.StringIO()
    call_command(*arguments, stdout=output, **options)
    return output.getvalue().strip()
result = {
    "vendor": connection.vendor,
    "makemigrations": said("makemigrations", check_changes=True, dry_run=True),
    "check": said("check", fail_level="ERROR"),
    "database": sorted({found.id for found in checks.run_checks(databases=["default"])
        if not found.is_silenced()}),
    "notes": connections["default"].database.archive_note.count_documents({}),
}
"""


@pytest.mark.parametrize(
    ("settings", "vendor", "database"),
    [
        # The seeded data has drifted from the models, which SQL's project has not got.
        ("demo_project.settings", "mongodb", ["djongo_services.W006"]),
        ("demo_project.settings_stock", "mongodb", ["djongo_services.W006"]),
        ("demo_project.settings_sql", "sqlite", []),
    ],
)
def test_all_kinds_are_complete_and_see_the_same_data(
    demo: Demo, settings: str, vendor: str, database: list[str]
) -> None:
    assert demo.run(LOOK, settings) == {
        "vendor": vendor,
        "makemigrations": "No changes detected",
        "check": "System check identified no issues (0 silenced).",
        "database": database,
        "notes": 160,
    }


def test_the_secret_key_is_made_once_and_private(demo: Demo) -> None:
    path = demo.folder / "secret_key"
    before = path.read_text()
    shown = demo.run("from django.conf import settings; result = settings.SECRET_KEY")
    assert len(before) > 60
    assert shown == before == path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_recorded_server_is_found(demo: Demo) -> None:
    assert address(demo, None) == "mongodb://127.0.0.1:27117/"
    record = demo.folder / "uri"
    record.write_text("mongodb://127.0.0.1:12345/")
    try:
        assert address(demo, None) == "mongodb://127.0.0.1:12345/"
        assert address(demo, "mongodb://db.example/") == "mongodb://db.example/"
    finally:
        record.unlink()


def test_the_developer_has_shell_plus_and_show_urls(demo: Demo) -> None:
    shell = demo.manage("shell_plus", "--plain", "--command", "print(NoteFactory, mongodb)")
    assert "NoteFactory" in shell.stdout
    assert "archive:note" in demo.manage("show_urls").stdout


def address(demo: Demo, given: str | None) -> str:
    """The address that the demo uses when ``MONGODB_URI`` is ``given``."""
    environment = {**os.environ, "DEMO_VAR": str(demo.folder), "MONGODB_URI": given or ""}
    done = subprocess.run(
        [sys.executable, "-c", "from demo_project import environment as e; print(e.mongodb_uri())"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def test_nothing_that_the_demo_generates_is_in_the_repository() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "demo_project"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    # An unpacked archive has no git: then there is nothing to look at, and nothing to find.
    generated = [path for path in listed.stdout.split() if "/var/" in path or ".pyc" in path]
    assert generated == []
