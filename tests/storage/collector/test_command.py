"""``manage.py gridfs_gc`` as users see it: stdout, stderr, exit code, the bucket."""

from __future__ import annotations

import io
import json
import re
from datetime import timedelta
from typing import Any

import pytest
from bson import ObjectId
from django.core.management import CommandError, call_command
from django.utils import translation

from djongo_services.formatting import age_text, parse_age
from djongo_services.storage.collector import list_runs
from djongo_services.storage.collector.collecting import lease_of
from djongo_services.storage.collector.collections import BucketCollections
from tests.commands.conftest import Result
from tests.storage.collector.by_hand import (
    OLD,
    contents,
    filenames,
    make_bucket,
    moment,
    object_id,
    put,
    put_chunks,
)

PROVIDER = "tests.storage.collector.test_command.in_use"
USED: set[str] = set()


def in_use(names: Any) -> set[str]:
    return USED.intersection(names)


in_use.buckets = ("fs", "other")  # type: ignore[attr-defined]


def gridfs_gc(*arguments: str, **options: Any) -> Result:
    stdout, stderr = io.StringIO(), io.StringIO()
    code = 0
    try:
        call_command("gridfs_gc", *arguments, stdout=stdout, stderr=stderr, **options)
    except CommandError as error:
        code = error.returncode
        stderr.write(f"{error}\n")
    except SystemExit as left:
        code = int(left.code or 0)
    return Result(code=code, stdout=stdout.getvalue(), stderr=stderr.getvalue())


@pytest.fixture
def connect(settings, django_db_blocker):
    """Make a database, with a bucket, that of the connection ``default``."""
    USED.clear()
    with django_db_blocker.unblock():

        def to(database: Any) -> Any:
            host, port = database.client.address
            settings.DJONGO_SERVICES = {
                "CONNECTIONS": {
                    "default": {"HOST": f"mongodb://{host}:{port}/", "NAME": database.name}
                },
                "STORAGE": {"REFERENCES": [PROVIDER]},
            }
            make_bucket(database)
            return database

        yield to


@pytest.fixture
def fs(database, connect):
    return connect(database)


@pytest.fixture
def garbage(fs):
    """One of nearly each kind."""
    USED.update({"kept", "damaged"})
    put(fs, "kept", id=ObjectId("5" * 24))
    put(fs, "unreferenced.txt", b"1234567", id=ObjectId("6" * 24))
    put(fs, "damaged", id=ObjectId("7" * 24))
    fs["fs.chunks"].delete_one({"files_id": ObjectId("7" * 24), "n": 1})
    put_chunks(fs, ObjectId("8" * 24))
    put(fs, "young", age=timedelta(hours=1))
    return fs


class TestLooking:
    def test_says_what_would_be_done_and_does_nothing(self, garbage):
        before = contents(garbage)
        result = gridfs_gc("--dry-run")
        assert result.code == 0
        assert result.stdout.splitlines() == [
            f"Bucket fs of {garbage.name}: 4 files, 13 chunks",
            "",
            " KIND                    COUNT   BYTES   SUCH AS",
            " " + "─" * 83,
            " runs of orphan chunks       1    10 B   888888888888888888888888",
            " unreferenced files          1     7 B   unreferenced.txt (666666666666666666666666)",
            "",
            "Broken, but kept because they are or may be in use:",
            "  damaged (777777777777777777777777): chunk 1 is missing",
            "",
            "No storage says that the bucket 'fs' keeps no revisions, so superseded ones were not "
            "looked for; --only superseded does.",
            "1 more is kept: it is younger than 48 hours.",
            "Would move 1 run of orphan chunks and 1 unreferenced file (17 B) to the trash.",
        ]
        assert result.stderr == (
            f"Connecting to 'default' ({address(garbage)}), for at most 30 s.\n"
        )
        assert contents(garbage) == before

    def test_as_json(self, garbage):
        result = gridfs_gc("--dry-run", "--format", "json")
        document = json.loads(result.stdout)
        assert document["format_version"] == 1
        (bucket,) = document["buckets"]
        assert {each["kind"]: (each["count"], each["bytes"]) for each in bucket["found"]} == {
            "orphan-chunks": (1, 10),
            "broken": (0, 0),
            "unreferenced": (1, 7),
            "stale-uploads": (0, 0),
        }
        assert bucket["found"][2]["examples"][0]["filename"] == "unreferenced.txt"
        assert bucket["kept"]["examples"][0]["reason"] == "chunk 1 is missing"

    def test_check(self, fs):
        USED.add("a")
        put(fs, "a")
        assert gridfs_gc("--check").code == 0
        put_chunks(fs, object_id())
        result = gridfs_gc("--check")
        assert (result.code, result.stdout.splitlines()[-1]) == (
            1,
            "Would move 1 run of orphan chunks (10 B) to the trash.",
        )

    def test_check_finds_broken_files_that_stay(self, fs):
        USED.add("a")
        put(fs, "a")
        fs["fs.chunks"].delete_one({"n": 0})
        result = gridfs_gc("--check")
        assert (result.code, result.stdout.splitlines()[-1]) == (1, "Nothing to collect.")

    def test_only_one_kind(self, garbage):
        result = gridfs_gc("--dry-run", "--only", "orphan-chunks")
        assert "unreferenced" not in result.stdout

    def test_excluded_names(self, garbage):
        result = gridfs_gc("--dry-run", "--exclude", "*.pdf", "--exclude", "unref*")
        assert "1 excluded file stayed." in result.stdout
        assert result.stdout.splitlines()[-1] == (
            "Would move 1 run of orphan chunks (10 B) to the trash."
        )

    def test_what_a_text_mentions(self, garbage):
        garbage.pages.insert_one({"body": "<a href='/media/unreferenced.txt'>"})
        result = gridfs_gc("--dry-run")
        assert (
            "1 file stayed that no field names, because a text mentions it: pages on 'default' (1)."
        ) in result.stdout

    def test_several_buckets(self, garbage):
        make_bucket(garbage, "other")
        put(garbage, "b", bucket="other")
        found = json.loads(gridfs_gc("--dry-run", "--format", "json").stdout)["buckets"]
        assert [each["bucket"] for each in found] == ["fs", "other"]
        found = json.loads(gridfs_gc("other", "--check", "--format", "json").stdout)["buckets"]
        assert [each["bucket"] for each in found] == ["other"]

    def test_to_a_file(self, garbage, tmp_path):
        path = tmp_path / "report.json"
        result = gridfs_gc("--dry-run", "--format", "json", "--output", str(path))
        assert (result.code, result.stdout) == (0, "")
        assert json.loads(path.read_text())["buckets"]

    def test_names_cannot_steer_the_terminal(self, fs):
        put(fs, "\x1b[31mred\n\u202e")
        assert r"\x1b[31mred\n\u202e" in gridfs_gc("--dry-run").stdout

    def test_no_bucket(self, fs):
        result = gridfs_gc("--dry-run")
        assert result.stdout.endswith("Nothing to collect.\n")
        fs.client.drop_database(fs)
        result = gridfs_gc("--noinput")
        assert (result.code, result.stdout) == (
            0,
            f"There is no bucket in the database {fs.name!r}.\n",
        )


class TestRemoving:
    def test_moves_to_the_trash(self, garbage):
        result = gridfs_gc("--noinput")
        assert result.code == 0
        (run,) = list_runs(garbage, "fs")
        assert result.stdout.splitlines()[-2:] == [
            f"In the trash: 2 entries (17 B), the oldest of {moment(OLD * 0):%Y-%m-%d}.",
            f"Moved 1 run of orphan chunks and 1 unreferenced file (17 B) to the trash in run "
            f"{run.id}.",
        ]
        assert filenames(garbage) == ["damaged", "kept", "young"]

    def test_deletes_without_a_trash(self, garbage):
        result = gridfs_gc("--noinput", "--no-trash")
        assert "Deleted 1 run of orphan chunks and 1 unreferenced file" in result.stdout
        assert garbage["fs.trash"].count_documents({}) == 0

    def test_without_a_terminal_to_ask(self, garbage):
        before = contents(garbage)
        result = gridfs_gc()
        assert result.code == 2
        assert result.stderr.endswith(
            "Not running in a terminal; pass --noinput to confirm, or --dry-run to report only.\n"
        )
        assert contents(garbage) == before

    @pytest.mark.parametrize("answer", ["", "n", "no", "what?"])
    def test_asks_and_hears_no(self, garbage, monkeypatch, answer):
        before = contents(garbage)
        monkeypatch.setattr("sys.stdin", Terminal(f"{answer}\n"))
        result = gridfs_gc()
        assert result.code == 2
        assert "Would move 1 run of orphan chunks" in result.stderr
        assert result.stderr.endswith("Continue? [y/N] Nothing was done.\n")
        assert contents(garbage) == before

    def test_asks_and_hears_yes(self, garbage, monkeypatch):
        monkeypatch.setattr("sys.stdin", Terminal("y\n"))
        result = gridfs_gc("--format", "json")
        assert result.code == 0
        assert json.loads(result.stdout)["buckets"][0]["count"] == 2
        assert filenames(garbage) == ["damaged", "kept", "young"]

    def test_asks_in_german_and_hears_yes(self, garbage, monkeypatch):
        monkeypatch.setattr("sys.stdin", Terminal("ja\n"))
        with translation.override("de"):
            result = gridfs_gc()
        assert result.code == 0
        what = "1 Folge verwaister Chunks und 1 nicht referenzierte Datei (17 B)"
        assert f"Würde in den Papierkorb verschieben: {what}." in result.stderr
        assert result.stderr.endswith("Fortfahren? [j/N] ")
        assert "ART" in result.stdout
        assert "1 Fund mehr wird behalten: Er ist jünger als 48 Stunden." in result.stdout
        assert f" in den Papierkorb verschoben: {what}." in result.stdout

    def test_asks_nothing_where_there_is_nothing(self, fs, monkeypatch):
        monkeypatch.setattr("sys.stdin", Terminal(""))
        result = gridfs_gc()
        assert (result.code, result.stdout.splitlines()[-1]) == (0, "Nothing to collect.")
        assert list_runs(fs, "fs") == []

    def test_another_run_is_at_work(self, garbage):
        with lease_of(BucketCollections.of(garbage, "fs")):
            result = gridfs_gc("--noinput")
        assert result.code == 3
        assert "collecting garbage in the bucket 'fs': process" in result.stderr

    def test_resume(self, garbage):
        gridfs_gc("--noinput")
        assert "no interrupted run" in gridfs_gc("--noinput", "--resume").stderr
        garbage["fs.gc"].update_one({}, {"$set": {"status": "interrupted"}})
        latest = list_runs(garbage, "fs")[0]
        garbage["fs.gc"].update_one({"_id": latest.id}, {"$set": {"status": "interrupted"}})
        result = gridfs_gc("--noinput", "--resume")
        assert f"fs: resuming run {latest.id} of" in result.stderr
        assert list_runs(garbage, "fs")[0].status == "done"


class TestTrash:
    @pytest.fixture
    def collected(self, garbage):
        gridfs_gc("--noinput")
        return garbage

    @pytest.mark.parametrize("what", ["6" * 24, "unreferenced.txt"])
    def test_restore(self, collected, what):
        result = gridfs_gc("--restore", what)
        assert result.code == 0
        assert re.fullmatch(
            r"Restored to fs: unreferenced\.txt \(6{24}\): unreferenced, removed [-\d]+ [\d:]+ UTC"
            r"\n",
            result.stdout,
        )
        assert "unreferenced.txt" in filenames(collected)

    def test_restore_several(self, collected):
        result = gridfs_gc("--format", "json", "--restore", "6" * 24, "8" * 24)
        restored = json.loads(result.stdout)["restored"]
        assert [(each["bucket"], each["kind"]) for each in restored] == [
            ("fs", "unreferenced"),
            ("fs", "orphan-chunks"),
        ]

    def test_restore_what_is_not_there(self, collected):
        before = contents(collected)
        result = gridfs_gc("--restore", "6" * 24, "nonsense")
        assert result.code == 2
        assert "There is no 'nonsense' in the trash of fs; nothing was restored." in result.stderr
        assert contents(collected) == before

    def test_restore_what_means_two(self, collected):
        make_bucket(collected, "other")
        put(collected, "unreferenced.txt", bucket="other")
        gridfs_gc("--noinput")
        result = gridfs_gc("--restore", "unreferenced.txt")
        assert result.code == 2
        assert "'unreferenced.txt' means 6" in result.stderr
        assert gridfs_gc("other", "--restore", "unreferenced.txt").code == 0

    def test_purge_what_has_been_there_for_thirty_days(self, collected):
        assert gridfs_gc("--purge", "--noinput").stdout.splitlines()[1] == (
            "Deleted 0 entries (0 B) for good."
        )
        old = {"$set": {"trashedAt": moment(timedelta(days=31))}}
        collected["fs.trash"].update_one({"_id": ObjectId("6" * 24)}, old)
        result = gridfs_gc("--purge", "--dry-run")
        assert "Would delete 1 entry (7 B) for good." in result.stdout
        assert gridfs_gc("--purge", "--check").code == 1
        assert collected["fs.trash"].count_documents({}) == 2
        assert "Deleted 1 entry (7 B) for good." in gridfs_gc("--purge", "--noinput").stdout
        assert gridfs_gc("--purge", "--check").code == 0

    def test_purge_by_age(self, collected):
        result = gridfs_gc("--purge", "--noinput", "--older-than", "0s", "--format", "json")
        assert json.loads(result.stdout)["buckets"][0]["entries"] == 2
        assert collected["fs.trash"].count_documents({}) == 0

    def test_purge_asks(self, collected, monkeypatch):
        assert gridfs_gc("--purge", "--older-than", "0s").code == 2
        monkeypatch.setattr("sys.stdin", Terminal("n\n"))
        result = gridfs_gc("--purge", "--older-than", "0s")
        assert (result.code, collected["fs.trash"].count_documents({})) == (2, 2)
        assert "Would delete 2 entries (17 B) for good." in result.stderr
        monkeypatch.setattr("sys.stdin", Terminal("y\n"))
        assert gridfs_gc("--purge", "--older-than", "0s").code == 0
        assert collected["fs.trash"].count_documents({}) == 0


def test_on_every_server(matrix_database, connect):
    fs = connect(matrix_database)
    USED.add("kept")
    for name in ("kept", "a", "b"):
        put(fs, name)
    put_chunks(fs, object_id())
    assert gridfs_gc("--check", "--verify").code == 1
    assert gridfs_gc("--noinput", "--verify").code == 0
    assert gridfs_gc("--check", "--verify").code == 0
    assert gridfs_gc("--restore", "a").code == 0
    assert filenames(fs) == ["a", "kept"]
    assert gridfs_gc("--purge", "--noinput", "--older-than", "0s").code == 0
    assert fs["fs.chunks"].count_documents({}) == 6
    assert fs["fs.trash"].count_documents({}) == 0


class TestTrouble:
    @pytest.mark.parametrize(
        ("arguments", "sentence"),
        [
            (("--older-than", "yesterday"), "invalid age 'yesterday'; write a number and s, m, h"),
            (("--older-than", "-1h"), "expected one argument"),
            (("--older-than", "99999999w"), "is too large; the maximum is 36,525 days"),
            (("--only", "everything"), "invalid Kind value: 'everything'"),
            (("--batch-size", "0"), "--batch-size must be positive, not 0"),
            (("--dry-run", "--check"), "not allowed with"),
            (("--dry-run", "--noinput"), "not allowed with"),
            (("--purge", "--restore", "a"), "not allowed with"),
            (("--resume", "--dry-run"), "--resume cannot be combined with --dry-run"),
            (
                ("--restore", "a", "--check"),
                "--restore cannot be combined with --dry-run or --check",
            ),
            (("--purge", "--only", "broken"), "--only cannot be combined with --purge"),
            (("--resume", "--verify"), "--verify cannot be combined with --resume"),
            (("--restore", "a", "--no-trash"), "--no-trash cannot be combined with --restore"),
            (("elsewhere",), "There is no bucket 'elsewhere' in the database"),
            (("--ignore-model", "a.B", "--dry-run"), "There is no model 'a.B'"),
            (("--only", "superseded", "--dry-run", "--database", "x"), "'x' is not in DJONGO"),
        ],
    )
    def test_wrong_arguments(self, garbage, arguments, sentence):
        before = contents(garbage)
        result = gridfs_gc(*arguments)
        assert result.code == 2
        assert sentence in result.stderr
        assert result.stdout == ""
        assert contents(garbage) == before

    def test_called_from_python(self, garbage):
        report = gridfs_gc(dry_run=True, older_than="7d", only=["unreferenced"], format="json")
        assert json.loads(report.stdout)["buckets"][0]["older_than_seconds"] == 604_800
        result = gridfs_gc(dry_run=True, older_than="a while")
        assert (result.code, "older_than: invalid age 'a while'" in result.stderr) == (2, True)
        result = gridfs_gc(dry_run=True, only=["broken", "lost"])
        assert (result.code, "only: no kind 'lost'; choose from" in result.stderr) == (2, True)

    def test_a_provider_that_fails(self, garbage, settings):
        settings.DJONGO_SERVICES["STORAGE"]["REFERENCES"] = [
            "tests.storage.collector.test_references.broken"
        ]
        result = gridfs_gc("--noinput")
        assert result.code == 2
        assert "tests.storage.collector.test_references.broken: ZeroDivisionError" in result.stderr
        assert "unreferenced.txt" in filenames(garbage)

    def test_a_lack_of_privileges(self, garbage):
        data = {"failCommands": ["find"], "errorCode": 13, "namespace": f"{garbage.name}.fs.files"}
        admin = garbage.client.admin
        admin.command("configureFailPoint", "failCommand", mode="alwaysOn", data=data)
        try:
            result = gridfs_gc("--noinput")
        finally:
            admin.command("configureFailPoint", "failCommand", mode="off")
        assert result.code == 2
        assert "The user of the connection 'default'" in result.stderr
        assert list_runs(garbage, "fs")[0].status == "failed"


class Terminal(io.StringIO):
    """A terminal at which a user answers."""

    def isatty(self) -> bool:
        return True


def address(database: Any) -> str:
    host, port = database.client.address
    return f"{host}:{port}/{database.name}"


@pytest.mark.parametrize(
    ("text", "age", "words"),
    [
        ("48h", timedelta(hours=48), "48 hours"),
        ("7d", timedelta(days=7), "7 days"),
        ("2w", timedelta(weeks=2), "14 days"),
        ("90s", timedelta(seconds=90), "90 seconds"),
        ("60m", timedelta(hours=1), "1 hour"),
        ("0s", timedelta(0), "0 seconds"),
    ],
)
def test_ages(text: str, age: timedelta, words: str) -> None:
    assert (parse_age(text), age_text(age)) == (age, words)
