"""``gridfs_gc`` in separate processes, in projects of both kinds."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from djongo_services.lease import COLLECTION
from djongo_services.storage.collector import list_runs
from tests.processes import python_path
from tests.storage.collector.by_hand import filenames, make_bucket, object_id, put, put_chunks
from tests.storage.postgres import server

ROOT = Path(__file__).parents[3]
SQL, BACKEND, POSTGRESQL = (
    f"tests.storage.collector.project_{kind}" for kind in ("sql", "backend", "postgresql")
)
WAITING = "tests.storage.collector.providers.waiting"

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def environment(database, mongodb_server, tmp_path):
    make_bucket(database)
    return {
        **os.environ,
        "DJONGO_SERVICES_TEST_URI": mongodb_server.uri,
        "COLLECTOR_DATABASE": database.name,
        "COLLECTOR_SQLITE": str(tmp_path / "db.sqlite3"),
        "PYTHONPATH": python_path(),
    }


@pytest.fixture
def django(environment) -> Run:
    """``django(SQL, "gridfs_gc", "--check")``, or ``django(SQL, code="...")``."""

    def run(settings: str, *arguments: str, code: str | None = None) -> Any:
        what = ["-m", "django", *arguments]
        if code is not None:
            what = ["-c", f"import django; django.setup()\n{code}"]
        return subprocess.run(
            [sys.executable, *what],
            env={**environment, "DJANGO_SETTINGS_MODULE": settings},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run


SAVING = """
import reversion
from django.core.files.base import ContentFile
from django.core.management import call_command
from tests.storage.collector.chronicle.models import Law, Treaty

call_command("migrate", run_syncdb=True, verbosity=0)
treaty = Treaty()
for name in ("first", "second", "third"):
    treaty.scan.save(name, ContentFile(name.encode()))
Treaty.history.filter(scan="second").delete()

law = Law()
for name in ("a", "b"):
    with reversion.create_revision():
        law.text.save(name, ContentFile(name.encode()))
law.text.save("unversioned", ContentFile(b"c"))
law.delete()
"""


CHECKING = """
from django.core.management import execute_from_command_line
from reversion.models import Version

Version.objects.update(format="xml")
execute_from_command_line(["manage.py", "gridfs_gc", "--check"])
"""


def test_rows_and_their_history_on_sql(database, django):
    """Through the real django-simple-history, whose rows are text, and django-reversion, whose
    versions are serialized."""
    refused = django(SQL, "gridfs_gc", "--noinput", "--older-than", "0s")
    assert refused.returncode == 2
    for model in ("chronicle.Treaty.scan", "chronicle.HistoricalTreaty.scan", "reversion.Version"):
        assert f"{model}: the database 'default' has no table" in refused.stderr
    assert "Traceback" not in refused.stderr
    saved = django(SQL, code=SAVING)
    assert saved.returncode == 0, saved.stderr
    put_chunks(database, object_id())
    result = django(SQL, "gridfs_gc", "--noinput", "--older-than", "0s", "--format", "json")
    assert result.returncode == 0, result.stderr
    (bucket,) = json.loads(result.stdout)["buckets"]
    assert {each["kind"]: each["count"] for each in bucket["found"]} == {
        "orphan-chunks": 1,
        "broken": 0,
        "unreferenced": 2,
        "superseded": 0,
        "stale-uploads": 0,
    }
    assert filenames(database) == ["laws/a", "laws/b", "treaties/first", "treaties/third"]
    put(database, "laws/c")
    refused = django(SQL, code=CHECKING)
    assert refused.returncode == 2
    assert "it has versions in the format 'xml'; write a provider for them" in refused.stderr


def test_documents_on_mongodb(database, django):
    for name in ("folders", "novels"):
        database.create_collection(name)
    for name in ("cover", "unreferenced"):
        put(database, name)
    database.folders.insert_one({"cover": {"File": "cover"}})
    refused = django(BACKEND, "gridfs_gc", "--check")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "shelf.Novel.chapters" in refused.stderr
    result = django(BACKEND, "gridfs_gc", "--noinput", "--ignore-model", "shelf.Novel")
    assert result.returncode == 0, result.stderr
    assert filenames(database) == ["cover"]


def test_a_transaction_that_is_open_during_the_run(database, django, environment):
    """Files to which it refers in the end are restored by the next run, however long ago they were
    removed."""
    assert django(SQL, "migrate", "--run-syncdb").returncode == 0
    put(database, "treaties/a.txt")
    with contextlib.closing(sqlite3.connect(environment["COLLECTOR_SQLITE"])) as rows:
        rows.execute("BEGIN IMMEDIATE")
        rows.execute("INSERT INTO chronicle_treaty (scan) VALUES ('a.txt')")
        collected = django(SQL, "gridfs_gc", "--noinput")
        assert collected.returncode == 0, collected.stderr
        assert filenames(database) == []
        database["fs.trash"].update_many({}, {"$set": {"trashedAt": datetime(2020, 1, 1)}})
        rows.commit()
    purged = django(SQL, "gridfs_gc", "--purge", "--dry-run", "--older-than", "1d")
    assert "1 file would be restored from the trash" in purged.stdout
    collected = django(SQL, "gridfs_gc", "--noinput")
    assert (
        "1 file was restored from the trash because something refers to it again."
        in collected.stdout
    )
    assert filenames(database) == ["treaties/a.txt"]


@pytest.fixture(scope="module")
def postgresql_server():
    yield from server()


TENANTS = """
from django.db import connection
from tests.storage.collector.unsure.models import Note

with connection.cursor() as cursor:
    for tenant in ("one", "two"):
        cursor.execute(f"CREATE SCHEMA {tenant}")
        cursor.execute(f"CREATE TABLE {tenant}.unsure_note (LIKE unsure_note INCLUDING ALL)")
        cursor.execute(
            f"INSERT INTO {tenant}.unsure_note (id, title, body, data, files_id, scan) "
            f"VALUES (1, '', '', '{{}}', '', '{tenant}.txt')"
        )
    cursor.execute("CREATE TABLE gone (id bigint, names text[], data json, odd int4range)")
    cursor.execute(
        "INSERT INTO gone VALUES (1, ARRAY['array.txt', 'b'], %s, '[1,2)')",
        ['{"a": [{"b": "d\\u00e9j\\u00e0.txt"}]}'],
    )
Note.objects.create(data={"file": "binary-é.txt"})
Note.objects.create(scan="plain.txt")
"""


def test_schemas_and_types_of_postgresql(database, environment, django, postgresql_server):
    """Each tenant may have a schema that this connection does not search by default."""
    environment["COLLECTOR_POSTGRESQL"] = json.dumps(postgresql_server)
    assert django(POSTGRESQL, "migrate", "--run-syncdb").returncode == 0
    saved = django(POSTGRESQL, code=TENANTS)
    assert saved.returncode == 0, saved.stderr
    names = ["array", "binary-é", "déjà", "one", "plain", "two"]
    for name in [*names, "three"]:
        put(database, f"notes/{name}.txt")
    result = django(POSTGRESQL, "gridfs_gc", "--noinput")
    assert result.returncode == 0, result.stderr
    assert filenames(database) == [f"notes/{name}.txt" for name in names]
    for place in ("gone.data", "gone.names", "one.unsure_note.scan", "two.unsure_note.scan"):
        assert f"{place} on 'default' (1)" in result.stdout


@pytest.fixture
def waiting(environment, tmp_path):
    """A run in a separate process that waits until the test lets it continue."""
    processes = []

    def start() -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "django", "gridfs_gc", "--noinput"],
            env={
                **environment,
                "DJANGO_SETTINGS_MODULE": "tests.storage.collector.project_alone",
                "COLLECTOR_REFERENCES": WAITING,
                "COLLECTOR_FOLDER": str(tmp_path),
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        processes.append(process)
        while not (tmp_path / "asked").exists():
            assert process.poll() is None, process.communicate()
            threading.Event().wait(0.02)
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


class TestEnds:
    def test_ctrl_c(self, database, waiting, tmp_path):
        put(database, "a")
        process = waiting()
        process.send_signal(signal.SIGINT)
        (tmp_path / "answer").touch()
        stdout, stderr = process.communicate(timeout=60)
        assert (process.returncode, stdout) == (130, "")
        assert stderr.endswith(
            "Interrupted: completed work is kept; run gridfs_gc --resume to continue.\n"
        )
        assert list_runs(database, "fs")[0].status == "interrupted"
        assert (filenames(database), database[COLLECTION].count_documents({})) == (["a"], 0)

    def test_a_killed_run_is_told_to_the_next(self, database, waiting, django):
        put(database, "a")
        process = waiting()
        process.kill()
        process.communicate()
        assert list_runs(database, "fs")[0].status == "running"
        locked = django("tests.storage.collector.project_alone", "gridfs_gc", "--noinput")
        assert locked.returncode == 3
        assert f"process {process.pid} on" in locked.stderr
        database[COLLECTION].delete_many({})  # As when it ran out.
        resumed = django(
            "tests.storage.collector.project_alone", "gridfs_gc", "--noinput", "--resume"
        )
        assert resumed.returncode == 0, resumed.stderr
        (only,) = list_runs(database, "fs")
        assert only.status == "done"
