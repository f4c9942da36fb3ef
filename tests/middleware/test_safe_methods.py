"""GET and HEAD: no transaction unless it is wanted, causally consistent, or of one moment."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse
from django.urls import path
from pymongo import monitoring
from pymongo.database import Database

from djongo_services.connections import connections
from djongo_services.transaction import in_atomic_block
from djongo_services.transaction.causal_consistency import CLOCKS
from tests.middleware import views
from tests.middleware.conftest import Site
from tests.middleware.views import calling, things
from tests.transaction.conftest import entry


class Commands(monitoring.CommandListener):
    """The commands that were sent for the collection ``things``, and how transactions ended."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        if event.command_name in ("commitTransaction", "abortTransaction", "getMore") or (
            event.command.get(event.command_name) == "things"
        ):
            self.sent.append(dict(event.command))

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        pass

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        pass

    @property
    def names(self) -> list[str]:
        return [next(iter(command)) for command in self.sent]


@pytest.fixture
def commands(settings: Any, configured: None, database: Database[Any]) -> Commands:
    listener = Commands()
    settings.DJONGO_SERVICES = {
        "CONNECTIONS": {
            "default": entry(database, event_listeners=[listener]),
            "second": {**entry(database), "NAME": f"{database.name}_2"},
        }
    }
    return listener


@pytest.mark.parametrize("method", ["get", "head", "options", "trace"])
def test_a_safe_method_has_no_transaction(
    each_site: Site, commands: Commands, written: Callable[..., int], method: str
) -> None:
    seen: list[bool] = []

    def work(request: HttpRequest) -> HttpResponse:
        seen.append(in_atomic_block())
        things().insert_one({})
        return HttpResponse(status=500)

    each_site.serve(path("", calling(work)))
    each_site.request(method, "/")
    assert seen == [False]
    assert written() == 1
    assert commands.names == ["insert"]
    assert "autocommit" not in commands.sent[0]


def test_its_operations_are_causally_consistent(each_site: Site, commands: Commands) -> None:
    def work(request: HttpRequest) -> None:
        things().insert_one({})
        things().find_one()
        things().count_documents({})

    each_site.serve(path("", calling(work)))
    each_site.get("/")
    insert, find, aggregate = commands.sent
    assert "readConcern" not in insert
    first = find["readConcern"]["afterClusterTime"]
    assert aggregate["readConcern"]["afterClusterTime"] >= first
    commands.sent.clear()
    things().find_one()
    assert "readConcern" not in commands.sent[0]
    assert CLOCKS.get() is None


def test_a_transaction_takes_part_in_the_session(site: Site, commands: Commands) -> None:
    from djongo_services.transaction import atomic

    def work(request: HttpRequest) -> None:
        things().find_one()
        with atomic():
            things().insert_one({})
        things().find_one()

    site.serve(path("", calling(work)))
    site.get("/")
    before, insert, _, after = commands.sent
    assert "readConcern" not in before
    assert insert["readConcern"]["afterClusterTime"] is not None
    assert after["readConcern"]["afterClusterTime"] > insert["readConcern"]["afterClusterTime"]


def test_wanted_as_transactions(each_site: Site, commands: Commands) -> None:
    each_site.configure(SAFE_METHODS="transaction")
    each_site.serve(path("", views.read))
    assert b'"atomic": true' in each_site.get("/").content
    # A transaction that only read ends without a commit.
    assert commands.names == ["aggregate", "abortTransaction"]


def test_reads_of_one_moment(each_site: Site, commands: Commands, database: Any) -> None:
    views.things().insert_many([{"n": number} for number in range(300)])
    commands.sent.clear()
    counts: list[int] = []

    def work(request: HttpRequest) -> None:
        for _ in range(2):
            counts.append(len(list(things().find(batch_size=50))))
            counts.append(things().count_documents({}))
            counts.append(len(things().distinct("_id")))
            database.things.insert_one({"by": "somebody else"})

    each_site.configure(SAFE_METHODS="snapshot")
    each_site.serve(path("", calling(work)))
    assert each_site.get("/").status_code == 200
    assert counts == [301] * 6
    concerns = [
        command["readConcern"] for command in commands.sent if next(iter(command)) != "getMore"
    ]
    assert {concern["level"] for concern in concerns} == {"snapshot"}
    assert len({concern["atClusterTime"] for concern in concerns[1:]}) == 1


def test_a_snapshot_does_not_hide_the_requests_own_writes(
    each_site: Site, commands: Commands
) -> None:
    def work(request: HttpRequest) -> str:
        before = things().count_documents({})
        things().insert_one({})
        things().update_one({}, {"$set": {"a": 1}})
        return f"{before} {things().count_documents({})} {things().estimated_document_count()}"

    each_site.configure(ALIASES={"default": {"SAFE_METHODS": "snapshot"}})
    each_site.serve(path("", calling(work)))
    assert each_site.get("/").content == b"1 2 2"


def test_a_server_without_snapshots_is_read_as_ever(
    settings: Any, matrix_database: Database[Any], database: Database[Any]
) -> None:
    listener = Commands()
    settings.DJONGO_SERVICES = {
        "CONNECTIONS": {"default": entry(matrix_database, event_listeners=[listener])}
    }
    site = Site(settings)
    site.configure(SAFE_METHODS="snapshot")
    site.use()
    site.serve(path("", views.read), path("write", views.write))
    try:
        assert site.post("/write").status_code == 200
        listener.sent.clear()
        assert b'"count": 1' in site.get("/").content
        version = matrix_database.client.server_info()["versionArray"][:2]
        level = listener.sent[0].get("readConcern", {}).get("level")
        assert level == ("snapshot" if version >= [5, 0] else None)
    finally:
        connections.close_all()


def test_operations_of_one_request_may_run_at_once(each_site: Site) -> None:
    """They share the session's times, never a server session."""
    import asyncio

    async def work(request: HttpRequest) -> HttpResponse:
        collection = views.athings()
        await asyncio.gather(*[collection.insert_one({"n": number}) for number in range(30)])
        await asyncio.gather(*[asyncio.to_thread(things().insert_one, {}) for _ in range(10)])
        return HttpResponse(str(await collection.count_documents({})))

    each_site.serve(path("", work))
    assert each_site.get("/").content == b"41"


def test_an_unacknowledged_write_is_let_through(site: Site, database: Any) -> None:
    from pymongo import WriteConcern

    def work(request: HttpRequest) -> None:
        things().with_options(write_concern=WriteConcern(w=0)).insert_one({"_id": "w0"})

    site.serve(path("", calling(work)))
    assert site.get("/").status_code == 200
    assert site.post("/").status_code == 500
