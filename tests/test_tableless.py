"""Code that reads all models finds no rows of the admin's own models, which have no table."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conftest import RunDjango

NEVER_ASKED = """
import asyncio, pickle
from django.apps import apps
from django.db import connections
from django.db.models import Count, Max
from django.db.models.functions import Lower

async def asynchronous(rows):
    assert [row async for row in rows.all()] == []
    assert (await rows.acount(), await rows.aexists(), await rows.afirst()) == (0, False, None)
    assert await rows.ain_bulk(["a"]) == {}
    assert await rows.aaggregate(n=Count("pk")) == {"n": 0}
    assert await rows.filter(pk="a").adelete() == (0, {})

def nothing(rows):
    assert list(rows.all()) == list(rows.order_by("pk").iterator(chunk_size=10)) == []
    assert (rows.count(), rows.exists(), rows.first(), rows.last()) == (0, False, None, None)
    assert list(rows.exclude(pk="a").values_list("pk")[:3]) == []
    assert list(rows.all().union(rows.filter(pk="a"))) == []
    assert list(rows.select_related().annotate(n=Count("pk")).filter(n__gt=0).distinct()) == []
    assert rows.in_bulk(["a"]) == {} and rows.in_bulk() == {}
    assert rows.aggregate(n=Count("pk"), m=Max("pk")) == {"n": 0, "m": None}
    assert rows.aggregate(n=Lower(Max("pk"))) == {"n": None}
    assert rows.values("pk").distinct().aggregate(n=Lower(Max("pk"))) == {"n": None}
    assert rows.filter(pk="a").update(key="b") == 0
    assert rows.all().delete() == (0, {})
    assert rows.bulk_create([]) == [] and rows.bulk_update([], ["key"]) == 0
    again = rows.model.objects.none()
    again.query = pickle.loads(pickle.dumps(rows.all().query))
    assert list(again) == [] and again.count() == 0
    try:
        rows.get(pk="a")
    except rows.model.DoesNotExist:
        pass
    asyncio.run(asynchronous(rows))

def refused(rows):
    model = rows.model
    one = model(pk="a")
    for call in (
        one.save, one.delete, lambda: one.save_base(raw=True), lambda: rows.create(pk="a"),
        lambda: rows.bulk_create([one]), lambda: rows.get_or_create(pk="a"),
        lambda: rows.update_or_create(pk="a"), lambda: rows.bulk_update([one], []),
        lambda: rows.raw("SELECT 1"), lambda: asyncio.run(one.asave()),
        lambda: asyncio.run(one.adelete()), lambda: asyncio.run(rows.acreate(pk="a")),
    ):
        try:
            call()
        except Exception as error:
            assert type(error).__name__ == "NotSupportedError", repr(error)
            said.add(str(error))
        else:
            raise AssertionError(call)

said = set()
models = list(apps.get_app_config("djongo_services").get_models())
for model in models:
    for manager in (model._default_manager, model._base_manager):
        nothing(manager)
        nothing(manager.using("second" if "second" in connections else "default").filter(pk="a"))
for alias in connections:
    assert connections[alias].connection is None, alias
for model in models:
    refused(model._default_manager)
print(len(models), *sorted(said), sep="\\n")
"""
SAID = (
    "djongo_services.{} has no table and no collection; it represents pages of the admin. "
    "Exclude it from what is saved or deleted."
)


@pytest.mark.usefixtures("mongodb_server")
@pytest.mark.parametrize("kind", ["manage", "django_sql"])
def test_no_database_is_asked(kind: str, request: pytest.FixtureRequest) -> None:
    run: RunDjango = request.getfixturevalue(kind)
    done = run(code=NEVER_ASKED)

    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "3",
        *(SAID.format(name) for name in ("Collection", "File", "Transaction")),
    ]


KIND_B = "tests.admin.settings_sql"


@pytest.fixture
def project_b(tmp_path: Path) -> dict[str, str]:
    """The environment of a project of kind B with the admin, whose database is a file."""
    return {"TABLELESS_TEST_DATABASE": str(tmp_path / "db.sqlite3")}


EVERYTHING = """
import io, json
from django.conf import settings
settings.DATABASES["default"]["NAME"] = __import__("os").environ["TABLELESS_TEST_DATABASE"]
from django.core.management import call_command
from django.db import connection
call_command("migrate", run_syncdb=True, verbosity=0)
from django.apps import apps
from django.contrib.auth.models import User
User.objects.create_user("ann")
path = settings.DATABASES["default"]["NAME"] + ".json"
call_command("dumpdata", output=path)
call_command("dumpdata", use_base_manager=True, natural_foreign=True, output=path + "2")
for each in (path, path + "2"):
    with open(each) as file:
        entries = json.load(file)
    assert ["ann"] == [e["fields"]["username"] for e in entries if e["model"] == "auth.user"]
    assert not [e for e in entries if e["model"].startswith("djongo_services.")]
User.objects.all().delete()
call_command("loaddata", path, verbosity=0)
assert User.objects.get().username == "ann"
for model in apps.get_models(include_auto_created=True):
    list(model._default_manager.all()), list(model._base_manager.all())
text = io.StringIO()
call_command("sqlflush", stdout=text)
assert "djongo_services" not in text.getvalue(), text.getvalue()
connection.creation.deserialize_db_from_string(connection.creation.serialize_db_to_string())
call_command("createcachetable", "cached", verbosity=0)
call_command("check", databases=["default"])
call_command("makemigrations", check_changes=True, dry_run=True, verbosity=0)
call_command("remove_stale_contenttypes", interactive=False, verbosity=0)
call_command("flush", interactive=False, verbosity=0)
with open(path, "w") as file:
    json.dump([{"model": "djongo_services.collection", "pk": "a", "fields": {}}], file)
try:
    call_command("loaddata", path, verbosity=0)
except Exception as error:
    print(type(error).__name__, str(error).split("): ", 1)[1])
"""


def test_what_reads_all_models_of_a_sql_project(
    django_sql: RunDjango, project_b: dict[str, str]
) -> None:
    done = django_sql(code=EVERYTHING, settings=KIND_B, env=project_b, timeout=180)

    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == f"NotSupportedError {SAID.format('Collection')}"


def test_dumpdata_of_a_project_on_mongodb(manage: RunDjango) -> None:
    done = manage("dumpdata", "djongo_services", "contenttypes", timeout=180)

    assert done.returncode == 0, done.stderr
    assert not [e for e in json.loads(done.stdout) if e["model"].startswith("djongo_services.")]
