"""Unsure means kept: for each assumption of the collector, what happens when it does not hold."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from bson import ObjectId
from django.apps import apps
from django.core.files.base import ContentFile
from django.db import connections
from django.test.utils import override_settings

from djongo_services.connections import connections as mongodb
from djongo_services.storage import GridFSStorage
from djongo_services.storage.collector import (
    BucketUnusable,
    Kind,
    ReferencesUnreadable,
    collect,
    purge,
    references_for,
)
from tests.storage.collector.by_hand import (
    GRACE,
    OLD,
    counts,
    filenames,
    make_bucket,
    moment,
    put,
    run,
)
from tests.storage.collector.conftest import references_in

STORAGE = "djongo_services.storage.GridFSStorage"


class Router:
    def db_for_read(self, model: Any, **hints: Any) -> str | None:
        return "sql" if model._meta.app_label == "unsure" else None

    db_for_write = db_for_read

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool | None:
        return db == "sql" if app_label == "unsure" else None


@pytest.fixture
def unsure(bucket_of_project: Any, settings: Any) -> Iterator[Any]:
    """The app of this name, whose tables are on SQL."""
    routers = [f"{__name__}.Router", *settings.DATABASE_ROUTERS]
    installed = [*settings.INSTALLED_APPS, "tests.storage.collector.unsure"]
    with override_settings(INSTALLED_APPS=installed, DATABASE_ROUTERS=routers):
        models = list(apps.get_app_config("unsure").get_models())
        with connections["sql"].schema_editor() as editor:
            for model in models:
                editor.create_model(model)
        try:
            yield apps.get_app_config("unsure")
        finally:
            with connections["sql"].schema_editor() as editor:
                for model in models:
                    editor.delete_model(model)


def stays(database: Any, *names: str) -> bool:
    """Whether these files stay, and an unreferenced one is removed."""
    for name in names:
        put(database, name)
    put(database, "notes/garbage.txt")
    run(database, references_in(database))
    return filenames(database) == sorted(names)


class TestWhichStorage:
    def test_a_row_chooses_it(self, bucket_of_project, unsure):
        """From the time of saving on, as django-filer does with ``FILER_STORAGES``."""
        Scan = unsure.get_model("Scan")
        for is_public in (True, False):
            scan = Scan(is_public=is_public)
            scan.file.save("2024/a.png", ContentFile(b"a"))
        assert filenames(bucket_of_project) == ["public/2024/a.png", "tenants/private/2024/a.png"]
        now = {"older_than": -GRACE}
        assert counts(run(bucket_of_project, references_in(bucket_of_project), **now)) == {}
        Scan.objects.all().delete()
        assert counts(run(bucket_of_project, references_in(bucket_of_project), **now)) == {
            Kind.UNREFERENCED: 1
        }
        # The collector cannot know about a location that no field and no setting has.
        assert filenames(bucket_of_project) == ["tenants/private/2024/a.png"]

    @pytest.mark.parametrize("location", ["folded", "hashed", "delegated"])
    def test_it_is_wrapped_or_has_a_way_of_its_own(self, bucket_of_project, unsure, location):
        Strange = unsure.get_model("Strange")
        for name in ("folded", "hashed", "delegated"):
            getattr(Strange(), name).save("abc.txt", ContentFile(b"a"), save=False)
        Strange(**{location: "abc.txt"}).save()
        report = run(bucket_of_project, references_in(bucket_of_project), older_than=-GRACE)
        assert counts(report) == {}
        assert len(filenames(bucket_of_project)) == 3
        reasons = {
            "folded": "unsure.Strange.folded (wrapped by Folding)",
            "hashed": "unsure.Strange.hashed (Hashing has its own _open())",
            "delegated": "unsure.Strange.delegated (wrapped by Delegating)",
        }
        assert (
            f"No file below '{location}/' is reported as unreferenced, because of "
            f"{reasons[location]}; to change that, register a provider of references for the "
            f"bucket."
        ) in report.notes

    def test_a_wrapper_of_the_whole_bucket(self, bucket_of_project, unsure, settings):
        settings.STORAGES = {
            **settings.STORAGES,
            "wrapped": {
                "BACKEND": "tests.storage.collector.unsure.wrappers.Folding",
                "OPTIONS": {"inner": GridFSStorage(bucket="fs")},
            },
        }
        put(bucket_of_project, "notes/txt.a")
        assert counts(run(bucket_of_project, references_in(bucket_of_project))) == {}
        with pytest.raises(BucketUnusable, match="wrapped by Folding"):
            run(bucket_of_project, references_in(bucket_of_project), only=[Kind.UNREFERENCED])

    def test_a_provider_that_answers_knows_better(self, bucket_of_project, unsure):
        put(bucket_of_project, "folded/a")
        provider = "tests.storage.collector.test_references.articles"
        references = references_in(bucket_of_project, providers=[provider])
        assert counts(run(bucket_of_project, references)) == {Kind.UNREFERENCED: 1}

    def test_it_is_in_no_setting_any_more(self, bucket_of_project, unsure):
        """Rows that were saved by a former alias, whose location is unknown."""
        unsure.get_model("Note").objects.create(scan="2024/a.png")
        assert stays(bucket_of_project, "old-location/2024/a.png", "notes/x/2024/a.png")

    def test_its_connection_is_not_configured_here(self, bucket_of_project, unsure, settings):
        options = {"bucket": "fs", "location": "notes", "using": "elsewhere"}
        settings.STORAGES = {
            **settings.STORAGES,
            "lost": {"BACKEND": STORAGE, "OPTIONS": options},
        }
        put(bucket_of_project, "notes/a")
        report = run(bucket_of_project, references_in(bucket_of_project))
        assert counts(report) == {}
        assert any("its connection 'elsewhere' is not configured here" in n for n in report.notes)

    def test_settings_are_swapped(self, bucket_of_project, unsure):
        unsure.get_model("Note").objects.create(scan="a.png")
        name = {"BACKEND": STORAGE, "OPTIONS": {"location": "elsewhere"}}
        with override_settings(STORAGES={"media": name}):
            assert stays(bucket_of_project, "notes/a.png", "elsewhere/a.png")


class TestOtherKindsOfStorage:
    @pytest.fixture
    def foreign(self, settings):
        settings.STORAGES = {
            **settings.STORAGES,
            "s3": {"BACKEND": "storages.backends.s3.S3Storage", "OPTIONS": {"bucket_name": "fs"}},
            "gcs": {
                "BACKEND": "storages.backends.gcloud.GoogleCloudStorage",
                "OPTIONS": {"bucket_name": "fs", "project_id": "none"},
            },
        }

    def test_have_no_files_in_buckets(self, bucket_of_project, unsure, foreign):
        from django.core.files.storage import storages

        s3: Any = storages["s3"]
        assert s3.bucket_name == "fs"
        assert stays(bucket_of_project)

    def test_the_buckets_of_the_project(self, bucket_of_project, unsure, foreign):
        from djongo_services.storage.collector import buckets_for

        assert buckets_for(mongodb["default"]) == ["fs"]


class TestHowNamesAreWritten:
    @pytest.mark.parametrize(
        "written",
        [
            "docs//a.txt",
            "./docs/a.txt",
            "docs\\a.txt",
            "docs/./a.txt",
            "/docs/a.txt",
            "notes/docs/a.txt",
            "DOCS/A.TXT",
            "docs/%61.txt",
            "https://files.example/notes/docs/a.txt",
        ],
    )
    def test_in_fields_of_files(self, bucket_of_project, unsure, written):
        unsure.get_model("Note").objects.create(scan=written)
        assert stays(bucket_of_project, "notes/docs/a.txt")

    def test_what_the_storage_itself_finds(self, bucket_of_project, unsure):
        """All of these open the file."""
        storage = GridFSStorage(bucket="fs", location="notes")
        put(bucket_of_project, "notes/docs/a.txt")
        for written in ("docs//a.txt", "./docs/a.txt", "docs\\a.txt", "docs/./a.txt"):
            assert storage.exists(written)

    def test_where_they_are_told(self, bucket_of_project, unsure):
        unsure.get_model("Note").objects.create(body="see docs/a.txt", data={"files": ["b.txt"]})
        for name in ("notes/docs/a.txt", "notes/b.txt", "notes/docs/c.txt"):
            put(bucket_of_project, name)
        report = run(bucket_of_project, references_in(bucket_of_project))
        assert report.notes[-1] == (
            "2 files stayed that no field names, because texts mention them: "
            "unsure_note.body on 'sql' (1), unsure_note.data on 'sql' (1)."
        )


class TestCollations:
    def test_of_a_column(self, bucket_of_project, unsure):
        """DISTINCT gives one name for all that the column's collation holds for equal."""
        with connections["sql"].cursor() as cursor:
            cursor.execute("ALTER TABLE unsure_note DROP COLUMN scan")
            cursor.execute("ALTER TABLE unsure_note ADD COLUMN scan TEXT COLLATE NOCASE DEFAULT ''")
        Note = unsure.get_model("Note")
        for name in ("a.txt", "A.txt"):
            Note.objects.create(scan=name)
        references = references_in(bucket_of_project, search=False)
        names = ["notes/a.txt", "notes/A.txt", "notes/b.txt"]
        assert references.referenced(names) == set(names[:2])

    def test_of_a_collection_of_a_model(self, bucket_of_project, unsure, settings):
        settings.DJONGO_SERVICES = {
            **settings.DJONGO_SERVICES,
            "SCHEMA": {"MODELS": ["unsure.Note"]},
        }
        bucket_of_project.create_collection(
            "unsure_note", collation={"locale": "en", "strength": 1}
        )
        bucket_of_project.unsure_note.insert_many([{"scan": "a.txt"}, {"scan": "A.txt"}])
        references = references_in(bucket_of_project, search=False)
        names = ["notes/a.txt", "notes/A.txt", "notes/\u00e1.txt"]
        assert references.referenced(names) == set(names[:2])

    @pytest.mark.parametrize("part", ["files", "chunks", "trash", "uploads", "gc"])
    def test_of_a_bucket(self, database, part):
        if part not in ("files", "chunks"):
            make_bucket(database)
        database.create_collection(f"fs.{part}", collation={"locale": "en", "strength": 1})
        with pytest.raises(BucketUnusable, match=f"fs.{part} has a collation"):
            run(database)


class TestWhereNamesAre:
    @pytest.mark.parametrize(
        ("values", "name"),
        [
            ({"title": "docs/a.txt"}, "notes/docs/a.txt"),
            ({"body": '<p><img src="/media/docs/a.png"></p>'}, "notes/docs/a.png"),
            ({"data": {"blocks": [{"file": "docs/é.png"}]}}, "notes/docs/é.png"),
            ({"data": ["a", {"a": "b"}]}, "notes/b"),
        ],
    )
    def test_in_other_fields(self, bucket_of_project, unsure, values, name):
        unsure.get_model("Note").objects.create(**values)
        assert stays(bucket_of_project, name)

    def test_ids_of_files_in_columns(self, bucket_of_project, unsure):
        id = put(bucket_of_project, "notes/a")
        older = put(bucket_of_project, "notes/b", age=2 * OLD)
        put(bucket_of_project, "notes/b")
        put(bucket_of_project, "notes/garbage")
        Note = unsure.get_model("Note")
        Note.objects.create(files_id=str(id))
        Note.objects.create(files_id=str(older), scan="b")
        report = run(bucket_of_project, references_in(bucket_of_project))
        assert counts(report) == {Kind.UNREFERENCED: 1}
        assert filenames(bucket_of_project) == ["notes/a", "notes/b", "notes/b"]

    def test_tables_of_apps_that_are_gone(self, bucket_of_project, unsure):
        with connections["sql"].cursor() as cursor:
            cursor.execute("CREATE TABLE old_letter (id INTEGER, scan VARCHAR(100))")
            cursor.execute("INSERT INTO old_letter VALUES (1, 'letters/a.png')")
        try:
            assert stays(bucket_of_project, "notes/letters/a.png")
        finally:
            with connections["sql"].cursor() as cursor:
                cursor.execute("DROP TABLE old_letter")

    def test_collections_that_no_model_has(self, bucket_of_project, unsure):
        id = put(bucket_of_project, "notes/by-id")
        bucket_of_project.letters.insert_one({"pages": [{"of": {"scan": "letters/a.png"}}]})
        bucket_of_project.albums.insert_one({"cover": id})
        assert stays(bucket_of_project, "notes/letters/a.png") is False
        assert filenames(bucket_of_project) == ["notes/by-id", "notes/letters/a.png"]

    def test_what_only_tells_what_was_once(self, bucket_of_project, unsure):
        """Otherwise every file that was ever uploaded in the admin would stay permanently."""
        bucket_of_project.django_admin_log.insert_one({"object_repr": "a.txt"})
        bucket_of_project["fs.trash"].insert_one({"_id": 1, "trashedAt": moment(OLD), "x": "a.txt"})
        bucket_of_project.djongo_services_runs.insert_one({"said": "a.txt"})
        put(bucket_of_project, "notes/a.txt")
        assert counts(run(bucket_of_project, references_in(bucket_of_project))) == {
            Kind.UNREFERENCED: 1
        }

    def test_places_that_the_project_leaves_out(self, bucket_of_project, unsure):
        bucket_of_project.audit_2024.insert_one({"was": "a.txt"})
        unsure.get_model("Note").objects.create(title="a.txt")
        put(bucket_of_project, "notes/a.txt")
        leaving = {"search_exclude": ["audit_*"], "ignore": ["unsure.Note"]}
        for option in leaving:
            references = references_in(bucket_of_project, **{option: leaving[option]})
            assert counts(run(bucket_of_project, references)) == {}
        references = references_in(bucket_of_project, **leaving)
        assert counts(run(bucket_of_project, references)) == {Kind.UNREFERENCED: 1}

    def test_only_fields_are_asked_where_the_settings_say_so(
        self, bucket_of_project, unsure, settings
    ):
        unsure.get_model("Note").objects.create(title="a.txt")
        put(bucket_of_project, "notes/a.txt")
        settings.DJONGO_SERVICES = {**settings.DJONGO_SERVICES, "STORAGE": {"SEARCH": "fields"}}
        references = references_for(mongodb["default"], "fs")
        assert counts(run(bucket_of_project, references)) == {Kind.UNREFERENCED: 1}


class LostAlias(Router):
    def db_for_read(self, model: Any, **hints: Any) -> str | None:
        return "reports" if model.__name__ == "Note" else super().db_for_read(model)


class TestPlacesThatCannotBeRead:
    def test_the_routers_name_a_database_that_is_not_here(
        self, bucket_of_project, unsure, settings
    ):
        put(bucket_of_project, "notes/a")
        with override_settings(DATABASE_ROUTERS=[f"{__name__}.LostAlias"]):
            with pytest.raises(ReferencesUnreadable) as caught:
                references_in(bucket_of_project)
            assert (
                "unsure.Note.scan: the routers name the database 'reports', which is not in "
                "DATABASES here"
            ) in str(caught.value)

    def test_a_place_is_lost_during_the_run(self, bucket_of_project, unsure):
        with connections["sql"].cursor() as cursor:
            cursor.execute("CREATE TABLE old_letter (id INTEGER, scan VARCHAR(100))")
        references = references_in(bucket_of_project)
        with connections["sql"].cursor() as cursor:
            cursor.execute("DROP TABLE old_letter")
        put(bucket_of_project, "notes/a")
        with pytest.raises(ReferencesUnreadable, match="no such table: old_letter"):
            run(bucket_of_project, references)
        assert filenames(bucket_of_project) == ["notes/a"]


class TestComingBack:
    """Files that are referenced again are restored from the trash, however long ago they were
    removed."""

    def collected(self, database: Any, name: str) -> Any:
        id = put(database, name)
        run(database, references_in(database))
        assert filenames(database) == []
        database["fs.trash"].update_many({}, {"$set": {"trashedAt": moment(9 * OLD)}})
        return id

    @pytest.mark.parametrize("values", [{"scan": "a.txt"}, {"body": "see a.txt"}])
    def test_by_the_next_run(self, bucket_of_project, unsure, values):
        self.collected(bucket_of_project, "notes/a.txt")
        unsure.get_model("Note").objects.create(**values)
        report = run(bucket_of_project, references_in(bucket_of_project))
        assert (report.restored, filenames(bucket_of_project)) == (1, ["notes/a.txt"])

    @pytest.mark.parametrize("values", [{"scan": "a.txt"}, {"body": "see a.txt"}])
    def test_instead_of_being_purged(self, bucket_of_project, unsure, values):
        self.collected(bucket_of_project, "notes/a.txt")
        unsure.get_model("Note").objects.create(**values)
        references = references_in(bucket_of_project)
        looked = purge(bucket_of_project, references=references, older_than=OLD, dry_run=True)
        assert (looked.entries, looked.restored) == (0, 1)
        done = purge(bucket_of_project, references=references, older_than=OLD)
        assert (done.entries, done.restored) == (0, 1)
        assert filenames(bucket_of_project) == ["notes/a.txt"]

    def test_by_its_id(self, bucket_of_project, unsure):
        id = self.collected(bucket_of_project, "notes/a.txt")
        put(bucket_of_project, "notes/a.txt")
        unsure.get_model("Note").objects.create(files_id=str(id), scan="a.txt")
        report = purge(
            bucket_of_project, references=references_in(bucket_of_project), older_than=OLD
        )
        assert (report.entries, report.restored) == (0, 1)
        assert filenames(bucket_of_project) == ["notes/a.txt", "notes/a.txt"]


class TestClocks:
    """The grace period ends by the server's clock."""

    @pytest.fixture
    def behind(self, bucket_of_project, monkeypatch):
        """A client whose clock is three days behind."""
        bucket_of_project.warmed.insert_one({})
        mongodb["default"].client.admin.command("ping")  # It has heard the time of the cluster.
        behind = datetime.now(UTC) - timedelta(days=3)
        monkeypatch.setattr("djongo_services.storage.bucket.layout.now", lambda: behind)

    def save(self, how: str) -> None:
        storage = GridFSStorage(bucket="fs", location="notes", deduplicate=how == "shared")
        if how == "many":
            storage.save_many([("a", b"a")])
        elif how == "async":
            asyncio.run(_save_async())
        else:
            storage.save("a", ContentFile(b"a"))

    @pytest.mark.parametrize("how", ["one", "many", "shared", "async"])
    def test_of_a_client_that_are_days_behind(self, bucket_of_project, unsure, behind, how):
        """Files that it stores are new."""
        self.save(how)
        # The chunks have ids by that clock, too.
        old = ObjectId.from_datetime(datetime.now(UTC) - timedelta(days=3))
        (chunk,) = bucket_of_project["fs.chunks"].find()
        bucket_of_project["fs.chunks"].delete_one({"_id": chunk["_id"]})
        bucket_of_project["fs.chunks"].insert_one({**chunk, "_id": old})
        report = run(bucket_of_project, references_in(bucket_of_project))
        assert (counts(report), report.young) == ({}, 1)

    def test_another_name_of_an_old_file(self, bucket_of_project, unsure, behind):
        storage = GridFSStorage(bucket="fs", location="notes", deduplicate=True)
        storage.save("a", ContentFile(b"a"))
        bucket_of_project["fs.files"].update_one(
            {}, {"$set": {"uploadDate": moment(OLD), "metadata.aliases.0.addedAt": moment(OLD)}}
        )
        storage.save("b", ContentFile(b"a"))
        document = bucket_of_project["fs.files"].find_one()
        now = datetime.now(UTC).replace(tzinfo=None)
        assert now - document["metadata"]["aliases"][1]["addedAt"] < GRACE


async def _save_async() -> None:
    from djongo_services.storage.bucket import AsyncBucket

    connection = mongodb["default"]
    async with connection.async_client as client:
        await client.admin.command("ping")
        bucket = AsyncBucket(client[connection.database_name], "fs")
        await bucket.upload("notes/a", b"a")


class TestExcluding:
    @pytest.mark.parametrize(
        "pattern", ["notes/thumbs/*", "thumbs/*", "*.webp", "notes/thumbs/a.webp"]
    )
    def test_by_names_in_the_bucket_and_in_the_storage(self, bucket_of_project, unsure, pattern):
        put(bucket_of_project, "notes/thumbs/a.webp", age=2 * OLD)
        put(bucket_of_project, "notes/thumbs/a.webp")
        put(bucket_of_project, "notes/b.png")
        references = references_in(bucket_of_project, exclude=[pattern])
        report = run(bucket_of_project, references)
        assert counts(report) == {Kind.UNREFERENCED: 1}
        assert filenames(bucket_of_project) == ["notes/thumbs/a.webp"] * 2
        assert "2 excluded files stayed." in report.notes

    def test_broken_ones_are_told_and_stay(self, bucket_of_project, unsure):
        put(bucket_of_project, "notes/thumbs/a.webp")
        bucket_of_project["fs.chunks"].delete_one({"n": 1})
        report = run(bucket_of_project, references_in(bucket_of_project, exclude=["thumbs/*"]))
        assert (counts(report), report.kept.count) == ({}, 1)

    def test_by_the_settings(self, bucket_of_project, unsure, settings):
        settings.DJONGO_SERVICES = {
            **settings.DJONGO_SERVICES,
            "STORAGE": {"EXCLUDE": ["thumbs/*"]},
        }
        references = references_for(mongodb["default"], "fs", exclude=["other/*"])
        assert references.excludes("notes/thumbs/a")
        assert references.excludes("other/a")
        assert not references.excludes("notes/a")


def test_nothing_is_read_where_there_is_nothing_to_collect(bucket_of_project, unsure):
    put(bucket_of_project, "notes/a.txt")
    unsure.get_model("Note").objects.create(scan="a.txt")
    references = references_in(bucket_of_project)
    with connections["sql"].cursor() as cursor:
        cursor.execute("CREATE TABLE late (id INTEGER)")  # The same connection is used.
        cursor.execute("DROP TABLE late")
    phases: set[str] = set()
    collect(
        bucket_of_project,
        references=references,
        older_than=GRACE,
        progress=lambda progress: phases.add(progress.phase),
    )
    assert "texts" not in phases
