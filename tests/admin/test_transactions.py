"""The page about transactions."""

from __future__ import annotations

from typing import Any

import pytest
from django.http import HttpResponse
from django.urls import path
from pymongo.errors import DuplicateKeyError

from tests.admin.conftest import Site
from tests.transaction.conftest import failing

PAGE = "transaction_changelist"


@pytest.fixture
def counted(root: Site, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Counters that begin with the test."""
    from djongo_services.admin import transaction_counters, transactions
    from djongo_services.transaction import transaction_finished, transaction_retried

    fresh = transaction_counters.Counters()
    monkeypatch.setattr(transaction_counters, "counters", fresh)
    monkeypatch.setattr(transactions, "counters", fresh)
    transaction_counters.count_transactions()
    yield fresh
    transaction_finished.disconnect(dispatch_uid="djongo_services.counting")
    transaction_retried.disconnect(dispatch_uid="djongo_services.counting")


def test_counters_outside_of_requests(root: Site, counted: Any) -> None:
    from djongo_services.transaction import atomic, run_in_transaction

    root.database.notes.insert_one({"_id": 1})

    def write(key: int = 2) -> None:
        from djongo_services.connections import connections

        connections["archive"].database.notes.insert_one({"_id": key})

    transient = {"errorCode": 112, "errorLabels": ["TransientTransactionError"]}
    with failing(root.database.client, "insert", times=1, **transient):
        run_in_transaction(write, using="archive")
    with pytest.raises(DuplicateKeyError), atomic("archive"):
        write(1)
    (count,) = counted.by_view("archive").values()
    assert (count.committed, count.rolled_back, count.retried) == (1, 2, 1)
    assert 0 < count.average <= count.slowest
    page = root.get(root.url(PAGE))
    assert "outside of requests" in page.text
    assert "1 Committed" in page.text or "Committed 1" in page.text


def test_counters_by_view(root: Site, counted: Any, project: Any) -> None:
    import types

    from djongo_services.connections import connections
    from tests.admin import urls

    def lend(request: Any) -> HttpResponse:
        connections["archive"].database.notes.insert_one({})
        return HttpResponse()

    module = types.ModuleType("urls_of_a_test")
    module.urlpatterns = [*urls.urlpatterns, path("lend/", lend, name="lend")]  # type: ignore[attr-defined]
    project.ROOT_URLCONF = module
    root.database.notes.insert_one({})
    assert root.post("/lend/").status == 200
    assert counted.by_view("archive")["lend"].committed == 1
    assert "lend" in root.get(root.url(PAGE)).text


def test_views_are_bounded(root: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    from djongo_services.admin import transaction_counters, transaction_minutes

    monkeypatch.setattr(transaction_counters, "MOST_VIEWS", 3)
    counters = transaction_counters.Counters()
    for number in range(10):
        counters.finished("default", f"view{number}", "committed", 0.5)
    found = counters.by_view("default")
    assert len(found) == 4
    assert found[transaction_minutes.OTHERS].committed == 7


def test_open_ones_with_their_age(root: Site, counted: Any) -> None:
    root.database.notes.insert_one({})
    with root.database.client.start_session() as session, session.start_transaction():
        root.database.notes.insert_one({"secret": "value"}, session=session)
        key = session.session_id["id"].as_uuid()
        page = root.get(root.url(PAGE))
        session.abort_transaction()
    assert "Age Active Now Client" in page.text
    assert str(key)[:8] in page.text
    assert "idle" in page.text
    assert "secret" not in page.html
    assert "The server ends a transaction after 60 s." in page.text
    assert "None." in root.get(root.url(PAGE)).text


def test_without_the_privilege_ones_own_are_shown(root: Site, counted: Any) -> None:
    refused = {"errorCode": 13, "namespace": "admin.$cmd.aggregate"}
    with failing(root.database.client, "aggregate", times=1, **refused):
        page = root.get(root.url(PAGE))
    assert "Only transactions of the connection's own user are shown" in page.text


def test_settings_in_force(root: Site, project: Any) -> None:
    project.DJONGO_SERVICES = {
        **project.DJONGO_SERVICES,
        "TRANSACTION": {"MAX_ATTEMPTS": 7, "MIDDLEWARE": {"ATTEMPTS": 3, "USING": ["archive"]}},
    }
    page = root.get(root.url(PAGE))
    assert "MAX_ATTEMPTS 7" in page.text
    assert " ATTEMPTS 3" in page.text
    assert "STANDALONE error" in page.text
    assert "SAFE_METHODS session" in page.text
    other = root.get(root.url(PAGE), connection="default")
    assert "Requests do not use this connection." in other.text
    project.MIDDLEWARE = [one for one in project.MIDDLEWARE if "djongo_services" not in one]
    assert "MongoTransactionMiddleware is not installed." in root.get(root.url(PAGE)).text
