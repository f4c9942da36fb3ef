"""Both demo projects are complete: settings, migrations, checks, the secret, the record."""

from __future__ import annotations

import stat

import pytest

from tests.demo.conftest import Demo

KINDS = ["demo_project.settings", "demo_project.settings_sql"]


@pytest.mark.parametrize("settings", KINDS)
def test_no_migration_is_missing(demo: Demo, settings: str) -> None:
    done = demo.manage("makemigrations", "--check", "--dry-run", "--settings", settings)
    assert done.stdout.strip() == "No changes detected"
    assert done.returncode == 0


@pytest.mark.parametrize("settings", KINDS)
def test_checks_find_nothing(demo: Demo, settings: str) -> None:
    done = demo.manage("check", "--database", "default", "--settings", settings)
    assert done.stdout.strip() == "System check identified no issues (0 silenced)."


def test_kind_b_reads_the_data_of_kind_a(demo: Demo) -> None:
    done = demo.manage(
        *("shell", "--no-imports", "--settings", "demo_project.settings_sql", "-c"),
        "from djongo_services.connections import connections as c; from django.db import connection"
        "; print(connection.vendor, c['default'].database.archive_note.count_documents({}))",
    )
    assert done.stdout.split() == ["sqlite", "160"]


def test_the_secret_key_is_made_once_and_private(demo: Demo) -> None:
    path = demo.folder / "secret_key"
    before = path.read_text()
    shown = demo.run("from django.conf import settings; result = settings.SECRET_KEY")
    assert len(before) > 60
    assert shown == before == path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_recorded_server_is_found(demo: Demo) -> None:
    code = "from django.conf import settings; print(settings.DATABASES['default']['HOST'])"
    ask = ("shell", "--no-imports", "-c", code)
    assert demo.manage(*ask, MONGODB_URI=None).stdout.strip() == "mongodb://127.0.0.1:27117/"
    record = demo.folder / "uri"
    record.write_text("mongodb://127.0.0.1:12345/")
    try:
        assert demo.manage(*ask, MONGODB_URI=None).stdout.strip() == "mongodb://127.0.0.1:12345/"
        given = demo.manage(*ask, MONGODB_URI="mongodb://db.example/").stdout.strip()
    finally:
        record.unlink()
    assert given == "mongodb://db.example/"


def test_the_developer_has_shell_plus_and_show_urls(demo: Demo) -> None:
    shell = demo.manage("shell_plus", "--plain", "--command", "print(NoteFactory, mongodb)")
    assert "NoteFactory" in shell.stdout
    assert "archive:note" in demo.manage("show_urls").stdout
