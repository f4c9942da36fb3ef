"""Rows refer to files: wherever the field is, whatever hides it."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.files.base import ContentFile
from django.db import connections

from djongo_services.connections import connections as mongodb
from djongo_services.storage import GridFSStorage
from djongo_services.storage.collector import (
    Kind,
    ReferencesUnreadable,
    UnknownReferenceModel,
    buckets_for,
    find_references,
    references_for,
)
from djongo_services.storage.collector.references.sources import Sought
from tests.storage.collector.by_hand import GRACE, counts, filenames, make_bucket, put, run
from tests.storage.collector.conftest import references_in


def labels_of(references: Any, app: str) -> set[str]:
    """Other apps have fields of files, too, which are asked where their tables are."""
    labels = {source.label for source in references.sources}
    return {label for label in labels if label.startswith(f"{app}.")}


class TestColumns:
    def test_are_found_wherever_they_are(self, bucket_of_project, shop):
        """Those of other storages too: a row may choose the one of its file itself."""
        assert labels_of(references_in(bucket_of_project), "shop") == {
            "shop.Product.picture on 'sql'",
            "shop.Product.sheet on 'sql'",
            "shop.Book.cover on 'sql'",
            "shop.Document.scan on 'sql'",
            "shop.PastDocument.scan on 'sql'",
            "shop.Other.attachment on 'sql'",
            "shop.Other.local on 'sql'",
            "shop.Letter.scan on 'sql'",
        }

    def test_keep_what_they_refer_to(self, bucket_of_project, shop):
        Product, Book, Document, PastDocument = (
            shop.get_model(name) for name in ("Product", "Book", "Document", "PastDocument")
        )
        Product.objects.create(picture="2024/a.png", sheet="a.pdf")
        Book.objects.create(picture="b.png", cover="b.png")
        Document(scan="deleted.png", deleted=True).save()
        PastDocument.objects.create(scan="past.png")
        used = [
            "media/2024/a.png",
            "media/a.pdf",
            "media/b.png",
            "covers/b.png",
            "scans/deleted.png",
            "scans/past.png",
            # Under another location, in another case: the collector cannot be sure.
            "media/A.pdf",
            "covers/a.pdf",
            "media/past.png",
            "scans/2024/a.png",
        ]
        unused = ["media/c.pdf", "media/2023/a.png", "covers/past.jpg", "scans/b.png.txt"]
        outside = ["elsewhere.png", "mediaa.pdf"]
        for name in (*used, *unused, *outside):
            put(bucket_of_project, name)
        report = run(bucket_of_project, references_in(bucket_of_project), batch_size=3)
        assert counts(report) == {Kind.UNREFERENCED: len(unused)}
        assert filenames(bucket_of_project) == sorted([*used, *outside])

    def test_with_more_names_than_a_query_takes(self, bucket_of_project, shop):
        product = shop.get_model("Product")
        product.objects.bulk_create(product(sheet=f"{n}") for n in range(0, 2500, 2))
        names = [f"media/{n}" for n in range(2500)]
        found = references_in(bucket_of_project).referenced(names)
        assert found == set(names[::2])

    def test_names_are_data(self, bucket_of_project, shop):
        names = ["%", "a%", "'; DROP TABLE shop_products; --", "\\", "$where", "é", "x" * 90]
        product = shop.get_model("Product")
        product.objects.bulk_create(product(sheet=name) for name in names)
        references = references_in(bucket_of_project)
        assert references.referenced([f"media/{name}" for name in [*names, "abc"]]) == {
            f"media/{name}" for name in names
        }
        sought = [
            Sought(key=(name,), id=None, names=(f"media/{name}",)) for name in [*names, "abc"]
        ]
        assert set(references.mentioned(sought)) == {(name,) for name in names}


class TestUnreadable:
    def test_a_table_that_is_not_there(self, bucket_of_project, shop):
        with connections["sql"].schema_editor() as editor:
            editor.delete_model(shop.get_model("Book"))
        try:
            with pytest.raises(ReferencesUnreadable) as caught:
                references_in(bucket_of_project)
            assert str(caught.value) == (
                "It cannot be determined which files of the bucket 'fs' are in use, so nothing was "
                "collected: shop.Book.cover: the database 'sql' has no table shop_book; run "
                "migrate. Repair that, or exclude a model with --ignore-model."
            )
            ignoring = references_in(bucket_of_project, ignore=["shop.Book"])
            assert "shop.Book.cover on 'sql'" not in {each.label for each in ignoring.sources}
        finally:
            with connections["sql"].schema_editor() as editor:
                editor.create_model(shop.get_model("Book"))

    def test_a_column_that_is_not_there(self, bucket_of_project, shop):
        with connections["sql"].cursor() as cursor:
            cursor.execute('ALTER TABLE shop_products RENAME COLUMN "Data Sheet" TO old')
        with pytest.raises(ReferencesUnreadable, match=r"shop\.Product\.sheet: no such column"):
            references_in(bucket_of_project)
        with connections["sql"].cursor() as cursor:
            cursor.execute('ALTER TABLE shop_products RENAME COLUMN old TO "Data Sheet"')

    def test_in_the_middle_of_a_run(self, bucket_of_project, shop):
        references = references_in(bucket_of_project)
        put(bucket_of_project, "media/a")
        with connections["sql"].cursor() as cursor:
            cursor.execute("ALTER TABLE shop_products RENAME TO away")
        try:
            with pytest.raises(ReferencesUnreadable, match="can no longer be checked"):
                run(bucket_of_project, references)
        finally:
            with connections["sql"].cursor() as cursor:
                cursor.execute("ALTER TABLE away RENAME TO shop_products")
        assert filenames(bucket_of_project) == ["media/a"]

    def test_an_unknown_model_to_ignore(self, bucket_of_project, shop):
        with pytest.raises(
            UnknownReferenceModel, match=r"'shop\.Boook'; did you mean shop\.Book\?"
        ):
            references_for(mongodb["default"], "fs", ignore=["shop.Boook"])


class TestOnMoreAliases:
    def test_rows_anywhere_count(self, bucket_of_project, shop, settings):
        """Without the router, the shop's models are at home on the default alias, MongoDB."""
        settings.DATABASE_ROUTERS = ["django_mongodb_backend.routers.MongoRouter"]
        with pytest.raises(ReferencesUnreadable, match="the database 'default' has no table"):
            references_in(bucket_of_project)
        database: Any = connections["default"]
        models = [model for model in shop.get_models() if not model._meta.proxy]
        with database.schema_editor() as editor:
            for model in models:
                editor.create_model(model)
        try:
            database.database["shop_products"].insert_one({"Data Sheet": "b"})
            shop.get_model("Product").objects.using("sql").create(sheet="a")
            references = references_in(bucket_of_project)
            assert references.referenced(["media/a", "media/b", "media/c"]) == {
                "media/a",
                "media/b",
            }
        finally:
            with database.schema_editor() as editor:
                for model in models:
                    editor.delete_model(model)

    def test_documents_that_pymongo_keeps(self, bucket_of_project, shop, settings):
        settings.DJONGO_SERVICES = {
            **settings.DJONGO_SERVICES,
            "SCHEMA": {"MODELS": ["shop.Document"]},
        }
        bucket_of_project["shop_document"].insert_one({"scan": "mongo.png"})
        shop.get_model("Document")(scan="sql.png").save()
        references = references_in(bucket_of_project)
        names = ["scans/mongo.png", "scans/sql.png", "scans/none.png"]
        assert references.referenced(names) == set(names[:2])


class TestDjongosLayout:
    """Every folder is a bucket, whose filenames have no folder."""

    NAMES = ("a.png", "2019/c.png", "2019/b.png", "2019/05/d.png", "2019.05/e.png")

    def test_names_in_folders(self, bucket_of_project, shop):
        Letter = shop.get_model("Letter")
        for name in self.NAMES:
            letter = Letter()
            letter.scan.save(name, ContentFile(name.encode()))
            assert letter.scan.name == name
        for name in ("2019/c.png", "2019.05/e.png"):
            Letter.objects.filter(scan=name).delete()
        connection = mongodb["default"]
        buckets = ["storage.letters", "storage.letters.2019", "storage.letters.2019.05"]
        assert buckets_for(connection) == ["fs", *buckets]
        collected = {}
        for bucket in buckets:
            references = references_for(connection, bucket)
            report = run(bucket_of_project, references, older_than=-GRACE, bucket=bucket)
            collected[bucket] = counts(report).get(Kind.UNREFERENCED)
        assert collected == {buckets[0]: None, buckets[1]: 1, buckets[2]: 1}
        assert filenames(bucket_of_project, buckets[1]) == ["b.png"]
        assert filenames(bucket_of_project, buckets[2]) == ["d.png"]


class TestDocuments:
    def test_names_inside_of_documents(self, bucket_of_project, shelf):
        from tests.storage.collector.shelf.models import Clip, Image, Page

        shelf.objects.create(
            plain="plain",
            cover=Image(file="cover"),
            pages=[
                Page(image=Image(file="first"), scans=["a", "b"]),
                Page(image=None, scans=None),
                Page(image=Image(file="third"), scans=[]),
            ],
            extra=Clip(video="video"),
        )
        shelf.objects.create(extra=Image(file="image"))
        shelf.objects.create()
        used = {"plain", "cover", "first", "third", "a", "b", "video", "image"}
        references = references_in(bucket_of_project, ignore=["shelf.Novel"])
        assert labels_of(references, "shelf") == {
            "shelf.Folder.plain on 'default'",
            "shelf.Folder.cover.File on 'default'",
            "shelf.Folder.pages.image.File on 'default'",
            "shelf.Folder.pages.scans on 'default'",
            "shelf.Folder.extra.video on 'default'",
            "shelf.Folder.extra.File on 'default'",
        }
        for name in (*used, "second", "File", ""):
            put(bucket_of_project, name)
        report = run(bucket_of_project, references)
        assert counts(report) == {Kind.UNREFERENCED: 3}
        assert set(filenames(bucket_of_project)) == used

    def test_names_are_data(self, bucket_of_project, shelf):
        names = ["$where", "a.b", "{}", "\0", "^.*$"]
        for name in names:
            shelf.objects.create(plain=name)
        references = references_in(bucket_of_project, ignore=["shelf.Novel"])
        assert references.referenced([*names, "abc"]) == set(names)

    def test_inside_of_what_has_no_end(self, bucket_of_project, shelf):
        with pytest.raises(
            ReferencesUnreadable,
            match=r"shelf\.Novel\.chapters: an embedded model there contains itself",
        ):
            references_in(bucket_of_project)

    def test_arrays_on_sql(self, bucket_of_project, shelf, settings):
        settings.DATABASE_ROUTERS = [f"{__name__}.EverythingOnSQL"]
        with connections["sql"].cursor() as cursor:
            for table in ("folders", "novels"):
                cursor.execute(f"CREATE TABLE {table} (id INTEGER, plain TEXT)")
        try:
            with pytest.raises(ReferencesUnreadable) as caught:
                references_in(bucket_of_project, ignore=["shelf.Novel"])
        finally:
            with connections["sql"].cursor() as cursor:
                for table in ("folders", "novels"):
                    cursor.execute(f"DROP TABLE {table}")
        sentence = "shelf.Folder.pages: names inside of arrays or embedded models cannot be looked"
        assert sentence in str(caught.value)
        assert "shelf.Folder.plain" not in str(caught.value)


class EverythingOnSQL:
    def db_for_read(self, model: Any, **hints: Any) -> str:
        return "sql"

    db_for_write = db_for_read

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool:
        return db == "sql"


class TestTerritories:
    def test_static_files_are_named_by_no_field(self, bucket_of_project, shop, settings):
        storage = "djongo_services.storage.GridFSStorage"
        settings.STORAGES = {
            **settings.STORAGES,
            "staticfiles": {"BACKEND": storage, "OPTIONS": {"location": "media/static"}},
        }
        for name in ("media/static/a.css", "media/a.css"):
            put(bucket_of_project, name)
        report = run(bucket_of_project, references_in(bucket_of_project))
        assert counts(report) == {Kind.UNREFERENCED: 1}
        assert filenames(bucket_of_project) == ["media/static/a.css"]

    def test_storages_that_keep_revisions(self, bucket_of_project, shop, settings):
        options = {"location": "drafts", "keep_revisions": True, "allow_overwrite": True}
        settings.STORAGES = {
            **settings.STORAGES,
            "drafts": {"BACKEND": "djongo_services.storage.GridFSStorage", "OPTIONS": options},
        }
        references = references_in(bucket_of_project)
        assert references.keeps_revisions("drafts/a") is True
        assert references.keeps_revisions("media/a") is False
        assert references.keeps_revisions("elsewhere") is None

    def test_another_bucket_and_another_database_are_no_concern(self, bucket_of_project, shop):
        put(bucket_of_project, "a")
        assert counts(run(bucket_of_project, references_in(bucket_of_project))) == {}
        assert not find_references("another database", "fs").speaks
        assert not find_references(bucket_of_project.name, "another bucket").speaks

    def test_the_buckets_of_a_project(self, bucket_of_project, shop):
        connection = mongodb["default"]
        make_bucket(bucket_of_project, "unknown")
        assert buckets_for(connection) == ["fs"]
        make_bucket(bucket_of_project, "attachments")
        assert buckets_for(connection) == ["attachments", "fs"]
        assert buckets_for(connection, ["unknown", "unknown"]) == ["unknown"]


def everything_is_used(names: Any) -> set[str]:
    return set(names)


def articles(names: Any) -> Any:
    """A generator is fine, and so are names that were not asked for."""
    yield "in an article"
    yield from ()


articles.buckets = ("fs",)  # type: ignore[attr-defined]


def no_set(names: Any) -> Any:
    return "abc"


def broken(names: Any) -> Any:
    raise ZeroDivisionError("division by zero")


class TestProviders:
    PATH = "tests.storage.collector.test_references"

    def find(self, database: Any, name: str) -> Any:
        return references_in(database, providers=[f"{self.PATH}.{name}"])

    def test_say_what_is_in_use(self, bucket_of_project, shop):
        put(bucket_of_project, "media/a")
        references = self.find(bucket_of_project, "everything_is_used")
        assert run(bucket_of_project, references).is_clean

    def test_answer_for_a_bucket_only_where_they_say_so(self, bucket_of_project):
        assert not self.find(bucket_of_project, "everything_is_used").speaks
        references = self.find(bucket_of_project, "articles")
        for name in ("in an article", "in no article"):
            put(bucket_of_project, name)
        assert counts(run(bucket_of_project, references)) == {Kind.UNREFERENCED: 1}
        assert filenames(bucket_of_project) == ["in an article"]

    @pytest.mark.parametrize(
        ("name", "sentence"),
        [
            ("no_set", "it returned str, not a set of names"),
            ("broken", "ZeroDivisionError: division by zero"),
        ],
    )
    def test_that_do_not_answer(self, bucket_of_project, name, sentence):
        with pytest.raises(ReferencesUnreadable, match=sentence):
            self.find(bucket_of_project, name)

    @pytest.mark.parametrize(
        ("path", "sentence"),
        [
            ("tests.nowhere.provider", "cannot be imported"),
            (f"{PATH}.nobody", "cannot be imported"),
            (f"{PATH}.__name__", "is not a function"),
        ],
    )
    def test_that_do_not_exist(self, bucket_of_project, path, sentence):
        with pytest.raises(ImproperlyConfigured, match=sentence):
            references_in(bucket_of_project, providers=[path])


def test_a_storage_of_the_project_and_its_rows(bucket_of_project, shop):
    """From saving a file to its removal, as in a project."""
    Product = shop.get_model("Product")
    product = Product()
    product.sheet.save("a.txt", ContentFile(b"first"))
    product.sheet.save("b.txt", ContentFile(b"second"))
    references = references_in(bucket_of_project)
    now = {"older_than": -GRACE}  # So that nothing is too young.
    assert counts(run(bucket_of_project, references, **now)) == {Kind.UNREFERENCED: 1}
    assert filenames(bucket_of_project) == ["media/b.txt"]
    assert GridFSStorage(location="media").open("b.txt").read() == b"second"
    product.delete()
    assert counts(run(bucket_of_project, references, **now)) == {Kind.UNREFERENCED: 1}
    assert filenames(bucket_of_project) == []
