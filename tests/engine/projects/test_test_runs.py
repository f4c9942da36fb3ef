"""Test runs of a project on the engine: by Django's runner, in parallel, and by pytest-django."""

from __future__ import annotations

import re
from typing import Any

import pytest
from pymongo.database import Database

from tests.engine.projects.building import Project, succeeded

SETTINGS = """
    import os

    SECRET_KEY = "x"
    USE_TZ = True
    ROOT_URLCONF = "urls"
    STATIC_URL = "/static/"
    MEDIA_URL = "/media/"
    PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    INSTALLED_APPS = [
        "django.contrib.contenttypes", "django.contrib.auth", "djongo_services", "shop",
    ]
    DATABASES = {
        "default": {
            "ENGINE": "djongo_services.backend",
            "HOST": os.environ["URI"],
            "NAME": os.environ["NAME"],
        },
    }
    STORAGES = {
        "default": {"BACKEND": "djongo_services.storage.GridFSStorage"},
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }
    DEFAULT_AUTO_FIELD = "django_mongodb_backend.fields.ObjectIdAutoField"
"""
URLS = """
    from django.http import HttpResponse
    from django.urls import path

    from shop.models import Book


    def count(request):
        return HttpResponse(str(Book.objects.count()))


    def add(request):
        Book.objects.create(title=request.GET["title"])
        return HttpResponse("made")


    urlpatterns = [path("count/", count), path("add/", add)]
"""
MODELS = """
    from django.db import models


    class Shelf(models.Model):
        name = models.CharField(max_length=20, unique=True)


    class Book(models.Model):
        title = models.CharField(max_length=20, db_index=True)
        shelf = models.ForeignKey(Shelf, models.CASCADE, null=True)
        cover = models.FileField(null=True)
"""
MIGRATION = """
    import django_mongodb_backend.fields
    from django.db import migrations, models

    KEY = django_mongodb_backend.fields.ObjectIdAutoField


    def fill(apps, schema_editor):
        apps.get_model("shop", "Shelf").objects.create(name="migrated")
        database = schema_editor.connection.database
        database.kinds.insert_one({"_id": "tool"})
        database.create_collection("checked", validator={"n": {"$gt": 0}})
        database.checked.create_index("n", name="by_n")
        database.create_collection("capped", capped=True, size=4096)
        database.create_collection("view", viewOn="kinds", pipeline=[])


    class Migration(migrations.Migration):
        operations = [
            migrations.CreateModel(
                "Shelf",
                [
                    ("id", KEY(auto_created=True, primary_key=True, serialize=False)),
                    ("name", models.CharField(max_length=20, unique=True)),
                ],
            ),
            migrations.CreateModel(
                "Book",
                [
                    ("id", KEY(auto_created=True, primary_key=True, serialize=False)),
                    ("title", models.CharField(max_length=20, db_index=True)),
                    ("shelf", models.ForeignKey("shop.Shelf", models.CASCADE, null=True)),
                    ("cover", models.FileField(null=True, upload_to="")),
                ],
            ),
            migrations.RunPython(fill, migrations.RunPython.noop, atomic=False),
        ]
"""
FIXTURE = """
    [
      {"model": "shop.shelf", "pk": "00000000000000000000000a", "fields": {"name": "ten"}},
      {"model": "shop.book", "pk": "64b7f0c2a1b2c3d4e5f60718",
       "fields": {"title": "Ice", "shelf": "00000000000000000000000a", "cover": ""}}
    ]
"""
TESTS = """
    import urllib.request

    from bson import ObjectId
    from django.contrib.contenttypes.models import ContentType
    from django.core.files.base import ContentFile
    from django.core.files.storage import default_storage
    from django.db import IntegrityError, connection, transaction
    from django.test import LiveServerTestCase, TestCase, TransactionTestCase
    from pymongo.errors import WriteError

    from djongo_services.connections import connections
    from djongo_services.transaction import atomic
    from shop.models import Book, Shelf


    def raw():
        return connections["default"].database


    def shape():
        database = connection.database
        return {
            one["name"]: (one["options"], sorted(database[one["name"]].index_information()))
            for one in database.list_collections(filter={"type": "collection"})
        }


    def refuses(document):
        try:
            connection.database.checked.insert_one(document)
        except WriteError:
            return True
        return False


    class RolledBack(TestCase):
        times = 0

        @classmethod
        def setUpTestData(cls):
            cls.times += 1
            cls.shelf = Shelf.objects.create(name="of the class")
            raw().things.insert_one({"_id": "of the class"})
            default_storage.save("class.txt", ContentFile(b"class"))

        def look_and_change(self):
            assert self.times == 1
            assert sorted(Shelf.objects.values_list("name", flat=True)) == [
                "migrated", "of the class",
            ]
            assert [one["_id"] for one in raw().things.find()] == ["of the class"]
            assert [one["filename"] for one in raw()["fs.files"].find()] == ["class.txt"]
            assert Book.objects.count() == 0
            book = Book.objects.create(title="a", shelf=self.shelf)
            book.cover.save("test.txt", ContentFile(b"of a test"))
            connection.database.kinds.delete_many({})
            with atomic():
                raw().things.insert_one({"_id": "of a test"})
            with self.assertRaises(IntegrityError), transaction.atomic():
                Book.objects.create(title="lost")
                Shelf.objects.create(name="of the class")
            assert [one.title for one in Book.objects.all()] == ["a"]
            Shelf.objects.filter(pk=self.shelf.pk).update(name="changed")
            with default_storage.open("test.txt") as file:
                assert file.read() == b"of a test"

        def test_one(self):
            self.look_and_change()

        def test_two(self):
            self.look_and_change()
            self.shelf.refresh_from_db()
            assert self.shelf.name == "changed"

        def test_three(self):
            assert self.shelf.name == "of the class"
            with default_storage.open("class.txt") as file:
                assert file.read() == b"class"

        def test_callbacks(self):
            called = []
            with self.captureOnCommitCallbacks(execute=True) as callbacks:
                transaction.on_commit(lambda: called.append(1))
                with self.assertRaises(ZeroDivisionError), transaction.atomic():
                    transaction.on_commit(lambda: called.append(2))
                    1 / 0
            assert called == [1] and len(callbacks) == 1

        def test_callbacks_wait(self):
            called = []
            transaction.on_commit(lambda: called.append(1))
            assert called == []


    class NothingIsLeft(TestCase):
        def test_nothing(self):
            assert [one.name for one in Shelf.objects.all()] == ["migrated"]
            assert raw().things.find_one() is None
            assert raw()["fs.files"].find_one() is None
            assert raw()["fs.chunks"].find_one() is None
            assert [one["_id"] for one in raw().kinds.find()] == ["tool"]
            assert connection.settings_dict["NAME"].startswith("test_")
            assert raw().name == connection.settings_dict["NAME"]


    class Fixtures(TestCase):
        fixtures = ["books.json"]

        def test_keys(self):
            book = Book.objects.get(pk="64b7f0c2a1b2c3d4e5f60718")
            assert book.shelf_id == ObjectId("00000000000000000000000a")
            assert book.shelf.name == "ten"


    class Shape(TestCase):
        def test_of_a_worker_too(self):
            found = shape()
            assert found["checked"] == ({"validator": {"n": {"$gt": 0}}}, ["_id_", "by_n"])
            assert found["capped"][0]["capped"] is True
            assert len(found["shop_book"][1]) == 3, found["shop_book"]
            assert [one["_id"] for one in connection.database.view.find()] == ["tool"]
            assert refuses({"n": 0})


    class Flushed(TransactionTestCase):
        def change(self):
            assert Shelf.objects.count() == 0 or self.first()
            assert raw().things.find_one() is None
            assert raw()["fs.files"].find_one() is None
            assert [one["_id"] for one in connection.database.kinds.find()] == ["tool"]
            assert refuses({"n": 0}) and "by_n" in connection.database.checked.index_information()
            with transaction.atomic():
                Shelf.objects.create(name="committed")
                raw().things.insert_one({})
            default_storage.save("flushed.txt", ContentFile(b"x"))
            connection.database.kinds.delete_many({})
            called = []
            with transaction.atomic():
                transaction.on_commit(lambda: called.append(1))
            assert called == [1]

        def first(self):
            return [one.name for one in Shelf.objects.all()] == ["migrated"]

        def test_one(self):
            self.change()

        def test_two(self):
            self.change()

        def test_shape(self):
            assert shape().keys() >= {"shop_book", "checked", "capped", "auth_user"}
            assert len(shape()["shop_book"][1]) == 3


    class Live(LiveServerTestCase):
        def get(self, address):
            with urllib.request.urlopen(self.live_server_url + address) as answer:
                return answer.read().decode()

        def test_server_sees_what_the_test_wrote(self):
            Book.objects.create(title="of the test")
            assert self.get("/count/") == "1"
            assert self.get("/add/?title=b") == "made"
            assert Book.objects.count() == 2
"""
SERIALIZED = """
    from django.contrib.contenttypes.models import ContentType
    from django.test import TransactionTestCase

    from shop.models import Book, Shelf


    class SerializedRollback(TransactionTestCase):
        serialized_rollback = True

        def test_one(self):
            assert [one.name for one in Shelf.objects.all()] == ["migrated"]
            Shelf.objects.all().delete()

        test_two = test_one

        def test_contenttypes(self):
            assert ContentType.objects.get_for_model(Book).pk
"""
PYTEST = """
    import pytest
    from django.db import connection
    from shop.models import Book


    @pytest.mark.django_db
    @pytest.mark.parametrize("n", range(4))
    def test_rolled_back(n):
        assert Book.objects.count() == 0
        assert connection.database.things.find_one() is None
        Book.objects.create(title="a")
        connection.database.things.insert_one({})


    @pytest.mark.django_db(transaction=True)
    @pytest.mark.parametrize("n", range(3))
    def test_flushed(n):
        assert Book.objects.count() == 0
        assert connection.database.things.find_one() is None
        Book.objects.create(title="a")
        connection.database.things.insert_one({})


    @pytest.mark.django_db
    def test_callbacks(django_capture_on_commit_callbacks):
        from django.db import transaction

        called = []
        with django_capture_on_commit_callbacks(execute=True):
            transaction.on_commit(lambda: called.append(1))
        assert called == [1]
"""
DJANGO = ("django", "test", "shop.tests", "--noinput")
PYTEST_DJANGO = ("pytest", "-q", "-p", "no:cacheprovider")


@pytest.fixture
def shop(project: Project, real: Database[dict[str, Any]]) -> Project:
    """A project with a real database, which no test may see or change."""
    project.write(
        {
            "settings.py": SETTINGS,
            "urls.py": URLS,
            "shop/__init__.py": "",
            "shop/models.py": MODELS,
            "shop/migrations/__init__.py": "",
            "shop/migrations/0001_initial.py": MIGRATION,
            "shop/fixtures/books.json": FIXTURE,
            "shop/tests.py": TESTS,
            "shop/serialized.py": SERIALIZED,
            "shop/test_functions.py": PYTEST,
            "pytest.ini": "[pytest]\npython_files = tests.py test_*.py\n",
        }
    )
    real.things.insert_one({"_id": "real"})
    return project


def left_over(real: Database[dict[str, Any]]) -> list[str]:
    names = real.client.list_database_names()
    return sorted(name for name in names if real.name in name and name != real.name)


@pytest.mark.parametrize(
    "arguments",
    [
        DJANGO,
        (*DJANGO, "--parallel", "2"),
        (*DJANGO, "--reverse"),
        ("django", "test", "shop.tests.Flushed", "--noinput"),
        PYTEST_DJANGO,
        (*PYTEST_DJANGO, "-n", "2"),
    ],
    ids=["runner", "parallel", "reverse", "flushed alone", "pytest", "xdist"],
)
def test_each_test_finds_the_database_as_it_was_made(
    shop: Project, real: Database[dict[str, Any]], arguments: tuple[str, ...]
) -> None:
    succeeded(shop.run(*arguments))
    assert left_over(real) == []
    assert [one["_id"] for one in real.things.find()] == ["real"]
    assert real.list_collection_names() == ["things"]


@pytest.mark.parametrize("more", [(), ("--parallel", "2")], ids=["runner", "parallel"])
def test_serialized_rollback_restores_what_migrations_made(
    shop: Project, real: Database[dict[str, Any]], more: tuple[str, ...]
) -> None:
    succeeded(shop.run("django", "test", "shop.serialized", "--noinput", *more))
    assert left_over(real) == []


def test_a_database_can_be_kept(shop: Project, real: Database[dict[str, Any]]) -> None:
    for arguments in (DJANGO, PYTEST_DJANGO):
        keep = "--keepdb" if arguments is DJANGO else "--reuse-db"
        where = "shop.tests.RolledBack" if arguments is DJANGO else "shop/tests.py::RolledBack"
        base = [one for one in arguments if one != "shop.tests"]
        for _ in range(2):
            succeeded(shop.run(*base, where, keep))
        assert left_over(real) == [f"test_{real.name}"]


def test_a_database_that_a_run_left_is_replaced(
    shop: Project, real: Database[dict[str, Any]]
) -> None:
    real.client[f"test_{real.name}"].shop_shelf.insert_one({"name": "left"})
    succeeded(shop.run(*DJANGO))
    assert left_over(real) == []


def test_parallel_workers_share_no_database(shop: Project, real: Database[dict[str, Any]]) -> None:
    shop.write(
        {
            "shop/tests.py": """
                from django.db import connection
                from django.test import TestCase


                class One(TestCase):
                    def test_name(self):
                        print("in", connection.database.name, connection.database.kinds.find_one())


                class Two(One):
                    pass


                class Three(One):
                    pass


                class Four(One):
                    pass
            """
        }
    )
    out = succeeded(shop.run(*DJANGO, "--parallel", "2"))
    names = set(re.findall(r"in (\S+) \{'_id': 'tool'\}", out))
    assert names <= {f"test_{real.name}_1", f"test_{real.name}_2"}
    assert names
    assert left_over(real) == []
