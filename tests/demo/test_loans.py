"""The loan pages: a hand-over happens completely or not at all, on both stacks."""

from __future__ import annotations

from typing import Any

import pytest

from tests.demo.conftest import Demo

VISIT = """
import asyncio, datetime as dt
from decimal import Decimal
from django.conf import settings
from django.test import AsyncClient, Client
from demo_project.archive.lending import LEDGER
from demo_project.archive.models import *
from djongo_services.connections import connections

database = connections["default"].database
settings.ALLOWED_HOSTS = ["testserver"]

class Both:
    def __init__(self, is_async):
        self.is_async = is_async

    def request(self, method, path, **options):
        if not self.is_async:
            client = Client(raise_request_exception=False)
            return getattr(client, method)(path, **options)
        return asyncio.run(self.arequest(method, path, **options))

    async def arequest(self, method, path, **options):
        client = AsyncClient(raise_request_exception=False)
        try:
            return await getattr(client, method)(path, **options)
        finally:
            await connections["default"].aclose()

def state():
    loans = Loan.objects.filter(pk=loan.pk) | Loan.objects.filter(code__startswith="H-")
    return {
        "loans": sorted([each.returned_on is None, str(each.deposit)] for each in loans),
        "ledger": [[entry["from"], str(entry["deposit"])] for entry in database[LEDGER].find()],
    }

def new_loan():
    return Loan.objects.create(
        code="TEST-1", medium=some.medium, borrower=some.borrower, deposit=Decimal("25.00"),
        lent_on=dt.date(2024, 1, 1), due_on=dt.date(2024, 2, 1))

def clean():
    Loan.objects.filter(code="TEST-1").delete()
    Loan.objects.filter(code__startswith="H-").delete()
    database[LEDGER].drop()

some = Loan.objects.first()
borrower = Person.objects.exclude(pk=some.borrower_id).first()
result = {}
for stack in ("sync", "async"):
    site = Both(stack == "async")
    for variant in ("", "async/"):
        loan = new_loan()
        form = {"borrower": borrower.slug}
        steps = []
        steps.append(["before", 200, state()])
        for path in (f"fail/{variant}", f"hand-over/{variant}", f"hand-over/{variant}"):
            response = site.request("post", f"/loans/{loan.pk}/{path}", data=form)
            steps.append([path, response.status_code, state()])
        page = site.request("get", f"/loans/{loan.pk}/")
        steps.append(["page", page.status_code, "returned on" in page.content.decode()])
        steps.append(["list", site.request("get", "/loans/").status_code, None])
        steps.append(["get", site.request("get", f"/loans/{loan.pk}/hand-over/").status_code, None])
        nobody = site.request("post", f"/loans/{loan.pk}/hand-over/", data={"borrower": "nobody"})
        steps.append(["nobody", nobody.status_code, None])
        result[f"{stack} stack, {variant or 'sync/'} view"] = steps
        clean()
result["open"] = database.client.admin.command("serverStatus")["transactions"]["currentOpen"]
"""

NOTHING: dict[str, Any] = {"loans": [[True, "25.00"]], "ledger": []}
HANDED_OVER = {"loans": [[False, "0"], [True, "25.00"]], "ledger": [["TEST-1", "25.00"]]}


@pytest.fixture(scope="module")
def visits(demo: Demo) -> dict[str, Any]:
    visited: dict[str, Any] = demo.run(VISIT)
    return visited


@pytest.mark.parametrize("stack", ["sync", "async"])
@pytest.mark.parametrize("view", ["sync/", "async/"])
def test_all_of_a_hand_over_or_none_of_it(visits: dict[str, Any], stack: str, view: str) -> None:
    variant = "" if view == "sync/" else view
    assert visits[f"{stack} stack, {view} view"] == [
        ["before", 200, NOTHING],
        [f"fail/{variant}", 500, NOTHING],
        [f"hand-over/{variant}", 302, HANDED_OVER],
        [f"hand-over/{variant}", 404, HANDED_OVER],
        ["page", 200, True],
        ["list", 200, None],
        ["get", 405, None],
        ["nobody", 404, None],
    ]


def test_no_transaction_remains(visits: dict[str, Any]) -> None:
    assert visits["open"] == 0


ADMIN = """
from unittest import mock
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.test import Client
from demo_project.archive.models import Person

user = get_user_model()(username="librarian", is_staff=True, is_superuser=True)
user.set_unusable_password(); user.save()
client = Client(HTTP_HOST="localhost", raise_request_exception=False)
client.force_login(user)
form = {"name": "Ida Test", "slug": "ida-test", "email": "ida@test.example", "role": "visitor",
    "joined_on": "2024-01-01", "languages": "de"}
counts = lambda: [Person.objects.filter(slug="ida-test").count(), LogEntry.objects.count()]
before = counts()

def fail(*arguments, **options):
    raise RuntimeError("the log cannot be written")

from demo_project.archive.admin import PersonAdmin
with mock.patch.object(PersonAdmin, "log_addition", fail):
    failed = client.post("/admin/archive/person/add/", form).status_code
after_failure = counts()
saved = client.post("/admin/archive/person/add/", form).status_code
result = {"before": before, "failed": failed, "after_failure": after_failure, "saved": saved,
    "after": counts()}
Person.objects.filter(slug="ida-test").delete()
LogEntry.objects.all().delete()
user.delete()
"""


def test_what_the_admin_saves_and_logs_is_one(demo: Demo) -> None:
    found = demo.run(ADMIN)
    people, entries = found["before"]
    assert (found["failed"], found["after_failure"]) == (500, [people, entries])
    assert (found["saved"], found["after"]) == (302, [people + 1, entries + 1])
