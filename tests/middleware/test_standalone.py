"""Behind a server without transactions: refused, or atomic by single documents."""

from __future__ import annotations

from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse
from django.urls import path
from pymongo import MongoClient

from djongo_services.connections import connections
from djongo_services.transaction import on_commit, on_rollback
from tests.middleware import views
from tests.middleware.conftest import OURS, Site
from tests.middleware.views import athings, things
from tests.transaction.test_standalone import standalone

__all__ = ["standalone"]


@pytest.fixture(params=["sync", "async"])
def site(request: pytest.FixtureRequest, settings: Any, standalone: str) -> Any:
    settings.DJONGO_SERVICES = {
        "CONNECTIONS": {"default": {"HOST": standalone, "NAME": "test_standalone"}},
        "TRANSACTION": {"STANDALONE": "single-document"},
    }
    settings.MIDDLEWARE = [OURS]
    yield Site(settings, request.param)
    connections.close_all()
    with MongoClient[Any](standalone) as client:
        client.drop_database("test_standalone")


RAN: list[str] = []


def write(request: HttpRequest) -> HttpResponse:
    things().insert_one({})
    on_commit(lambda: RAN.append("commit"))
    on_rollback(lambda: RAN.append("rollback"))
    return HttpResponse(status=int(request.GET["status"]))


async def awrite(request: HttpRequest) -> HttpResponse:
    await athings().insert_one({})
    on_commit(lambda: RAN.append("commit"))
    on_rollback(lambda: RAN.append("rollback"))
    return HttpResponse(status=int(request.GET["status"]))


@pytest.mark.parametrize("view", [write, awrite])
def test_each_document_is_atomic_and_the_hooks_run_by_the_outcome(site: Site, view: Any) -> None:
    RAN.clear()
    site.serve(path("", view))
    assert site.post("/?status=200").status_code == 200
    assert site.post("/?status=500").status_code == 500
    assert RAN == ["commit", "rollback"]
    assert things().count_documents({}) == 2


@pytest.mark.parametrize("view", [views.write, views.awrite])
def test_a_view_that_writes_is_refused(site: Site, caplog: Any, view: Any) -> None:
    site.settings.DJONGO_SERVICES = {
        "CONNECTIONS": site.settings.DJONGO_SERVICES["CONNECTIONS"],
        "TRANSACTION": {"STANDALONE": "error"},
    }
    site.serve(path("", view), path("empty", views.empty), path("read", views.read))
    assert site.post("/").status_code == 500
    assert "is standalone, so atomic() cannot begin a transaction" in caplog.text
    assert site.post("/empty").status_code == 200
    assert site.get("/read").status_code == 200
    assert things().count_documents({}) == 0


def test_reads_that_are_to_be_of_one_moment_are_read_as_ever(site: Site) -> None:
    site.settings.DJONGO_SERVICES = {
        "CONNECTIONS": site.settings.DJONGO_SERVICES["CONNECTIONS"],
        "TRANSACTION": {"MIDDLEWARE": {"SAFE_METHODS": "snapshot"}},
    }
    site.serve(path("read", views.read))
    assert b'"count": 0' in site.get("/read").content
