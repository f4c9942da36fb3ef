"""``collectstatic`` into MongoDB, plain and with a manifest."""

from __future__ import annotations

import io
import json
import os
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.contrib.staticfiles.storage import staticfiles_storage
from django.core.exceptions import ImproperlyConfigured, SuspiciousFileOperation
from django.core.files.base import ContentFile
from django.core.management import call_command
from django.templatetags.static import static
from django.test import Client
from django.urls import include, path
from pymongo.database import Database

from djongo_services.connections import connections
from djongo_services.storage import GridFSStorage
from djongo_services.storage.serving import urlpatterns_for
from djongo_services.storage.staticfiles import GridFSStaticFilesStorage
from tests.conftest import RunDjango
from tests.storage.bucket.conftest import Commands
from tests.transaction.conftest import entry

PLAIN = "djongo_services.storage.staticfiles.GridFSStaticFilesStorage"
MANIFEST = "djongo_services.storage.staticfiles.GridFSManifestStaticFilesStorage"

WRAPPED = """
import functools, os
from django.conf import settings
from django.contrib.staticfiles.management.commands import collectstatic
from django.core.management import call_command
from django.test import override_settings
from tests.storage.bucket.conftest import Commands

original = collectstatic.Command.collect
collectstatic.Command.collect = functools.wraps(original)(lambda self: original(self))
commands = Commands()
connection = settings.DJONGO_SERVICES["CONNECTIONS"]["default"]
connection.update(NAME=os.environ["NAME"], OPTIONS={"event_listeners": [commands]})
with override_settings(
    INSTALLED_APPS=[*settings.INSTALLED_APPS, "django.contrib.staticfiles"],
    STATICFILES_DIRS=[os.environ["SOURCES"]],
    STATICFILES_FINDERS=["django.contrib.staticfiles.finders.FileSystemFinder"],
    STATIC_URL="/static/",
    STORAGES={"staticfiles": {"BACKEND": os.environ["BACKEND"]}},
):
    call_command("collectstatic", interactive=False)
print(len(commands.sent))
"""

Collect = Callable[..., str]


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    for name, text in {
        "css/base.css": "@import url('fonts.css'); a { background: url(../img/a.png) }",
        "css/fonts.css": "b {}",
        "img/a.png": "png",
        "robots.txt": "all",
    }.items():
        path = tmp_path / "sources" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / "sources"


@pytest.fixture
def commands() -> Commands:
    return Commands()


@pytest.fixture
def collect(settings: Any, database: Database[Any], sources: Path, commands: Commands) -> Any:
    """``collect(backend, "--clear")``: what the command says."""
    settings.DJONGO_SERVICES = {
        "CONNECTIONS": {"default": entry(database, event_listeners=[commands])}
    }
    settings.INSTALLED_APPS = [*settings.INSTALLED_APPS, "django.contrib.staticfiles"]
    settings.STATICFILES_DIRS = [sources]
    settings.STATICFILES_FINDERS = ["django.contrib.staticfiles.finders.FileSystemFinder"]
    settings.STATIC_URL = "/static/"
    settings.STATIC_ROOT = None

    def run(backend: str, *arguments: str, **options: Any) -> str:
        settings.STORAGES = {
            "staticfiles": {"BACKEND": backend, "OPTIONS": options},
        }
        said = io.StringIO()
        call_command("collectstatic", *arguments, interactive=False, verbosity=1, stdout=said)
        return said.getvalue()

    yield run
    connections.close_all()


def names(storage: GridFSStorage, path: str = "") -> list[str]:
    folders, plain = storage.listdir(path)
    found = [f"{path}{name}" for name in plain]
    for folder in folders:
        found += names(storage, f"{path}{folder}/")
    return sorted(found)


class TestPlain:
    def test_collected(self, collect: Collect, database: Database[Any]) -> None:
        assert "4 static files copied." in collect(PLAIN)
        storage = GridFSStaticFilesStorage()
        assert names(storage) == ["css/base.css", "css/fonts.css", "img/a.png", "robots.txt"]
        assert storage.open("img/a.png").read() == b"png"
        assert storage.stored("css/base.css").content_type == "text/css"
        assert static("img/a.png") == "/static/img/a.png"
        # A bucket of its own, beside what users upload.
        assert database.fs.files.count_documents({}) == 0
        assert database.static.files.count_documents({}) == 4

    def test_again(self, collect: Collect, sources: Path, database: Database[Any]) -> None:
        collect(PLAIN)
        assert "0 static files copied, 4 unmodified." in collect(PLAIN)
        (sources / "robots.txt").write_text("none")
        later = GridFSStaticFilesStorage().get_modified_time("robots.txt").timestamp() + 5
        os.utime(sources / "robots.txt", (later, later))
        assert "1 static file copied, 3 unmodified." in collect(PLAIN)
        assert GridFSStaticFilesStorage().open("robots.txt").read() == b"none"
        assert database.static.files.count_documents({}) == 4
        assert database.static.chunks.count_documents({}) == 4

    def test_cleared_before(self, collect: Collect, database: Database[Any]) -> None:
        storage = GridFSStaticFilesStorage()
        storage.save("old/deep/x.css", ContentFile(b"old"))
        storage.save("robots.txt", ContentFile(b"old"))
        assert "4 static files copied." in collect(PLAIN, "--clear")
        assert names(storage) == ["css/base.css", "css/fonts.css", "img/a.png", "robots.txt"]
        assert storage.open("robots.txt").read() == b"all"
        assert database.static.chunks.count_documents({}) == 4

    def test_dry_run(self, collect: Collect, database: Database[Any]) -> None:
        assert "4 static files copied." in collect(PLAIN, "--dry-run")
        assert "4 static files copied." in collect(PLAIN, "--dry-run", "--clear")
        assert database.list_collection_names() == []

    def test_without_post_processing(self, collect: Collect) -> None:
        collect(PLAIN, "--no-post-process")
        assert len(names(GridFSStaticFilesStorage())) == 4

    def test_few_commands(self, collect: Collect, sources: Path, commands: Commands) -> None:
        for number in range(1_200):
            (sources / f"{number}.txt").write_text("content")
        (sources / "large.bin").write_bytes(bytes(3_000_000))
        assert "1205 static files copied." in collect(PLAIN)
        assert len(commands.sent) < 40
        assert GridFSStaticFilesStorage().size("large.bin") == 3_000_000
        commands.sent.clear()
        assert "1205 unmodified" in collect(PLAIN)
        assert len(commands.sent) < 10

    def test_few_commands_where_a_tool_wraps_the_command(
        self, django_sql: RunDjango, sources: Path, database: Database[Any]
    ) -> None:
        for number in range(300):
            (sources / f"{number}.txt").write_text("content")
        env = {"SOURCES": str(sources), "NAME": database.name, "BACKEND": PLAIN}
        done = django_sql(code=WRAPPED, env=env)
        assert "304 static files copied." in done.stdout, done.stderr
        assert int(done.stdout.split()[-1]) < 20

    def test_location(self, collect: Collect, database: Database[Any]) -> None:
        collect(PLAIN, bucket="fs", location="assets")
        assert sorted(database.fs.files.distinct("filename")) == [
            "assets/css/base.css",
            "assets/css/fonts.css",
            "assets/img/a.png",
            "assets/robots.txt",
        ]

    def test_a_run_that_fails(
        self, collect: Collect, database: Database[Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from django.contrib.staticfiles.management.commands.collectstatic import Command

        monkeypatch.setattr(Command, "copy_file", lambda *args: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            collect(PLAIN)
        storage = GridFSStaticFilesStorage()
        assert storage._batch is None
        storage.save("a.txt", ContentFile(b"at once"))
        assert database.static.files.count_documents({}) == 1

    def test_options(self) -> None:
        with pytest.raises(ImproperlyConfigured, match="requires allow_overwrite"):
            GridFSStaticFilesStorage(allow_overwrite=False)
        assert GridFSStaticFilesStorage(base_url="/x").url("a.css") == "/x/a.css"
        with pytest.raises(ImproperlyConfigured, match="has no option 'nothing'"):
            GridFSStaticFilesStorage(nothing=1)
        storage: Any = GridFSStaticFilesStorage("b")
        path, args, _ = storage.deconstruct()
        assert (path, args) == (PLAIN, ("b",))


class TestManifest:
    def test_hashed_names(self, collect: Collect, settings: Any) -> None:
        said = collect(MANIFEST)
        assert "4 static files copied, 4 post-processed." in said
        storage = GridFSStaticFilesStorage()
        manifest = json.loads(storage.open("staticfiles.json").read())
        assert set(manifest["paths"]) == {
            "css/base.css",
            "css/fonts.css",
            "img/a.png",
            "robots.txt",
        }
        for name, hashed in manifest["paths"].items():
            assert storage.exists(name)
            assert storage.exists(hashed)
            assert hashed != name
        base = storage.open(manifest["paths"]["css/base.css"]).read().decode()
        assert manifest["paths"]["css/fonts.css"].rpartition("/")[2] in base
        assert manifest["paths"]["img/a.png"] in base

    def test_urls(self, collect: Collect, settings: Any) -> None:
        settings.DEBUG = False
        collect(MANIFEST)
        storage = staticfiles_storage
        assert storage.url("img/a.png").startswith("/static/img/a.")
        assert storage.url("img/a.png") != "/static/img/a.png"
        # A process that starts later reads the manifest.
        settings.STORAGES = {"staticfiles": {"BACKEND": MANIFEST}}
        assert static("img/a.png") == storage.url("img/a.png")
        with pytest.raises(ValueError, match="Missing staticfiles manifest entry"):
            static("img/unknown.png")

    def test_again(self, collect: Collect, sources: Path, database: Database[Any]) -> None:
        collect(MANIFEST)
        before = database.static.files.count_documents({})
        assert before == 9
        assert "0 static files copied, 4 unmodified" in collect(MANIFEST)
        assert database.static.files.count_documents({}) == before
        assert database.static.chunks.count_documents({}) == before

    def test_the_manifest_is_never_missing(
        self, collect: Collect, database: Database[Any], commands: Commands
    ) -> None:
        collect(MANIFEST)
        old = database.static.files.find_one({"filename": "staticfiles.json"}) or {}
        commands.sent.clear()
        collect(MANIFEST)
        wrote = [
            (kind, command)
            for kind, command in commands.sent
            if kind in ("insert", "delete") and command[kind] == "static.files"
        ]
        inserted = [index for index, (kind, _) in enumerate(wrote) if kind == "insert"]
        deleted = [index for index, (_, command) in enumerate(wrote) if _deletes(command, old)]
        # It comes last, by itself, and then only the one before goes.
        assert [each["filename"] for each in wrote[inserted[-1]][1]["documents"]] == [
            "staticfiles.json"
        ]
        assert deleted == [inserted[-1] + 1]

    def test_post_processing_that_fails(self, collect: Collect, sources: Path) -> None:
        (sources / "bad.css").write_text("a { background: url(missing.png) }")
        with pytest.raises(ValueError, match=r"missing\.png"):
            collect(MANIFEST)
        assert not GridFSStaticFilesStorage().exists("staticfiles.json")


def _deletes(command: Any, document: Any) -> bool:
    return any(document["_id"] in each["q"]["_id"]["$in"] for each in command.get("deletes", ()))


class TestCollecting:
    """Within the block, reads see the files that were saved and deleted there."""

    @pytest.fixture
    def storage(self, connected: Database[Any]) -> GridFSStaticFilesStorage:
        storage = GridFSStaticFilesStorage()
        storage.save("old/a.css", ContentFile(b"old"))
        return storage

    def test_reading_what_waits(self, storage: GridFSStaticFilesStorage) -> None:
        with storage.collecting():
            storage.save("new/b.css", ContentFile(b"new"))
            storage.save("old/a.css", ContentFile(b"newer"))
            assert storage.exists("new/b.css")
            assert storage.exists("new")
            assert storage.open("new/b.css").read() == b"new"
            assert storage.size("old/a.css") == 5
            storage.save("new/c.css", ContentFile(b"c"))
            assert storage.listdir("new") == ([], ["b.css", "c.css"])
            assert storage.get_modified_time("new/c.css")
            storage.delete("old/a.css")
            assert not storage.exists("old/a.css")
            assert not storage.exists("old")
            with pytest.raises(FileNotFoundError):
                storage.open("old/a.css")
            storage.delete("new/b.css")
            storage.save("new/b.css", ContentFile(b"again"))
        assert names(storage) == ["new/b.css", "new/c.css"]
        assert storage.open("new/b.css").read() == b"again"

    def test_nothing_is_sent_before(
        self, storage: GridFSStaticFilesStorage, connected: Database[Any]
    ) -> None:
        with storage.collecting(), storage.collecting():
            storage.save("b.css", ContentFile(b"new"))
            storage.delete("old/a.css")
            assert connected.static.files.distinct("filename") == ["old/a.css"]
        assert connected.static.files.distinct("filename") == ["b.css"]

    def test_a_block_that_raises(
        self, storage: GridFSStaticFilesStorage, connected: Database[Any]
    ) -> None:
        with pytest.raises(ZeroDivisionError), storage.collecting():  # noqa: PT012
            storage.save("b.css", ContentFile(b"new"))
            storage.delete("old/a.css")
            raise ZeroDivisionError
        assert connected.static.files.distinct("filename") == ["old/a.css"]

    def test_another_storage_is_not_concerned(
        self, storage: GridFSStaticFilesStorage, connected: Database[Any]
    ) -> None:
        with storage.collecting():
            GridFSStaticFilesStorage().save("b.css", ContentFile(b"new"))
            assert connected.static.files.count_documents({"filename": "b.css"}) == 1

    def test_names(self, storage: GridFSStaticFilesStorage) -> None:
        with storage.collecting():
            assert storage.save("x\\y//z.css", ContentFile(b"z")) == "x/y/z.css"
            assert storage.exists("x/y/")
            for name in ("../a", "a\0"):
                with pytest.raises(SuspiciousFileOperation):
                    storage.save(name, ContentFile(b"z"))
                with pytest.raises(SuspiciousFileOperation):
                    storage.exists(name)
                with pytest.raises(SuspiciousFileOperation):
                    storage.delete(name)
            with pytest.raises(ValueError, match="must be given"):
                storage.delete("")
        assert names(storage) == ["old/a.css", "x/y/z.css"]


def test_hashed_names_are_kept_for_ever(collect: Collect, settings: Any, sources: Path) -> None:
    """This includes those of an earlier collection, to which cached pages refer, and no other
    names."""

    def kept(name: str) -> str:
        answer = Client().get(f"/static/{name}")
        assert answer.status_code == 200
        return answer.headers["Cache-Control"]

    collect(MANIFEST)
    (sources / "robots.txt").write_text("none")
    (sources / "built.0123456789ab.js").write_text("js")
    before = static("robots.txt").removeprefix("/static/")
    collect(MANIFEST)
    module = types.ModuleType("urls_of_a_test")
    patterns = urlpatterns_for("staticfiles")
    module.urlpatterns = [path("static/", include(patterns))]  # type: ignore[attr-defined]
    settings.ROOT_URLCONF = module
    after = static("robots.txt").removeprefix("/static/")
    assert before != after
    forever = "public, max-age=31536000, immutable"
    for name in (before, after, static("css/base.css").removeprefix("/static/")):
        assert kept(name) == forever
    assert kept(static("built.0123456789ab.js").removeprefix("/static/")) == forever
    for name in ("robots.txt", "css/base.css", "built.0123456789ab.js", "staticfiles.json"):
        assert kept(name) == "no-cache"
