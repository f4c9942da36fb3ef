"""The index classes by themselves: arguments, migrations, SQL databases, checks."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any, cast

import pytest
from django.db import connection, models
from django.db.migrations.writer import MigrationWriter
from django.db.models import Q
from django.test.utils import isolate_apps

from djongo_services.indexes import (
    GeoIndex,
    HashedIndex,
    MongoIndex,
    SparseIndex,
    TextIndex,
    TTLIndex,
    UniqueIndex,
    WildcardIndex,
)
from tests.processes import python_path
from tests.schema.apps.target.models import Site

EXAMPLES = [
    *Site._meta.indexes,
    GeoIndex(fields=["p"], kind="2d", min=-10, max=0, name="zero_is_kept"),
    UniqueIndex(fields=["p"], nulls_distinct=False, name="no_nulls"),
    TTLIndex(fields=["p"], expire_after=0, name="at_once"),
]


class TestMigrations:
    @pytest.mark.parametrize("index", EXAMPLES, ids=lambda index: index.name)
    def test_an_index_survives_being_written_and_read(self, index):
        text, imports = MigrationWriter.serialize(index)
        scope: dict[str, Any] = {}
        exec("\n".join(imports), scope)
        again = eval(text, scope)
        assert again == index
        assert again.deconstruct() == index.deconstruct()
        assert index.clone() == index

    def test_names_come_from_the_paths(self):
        one, other = MongoIndex(fields=["data.a"]), MongoIndex(fields=["data.b"])
        for index in (one, other):
            index.set_name_with_model(Site)
        assert one.name != other.name
        assert one.name.startswith("target_site_data_")
        assert len(one.name) <= 30

    def test_a_span_becomes_seconds(self):
        assert TTLIndex(fields=["p"], expire_after=dt.timedelta(hours=1)).expire_after == 3600


class TestArguments:
    @pytest.mark.parametrize(
        ("make", "said"),
        [
            (lambda: TTLIndex(fields=["a", "b"], expire_after=1), "exactly one field"),
            (lambda: TTLIndex(fields=["a"], expire_after=-1), "0 to 2,147,483,647 seconds"),
            (
                lambda: TTLIndex(fields=["a"], expire_after=cast("int", 1.5)),
                "0 to 2,147,483,647 seconds",
            ),
            (lambda: TTLIndex(fields=["a"], expire_after=True), "0 to 2,147,483,647 seconds"),
            (lambda: TextIndex(fields=["a"], weights={"b": 1}), "'b', which is not in fields"),
            (lambda: TextIndex(fields=["a"], weights={"a": 0}), "must be 1 to 99,999, not 0"),
            (lambda: TextIndex(fields=["-a"]), "no descending order"),
            (lambda: TextIndex(), "at least one field"),
            (lambda: TextIndex(fields=["a"], collation={"locale": "en"}), "no collation"),
            (lambda: GeoIndex(fields=["a"], kind="3d"), "2dsphere or 2d, not '3d'"),
            (lambda: GeoIndex(fields=["a"], bits=3), "are for 2d"),
            (lambda: GeoIndex(fields=["a"], kind="2d", bits=33), "bits must be 1 to 32"),
            (
                lambda: GeoIndex(fields=["a"], kind="2d", collation={"locale": "en"}),
                "no collation",
            ),
            (lambda: WildcardIndex(fields=["a", "b"]), "one field at most"),
            (lambda: WildcardIndex(fields=["a"], projection={"b": True}), "whole documents"),
            (lambda: WildcardIndex(projection={"a": True, "b": False}), "includes or excludes"),
            (lambda: SparseIndex(fields=["a"], condition=Q(a=1), name="x"), "sparse and partial"),
            (lambda: MongoIndex(fields=["a"], collation={"strength": 1}), 'needs a "locale"'),
            (
                lambda: MongoIndex(fields=["a"], hidden=cast("bool", 1)),
                "hidden must be True or False",
            ),
            (lambda: MongoIndex(fields=["a"], condition=Q(a=1)), "must be named"),
        ],
    )
    def test_wrong_ones_are_refused_with_a_reason(self, make, said):
        with pytest.raises(ValueError, match=said):
            make()


class TestChecks:
    def problems(self, *indexes: models.Index) -> list[str]:
        with isolate_apps("tests.schema.apps.target"):

            class Thing(models.Model):
                name = models.CharField(max_length=9)
                tags = cast("models.Field[Any, Any]", Site._meta.get_field("tags")).clone()
                when = models.DateField(null=True)

                class Meta:
                    app_label = "target"

            Thing._meta.indexes = list(indexes)
            for index in indexes:
                if not index.name:
                    index.set_name_with_model(Thing)
            return [error.msg for index in indexes for error in index.check(Thing, connection)]

    @pytest.mark.parametrize(
        ("index", "said"),
        [
            (TTLIndex(fields=["name"], expire_after=1), "name contains no dates"),
            (TTLIndex(fields=["pk"], expire_after=1), "_id cannot expire"),
            (HashedIndex(fields=["tags"]), "tags is an array"),
            (MongoIndex(fields=["nothing"], name="n"), "no field named 'nothing'"),
            (MongoIndex(fields=["name"], name="n", condition=~Q(name="x")), "has no negation"),
            (
                MongoIndex(fields=["name"], name="n", condition=Q(name__contains="x")),
                "no form of the lookup 'contains'",
            ),
        ],
    )
    def test_what_mongodb_would_refuse(self, index, said):
        (problem,) = self.problems(index)
        assert said in problem

    def test_a_second_text_index(self):
        first = TextIndex(fields=["name"], name="first")
        (problem,) = self.problems(first, TextIndex(fields=["name", "tags"], name="second"))
        assert problem == (
            "The index 'second': MongoDB has one text index for each collection; first is one."
        )

    def test_good_ones(self):
        assert [e for index in Site._meta.indexes for e in index.check(Site)] == []


PROJECT = {
    "settings.py": """
from tests.settings_sql import *
INSTALLED_APPS = ["django.contrib.contenttypes", "djongo_services", "plain"]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": DATABASE}}
DJONGO_SERVICES = {**DJONGO_SERVICES, "SCHEMA": {"MODELS": ["plain"]}}
""",
    "plain/__init__.py": "",
    "plain/models.py": """
import datetime as dt
from django.db import models
from django.db.models import Q
from djongo_services.indexes import TTLIndex, TextIndex, WildcardIndex, UniqueIndex, SparseIndex

class Thing(models.Model):
    name = models.CharField(max_length=9)
    when = models.DateField(null=True)
    data = models.JSONField(null=True)

    class Meta:
        indexes = [
            TTLIndex(fields=["when"], expire_after=dt.timedelta(days=1)),
            TextIndex(fields=["name"], weights={"name": 3}),
            WildcardIndex(),
            SparseIndex(fields=["data.a"], unique=True),
            UniqueIndex(fields=["name"], name="n", condition=Q(name__gt="m"), hidden=True),
        ]
""",
}


def test_sql_databases_carry_them_along(tmp_path, django_sql):
    """makemigrations, migrate, a changed index, sqlmigrate and back to nothing, on SQLite."""
    for name, text in PROJECT.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text.replace("DATABASE}", json.dumps(str(tmp_path / "db")) + "}"))

    def run(*commands: str, returns: int = 0) -> str:
        """Several commands in one process."""
        code = "from importlib import invalidate_caches\nfrom django.core.management import *\n"
        calls = [f"call_command(*{line.split()!r}); invalidate_caches()" for line in commands]
        environment = {
            "PYTHONPATH": python_path(tmp_path),
            "PYTHONWARNINGS": "ignore",
            # A file that changes within a second to one of the same size looks unchanged to it.
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        done = django_sql(code=code + "\n".join(calls), settings="settings", env=environment)
        assert done.returncode == returns, done.stderr
        return done.stdout + done.stderr

    run("makemigrations plain", "makemigrations plain --check", "migrate")
    models_file = tmp_path / "plain/models.py"
    models_file.write_text(models_file.read_text().replace("days=1", "days=2"))
    said = run(
        "makemigrations plain -n longer",
        "sqlmigrate plain 0002_longer",
        "migrate",
        "makemigrations plain --check",
        "migrate plain zero",
    )
    assert "SELECT 1;" in said
    models_file.write_text(models_file.read_text().replace('["when"]', '["name"]'))
    assert "djongo_services.E010" in run("check", returns=1)
    assert "djongo_services.E010" in run("check --database default", returns=1)
