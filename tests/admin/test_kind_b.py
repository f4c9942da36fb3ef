"""The pages of a project whose ORM is on SQL."""

from __future__ import annotations

from typing import Any

from pymongo.database import Database

from tests.conftest import RunDjango

CODE = """
import json
from django.contrib.auth.models import Permission, User
from django.core.management import call_command
from django.test import Client
call_command("migrate", verbosity=0)
ours = ["collection", "transaction"]
names = list(Permission.objects.filter(content_type__app_label="djongo_services",
                                       content_type__model__in=ours)
             .order_by("codename").values_list("codename", flat=True))
client = Client()
client.force_login(User.objects.create_superuser("root"))
one = "/admin/djongo_services/collection/archive_2Fnotes/"
from django.db import connection
from django.test.utils import CaptureQueriesContext
def get(path):
    with CaptureQueriesContext(connection) as queries:
        status = client.get(path).status_code
    most.append(len(queries))
    return status
most = []
statuses = [get(path) for path in (
    "/admin/", "/admin/djongo_services/collection/", one + "change/", one + "schema/",
    one + "documents/", one + "validator/", one + "plan/", one + "history/",
    "/admin/djongo_services/transaction/",
    "/admin/djongo_services/collection/plan/", "/admin/djongo_services/collection/runs/",
)]
from djongo_services.admin.indexes import digest_of
hidden = client.post(one + f"index/{digest_of('by_n')}/hide/").status_code
profiled = client.post(one + "schema/start/", {"depth": "sample"}).status_code
log = client.get(one + "history/").content.decode()
print(json.dumps([names, statuses, max(most), hidden, profiled, "hide index by_n" in log]))
"""


def test_pages_permissions_and_log(django_sql: RunDjango, database: Database[Any]) -> None:
    import json

    database.notes.insert_one({"n": 1})
    database.notes.create_index("n", name="by_n")
    done = django_sql(
        code=CODE,
        settings="tests.admin.settings_sql",
        env={"ADMIN_TEST_DATABASE": database.name},
    )
    assert done.returncode == 0, done.stderr
    names, statuses, queries, hidden, profiled, logged = json.loads(done.stdout.splitlines()[-1])
    assert names == [
        "change_collection",
        "delete_collection",
        "query_documents",
        "view_collection",
        "view_documents",
        "view_secrets",
        "view_transaction",
    ]
    assert statuses == [200] * 11
    assert queries <= 4  # the user, and on the history page the content type and the entries
    assert (hidden, profiled, logged) == (302, 302, True)
    assert database.notes.index_information()["by_n"]["hidden"]


def test_no_migration_is_wanted(django_sql: RunDjango) -> None:
    done = django_sql("makemigrations", "djongo_services", "--check", "--dry-run")
    assert done.returncode == 0, done.stdout


def test_without_the_admin_nothing_of_it_is_loaded(django_sql: RunDjango) -> None:
    done = django_sql(code="import sys; print('djongo_services.admin' in sys.modules)")
    assert done.stdout.strip() == "False"
