"""Tests of a project whose ORM is on SQL: run by Django's runner and by pytest-django."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient

from tests.processes import python_path

ROOT = Path(__file__).parents[2]

SETTINGS = """
    import os

    SECRET_KEY = "x"
    USE_TZ = True
    DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
    INSTALLED_APPS = [
        "django.contrib.contenttypes", "django.contrib.auth", "djongo_services", "shop",
    ]
    DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "db.sqlite3"}}
    DJONGO_SERVICES = {
        "CONNECTIONS": {
            "default": {"HOST": os.environ["URI"], "NAME": os.environ["NAME"]},
            "mirror": {
                "HOST": os.environ["URI"], "NAME": "elsewhere", "TEST": {"MIRROR": "default"},
            },
        },
    }
"""
MIGRATION = """
    from django.db import migrations
    from djongo_services.connections import connections


    def fill(apps, schema_editor):
        connections["default"].database.kinds.insert_one({"_id": "tool"})
        connections["default"].database.create_collection("seen", viewOn="kinds", pipeline=[])


    class Migration(migrations.Migration):
        operations = [migrations.RunPython(fill, migrations.RunPython.noop)]
"""
TESTS = """
    from django.contrib.auth.models import User
    from django.test import TestCase, TransactionTestCase

    from djongo_services.connections import connections
    from djongo_services.transaction import atomic


    def things():
        return connections["default"].database.things


    def kinds():
        return [one["_id"] for one in connections["default"].database.kinds.find()]


    class WithData(TestCase):
        @classmethod
        def setUpTestData(cls):
            things().insert_one({"_id": "of the class"})
            User.objects.create(username="u")

        def look_and_change(self):
            found = [one["_id"] for one in things().find()]
            assert found == ["of the class"], found
            assert kinds() == ["tool"], kinds()
            assert User.objects.count() == 1
            with atomic():
                things().insert_one({"_id": "of a test"})
            things().update_one({"_id": "of the class"}, {"$set": {"changed": True}})
            connections["default"].database.kinds.delete_many({})
            connections["default"].database.create_collection("made")
            assert connections["mirror"].database.name == connections["default"].database.name

        def test_one(self):
            self.look_and_change()

        def test_two(self):
            self.look_and_change()
            assert "changed" in things().find_one({"_id": "of the class"})

        def test_three(self):
            assert "changed" not in things().find_one({"_id": "of the class"})


    class Without(TestCase):
        def test_nothing_is_left(self):
            assert things().find_one() is None
            assert kinds() == ["tool"], kinds()
            assert "made" not in connections["default"].database.list_collection_names()
            assert [one["_id"] for one in connections["default"].database.seen.find()] == ["tool"]


    class Flushed(TransactionTestCase):
        def change(self):
            assert things().find_one() is None
            things().insert_one({})

        def test_one(self):
            self.change()

        def test_two(self):
            self.change()


    class NameTests(TestCase):
        def test_name(self):
            assert connections["default"].database.name.startswith("test_")
"""
PYTEST = """
    import pytest
    from djongo_services.connections import connections

    @pytest.mark.django_db
    @pytest.mark.parametrize("n", range(3))
    def test_function(n):
        assert connections["default"].database.things.find_one() is None
        connections["default"].database.things.insert_one({})

    @pytest.mark.django_db(transaction=True)
    @pytest.mark.parametrize("n", range(2))
    def test_flushed(n):
        assert connections["default"].database.things.find_one() is None
        connections["default"].database.things.insert_one({})
"""

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def real(mongodb_server: Any) -> Iterator[Any]:
    """The project's real database, with one document that no test may see or touch."""
    with MongoClient[Any](mongodb_server.uri) as client:
        database = client[f"shop_{uuid.uuid4().hex[:12]}"]
        database.things.insert_one({"_id": "real"})
        yield database
        assert [one["_id"] for one in database.things.find()] == ["real"]
        assert database.list_collection_names() == ["things"]
        for name in client.list_database_names():
            if database.name in name:
                client.drop_database(name)


@pytest.fixture
def run(tmp_path: Path, real: Any, mongodb_server: Any) -> Run:
    files = {
        "settings.py": SETTINGS,
        "shop/__init__.py": "",
        "shop/models.py": "",
        "shop/migrations/__init__.py": "",
        "shop/migrations/0001_initial.py": MIGRATION,
        "shop/tests.py": TESTS,
        "shop/test_functions.py": PYTEST,
        "pytest.ini": "[pytest]\npython_files = tests.py test_*.py\n",
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))

    def process(*arguments: str, uri: str = mongodb_server.uri) -> Any:
        environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "settings",
            "PYTHONPATH": python_path(tmp_path),
            "URI": uri,
            "NAME": real.name,
        }
        environment.pop("PYTEST_XDIST_WORKER", None)
        environment.pop("PYTEST_ADDOPTS", None)
        return subprocess.run(
            [sys.executable, "-m", *arguments],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
            stdin=subprocess.DEVNULL,
        )

    return process


def left_over(real: Any) -> list[str]:
    """Databases of tests that are still there."""
    names = real.client.list_database_names()
    return sorted(name for name in names if real.name in name and name != real.name)


DJANGO = ("django", "test", "shop.tests", "--noinput")
PYTEST_DJANGO = ("pytest", "-q", "-p", "no:cacheprovider")


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
def test_tests_have_a_database_of_their_own(run: Run, real: Any, arguments: Any) -> None:
    done = run(*arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    assert left_over(real) == []


def test_what_an_earlier_run_left_is_replaced(run: Run, real: Any) -> None:
    left = real.client[f"test_{real.name}"]
    left.things.insert_one({"_id": "left"})
    done = run(*DJANGO)
    assert done.returncode == 0, done.stdout + done.stderr
    assert left_over(real) == []


def test_the_user_is_asked_before_a_database_is_replaced(run: Run, real: Any) -> None:
    left = real.client[f"test_{real.name}"]
    left.things.insert_one({"_id": "left"})
    done = run("django", "test", "shop.tests")
    assert f"deleting the MongoDB test database '{left.name}'" in done.stdout
    assert done.returncode != 0
    assert left.things.count_documents({}) == 1


@pytest.mark.parametrize("orm", ["None", "'kept.sqlite3'"], ids=["in memory", "kept"])
@pytest.mark.parametrize(
    "arguments",
    [(*DJANGO, "--keepdb"), (*PYTEST_DJANGO, "--reuse-db", "shop/tests.py")],
    ids=["runner", "pytest"],
)
def test_a_database_can_be_kept(
    run: Run, real: Any, tmp_path: Path, arguments: Any, orm: str
) -> None:
    (tmp_path / "settings.py").write_text(
        (tmp_path / "settings.py").read_text()
        + f"DATABASES['default']['TEST'] = {{'NAME': {orm}}}\n"
    )
    for _ in range(2):
        done = run(*arguments)
        assert done.returncode == 0, done.stdout + done.stderr
    kept = real.client[f"test_{real.name}"]
    assert [one["_id"] for one in kept.kinds.find()] == ["tool"]
    assert kept.things.find_one() is None
    assert left_over(real) == [kept.name]


def test_tests_that_need_no_server_run_without_one(run: Run, tmp_path: Path, real: Any) -> None:
    (tmp_path / "shop" / "migrations" / "0001_initial.py").unlink()
    (tmp_path / "shop" / "tests.py").write_text(
        textwrap.dedent(
            """
            from django.contrib.auth.models import User
            from django.test import TestCase

            class Alone(TestCase):
                def test_orm(self):
                    User.objects.create(username="u")
            """
        )
    )
    done = run(*DJANGO, uri="mongodb://127.0.0.1:9/")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "test database of the MongoDB connection 'default' cannot be prepared" in done.stderr


def test_a_run_that_would_use_the_real_database_is_warned_of(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "settings.py"
    text = path.read_text().replace('"NAME": os.environ["NAME"]}', '"NAME": "test_it"}')
    path.write_text(text)
    done = run("django", "check")
    assert "djongo_services.W015" in done.stderr
    assert "Tests would use the database 'test_it' of the connection 'default'" in done.stderr


@pytest.mark.parametrize(
    ("replaced", "names"),
    [
        (
            "from django.test import runner\nrunner._setup_databases = lambda *a, **k: []\n"
            "runner._teardown_databases = lambda *a, **k: None",
            "django.test.runner._setup_databases, django.test.runner._teardown_databases",
        ),
        (
            "from django.test import TestCase\n"
            "TestCase._enter_atomics = classmethod(lambda cls: {})\n"
            "TestCase._rollback_atomics = classmethod(lambda cls, atomics: None)",
            "django.test.testcases.TestCase._enter_atomics, "
            "django.test.testcases.TestCase._rollback_atomics",
        ),
    ],
    ids=["runner", "cases"],
)
def test_a_project_that_replaces_functions_of_tests_is_warned(
    run: Run, tmp_path: Path, replaced: str, names: str
) -> None:
    (tmp_path / "shop" / "tests.py").write_text(
        f"{replaced}\nfrom django.test import SimpleTestCase\n\n\n"
        "class Nothing(SimpleTestCase):\n    def test_it(self):\n        pass\n"
    )
    done = run(*DJANGO)
    assert "djongo_services.W016" in done.stderr, done.stderr
    assert f"These were replaced after django.setup(): {names}. " in done.stderr
