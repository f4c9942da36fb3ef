"""Servers that are down, slow, read-only or guarded: the page says so in place."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from djongo_services.embedded.addresses import free_port
from tests.admin.conftest import Page, Site
from tests.transaction.conftest import entry

PAGES = (
    "collection_changelist",
    "collection_whole_plan",
    "collection_runs",
    "transaction_changelist",
)
TABS = ("change", "schema", "validator", "plan")


def every_page(site: Site) -> list[Page]:
    found = [site.get(site.url(page)) for page in PAGES]
    return found + [site.get(site.collection("books", tab)) for tab in TABS]


@pytest.fixture
def fails(root: Site, connect: Callable[..., None]) -> Any:
    """``with fails("ping", blockTimeMS=...)``: the site's connection is treated like that."""
    name = root.database.name
    admin = root.database.client.admin

    @contextmanager
    def failing(*commands: str, mode: Any = "alwaysOn", **how: Any) -> Iterator[None]:
        is_slow = "blockTimeMS" in how
        connect(archive=entry(root.database, appName=name), patient=not is_slow)
        if is_slow:
            how["blockConnection"] = True
        data = {"failCommands": list(commands), "appName": name, **how}
        admin.command({"configureFailPoint": "failCommand", "mode": mode, "data": data})
        try:
            yield
        finally:
            admin.command({"configureFailPoint": "failCommand", "mode": "off"})

    return failing


class TestDown:
    @pytest.fixture
    def down(self, root: Site, connect: Callable[..., None]) -> Site:
        host = f"mongodb://127.0.0.1:{free_port()}/"
        connect({"ADMIN": {"TIMEOUT": 6}}, archive={"HOST": host, "NAME": "x"})
        return root

    def test_every_page_says_so(self, down: Site) -> None:
        for page in every_page(down):
            assert page.status == 200
            assert "cannot be reached" in page.text
            assert 'role="alert"' in page.html

    def test_the_rest_works(self, down: Site) -> None:
        assert down.get(down.url("collection_changelist"), connection="default").status == 200
        assert down.get("/admin/").status == 200
        assert "This process alone, since" in down.get(down.url("transaction_changelist")).text
        assert down.get(down.collection("books", "history")).status == 200

    def test_nothing_is_changed_or_logged(self, down: Site) -> None:
        said = down.post(down.collection("books", "schema_start"), follow=True, depth="sample")
        assert "cannot be reached" in said.html
        assert down.post(down.collection("books", "schema_stop"), follow=True).status == 200
        index = down.collection("books", "index", "0" * 16, "hide")
        assert "cannot be reached" in down.post(index).text
        assert down.log() == []

    def test_progress_and_exports_say_it_to_programs(self, down: Site) -> None:
        for page in ("schema_progress", "schema_export"):
            arguments = ["json"] if page == "schema_export" else []
            answer = down.get(down.collection("books", page, *arguments))
            assert answer.status == 503
            assert "cannot be reached" in answer.html


@pytest.mark.parametrize("command", ["ping", "listCollections"])
def test_slow(root: Site, fails: Any, command: str) -> None:
    """The answer takes longer than a page waits; the user can choose to wait longer."""
    url = root.url("collection_changelist")
    with fails(command, blockTimeMS=4_000):
        page = root.get(url)
    assert page.status == 200
    assert "The server did not answer within 1.7 seconds." in page.text
    again = root.get(url + page.link("Try again, and wait longer"))
    assert "did not answer" not in again.text
    assert "authors" in again.text


def test_many_slow_pages_do_not_collect_threads(
    root: Site, fails: Any, project: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    import threading

    from djongo_services.admin import deadline

    monkeypatch.setattr(deadline, "_places", threading.BoundedSemaphore(2))
    with fails("ping", blockTimeMS=3_000):
        project.DJONGO_SERVICES = {**project.DJONGO_SERVICES, "ADMIN": {"TIMEOUT": 0.2}}
        for _ in range(3):
            page = root.get(root.url("collection_changelist"))
        assert page.status == 200
    assert "is already waiting for too many responses" in page.text


def test_without_privileges(root: Site, fails: Any) -> None:
    root.database.books.create_index("n", name="by_n")
    with fails("listCollections", errorCode=13):
        page = root.get(root.collection("books"))
    assert "lacks a privilege" in page.text
    with fails("aggregate", errorCode=13):
        page = root.get(root.collection("books"))
    assert "by_n" in page.text
    assert "Not available: statistics." in page.text
    assert "not available" in page.text
    with fails("find", errorCode=13):
        schema = root.get(root.collection("books", "schema"))
        assert schema.status == 200
        dashboard = root.get(root.url("collection_changelist"))
    assert "books" in dashboard.text


def test_without_the_privilege_to_write(root: Site, fails: Any) -> None:
    root.database.books.insert_one({"n": 1})
    root.database.books.create_index("n", name="by_n")
    from djongo_services.admin.indexes import digest_of

    hide = root.collection("books", "index", digest_of("by_n"), "hide")
    with fails("insert", "update", "findAndModify", "collMod", errorCode=13):
        said = root.post(root.collection("books", "schema_start"), follow=True, depth="sample")
        assert "lacks a privilege" in said.html
        said = root.post(hide, follow=True)
        assert "lacks a privilege" in said.html
    assert root.log() == []


def test_a_server_that_takes_no_writes(
    root: Site, replica_set: Any, connect: Callable[..., None]
) -> None:
    """A secondary, which is the only member that this connection knows."""
    name = f"{root.database.name}_3"
    with replica_set.client(w=3) as client:
        primary = f"{client.primary[0]}:{client.primary[1]}" if client.admin.command("ping") else ""
        secondary = next(one.address for one in replica_set.members if one.address != primary)
        client[name].books.create_index("n", name="by_n")
        client[name].get_collection("books").insert_one({"n": 1})
        try:
            options = {"directConnection": True}
            connect(archive={"HOST": f"mongodb://{secondary}/", "NAME": name, "OPTIONS": options})
            for page in every_page(root):
                assert page.status == 200
            assert "does not accept writes at the moment" in root.get(root.collection("books")).text
            assert "by_n" in root.get(root.collection("books")).text
            assert "secondary" in root.get(root.url("collection_changelist")).text
        finally:
            client.drop_database(name)
