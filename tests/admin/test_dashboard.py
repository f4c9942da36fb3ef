"""The dashboard: the server, the collections, and what differs from the models."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from tests.admin.conftest import Site, read, rows
from tests.embedded.program import until
from tests.transaction.conftest import entry

DASHBOARD = "collection_changelist"


def test_the_server_and_its_collections(root: Site) -> None:
    root.database.notes.insert_many([{"n": n} for n in range(1200)])
    root.database.create_collection("books")
    page = root.get(root.url(DASHBOARD))
    assert page.status == 200
    assert "MongoDB 6.0" in page.text
    assert "primary" in page.text
    assert "✓ transactions" in page.text
    found = rows(page.html)
    assert [row.split(" ")[0] for row in found] == ["authors", "books", "visits", "notes"]
    assert "missing" in found[0]
    assert "3 differences" in found[1]
    assert found[3].startswith("notes 1,200 ")
    assert "no model" in found[3]
    assert "Plan: " in page.text


def test_in_sync(root: Site) -> None:
    from djongo_services.connections import connections
    from djongo_services.schema.applying import apply
    from djongo_services.schema.declared import specs_by_name
    from djongo_services.schema.syncing import make_plan

    connection = connections["archive"]
    apply(
        connection.database,
        make_plan(connection.database, tuple(specs_by_name(connection).values())),
    )
    page = root.get(root.url(DASHBOARD))
    assert "In sync: " in page.text
    assert any(row.startswith("books") and "in sync" in row for row in rows(page.html))
    # What the run itself left there is told apart.
    assert any(
        row.startswith("djongo_services_runs") and "by this app" in row for row in rows(page.html)
    )


def test_views_time_series_and_capped_collections(root: Site) -> None:
    root.database.create_collection("capped", capped=True, size=4096)
    root.database.create_collection("series", timeseries={"timeField": "at"})
    root.database.create_collection("view", viewOn="capped", pipeline=[])
    found = rows(root.get(root.url(DASHBOARD)).html)
    assert any(row.startswith("capped capped collection") for row in found)
    assert any(row.startswith("series time series") for row in found)
    assert any(row.startswith("view view on capped") for row in found)


def test_what_is_odd_is_pointed_out(root: Site) -> None:
    root.database.notes.create_index("a")
    root.database.notes.create_index([("a", 1), ("b", 1)])
    root.database.command("collMod", "notes", validator={"a": 1}, validationLevel="off")
    (row,) = [row for row in rows(root.get(root.url(DASHBOARD)).html) if row.startswith("notes")]
    assert "1 redundant index" in row
    assert "validator is off" in row


class TestManyCollections:
    @pytest.fixture
    def many(self, root: Site, monkeypatch: pytest.MonkeyPatch) -> Site:
        monkeypatch.setattr("djongo_services.admin.dashboard.PER_PAGE", 3)
        for number in range(7):
            root.database[f"c{number}"].insert_many([{} for _ in range(number + 1)])
        return root

    def names(self, site: Site, **query: str) -> list[str]:
        page = site.get(site.url(DASHBOARD), q="c", **query)
        return [row.split(" ")[0] for row in rows(page.html)]

    def test_by_page(self, many: Site) -> None:
        assert self.names(many) == ["c0", "c1", "c2"]
        assert self.names(many, p="3") == ["c6"]
        assert self.names(many, p="99") == ["c6"]
        assert self.names(many, p="nonsense") == ["c0", "c1", "c2"]

    def test_by_order(self, many: Site) -> None:
        assert self.names(many, o="-name") == ["c6", "c5", "c4"]
        assert self.names(many, o="-documents") == ["c6", "c5", "c4"]
        assert self.names(many, o="documents", p="2") == ["c3", "c4", "c5"]
        assert self.names(many, o="nonsense") == ["c0", "c1", "c2"]

    def test_too_many_for_an_order_by_size(
        self, many: Site, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("djongo_services.admin.dashboard.MOST_BY_SIZE", 6)
        page = many.get(many.url(DASHBOARD), q="c", o="-documents")
        assert "reads the sizes of all 7 collections" in page.text
        assert 'aria-sort="descending"' not in page.html
        assert [row.split(" ")[0] for row in rows(page.html)] == ["c0", "c1", "c2"]
        sorted_page = many.get(many.url(DASHBOARD) + page.link("Sort by size"))
        assert [row.split(" ")[0] for row in rows(sorted_page.html)] == ["c6", "c5", "c4"]
        following = many.get(many.url(DASHBOARD) + sorted_page.link("2"))
        assert [row.split(" ")[0] for row in rows(following.html)] == ["c3", "c2", "c1"]

    def test_by_name(self, many: Site) -> None:
        page = many.get(many.url(DASHBOARD), q="C5")
        assert [row.split(" ")[0] for row in rows(page.html)] == ["c5"]
        assert "No collection name contains" in many.get(many.url(DASHBOARD), q="zzz").text

    def test_links_keep_what_was_chosen(self, many: Site) -> None:
        page = many.get(many.url(DASHBOARD), q="c", o="-name")
        assert page.link("2") == "?connection=archive&q=c&o=-name&p=2"
        assert page.link("Data") == "?connection=archive&q=c&o=-data"
        assert 'aria-sort="descending"' in page.html


class TestTotalsOfManyCollections:
    @pytest.fixture
    def many(self, root: Site, monkeypatch: pytest.MonkeyPatch) -> Site:
        monkeypatch.setattr("djongo_services.admin.database_totals.MANY", 1)
        for name in ("a", "b", "c"):
            root.database.create_collection(name)
        return root

    def totals(self, site: Site) -> str:
        found = re.search(r"(\d+) Collections|(still computing)", self.text(site))
        assert found is not None
        return found[1] or found[2]

    def text(self, site: Site) -> str:
        page = site.get(site.url(DASHBOARD))
        return re.sub(r"Collections (\d+)", r"\1 Collections", page.text)

    def test_are_kept_for_a_while(self, many: Site, monkeypatch: pytest.MonkeyPatch) -> None:
        patience = "djongo_services.admin.database_totals.PATIENCE"
        monkeypatch.setattr(patience, 60.0)
        assert "As of 20" in self.text(many)
        assert self.totals(many) == "3"
        many.database.create_collection("d")
        assert self.totals(many) == "3"
        kept = "djongo_services.admin.database_totals.KEPT_FOR"
        monkeypatch.setattr(kept, timedelta())
        assert self.totals(many) == "4"

    def test_are_not_waited_for(
        self, many: Site, connect: Callable[..., None], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        connect(archive=entry(many.database, appName="totals"))
        data = {"failCommands": ["dbStats"], "blockConnection": True, "blockTimeMS": 30_000}
        point = {"configureFailPoint": "failCommand", "data": {**data, "appName": "totals"}}
        admin = many.database.client.admin
        admin.command({**point, "mode": "alwaysOn"})
        try:
            assert self.totals(many) == "still computing"
        finally:
            admin.command({"configureFailPoint": "failCommand", "mode": "off"})
        # What the page did not wait for is there for a later one.
        assert until(lambda: self.totals(many) == "3")


class TestGroups:
    @pytest.fixture
    def mixed(self, root: Site) -> Site:
        """Some of every group; the models' are visits, which is in sync, and three that are not."""
        from djongo_services.connections import connections
        from djongo_services.schema.applying import apply
        from djongo_services.schema.declared import specs_by_name
        from djongo_services.schema.syncing import make_plan

        connection = connections["archive"]
        specs = specs_by_name(connection)
        apply(connection.database, make_plan(connection.database, (specs["visits"],)))
        for name in ("zoo", "media.files", "media.chunks", "media.gc", "half.files", "books"):
            root.database.create_collection(name)
        root.database.create_collection("django_migrations")
        return root

    def headings(self, page: Any) -> list[str]:
        found = re.findall(r'(?s)<th scope="rowgroup"[^>]*>(.*?)</th>', page.html)
        return [read(one) for one in found]

    def names(self, site: Site, **query: str) -> list[str]:
        page = site.get(site.url(DASHBOARD), **query)
        if "<tbody>" not in page.html:
            return []
        return [row.split(" ")[0] for row in rows(page.html)]

    def test_collections_are_listed_by_whose_they_are(self, mixed: Site) -> None:
        page = mixed.get(mixed.url(DASHBOARD))
        own = sum(
            name.startswith("djongo_services_") for name in mixed.database.list_collection_names()
        )
        assert self.headings(page) == [
            "Collections of models 3",
            "Files 3",
            "Without a model 2",
            "Used by Django 1",
            f"Kept by this app {own}",
        ]
        assert self.names(mixed)[:9] == [
            *("authors", "books", "visits"),
            *("media.chunks", "media.files", "media.gc"),
            *("half.files", "zoo"),
            "django_migrations",
        ]

    def test_djangos_own_models_are_told_apart(self, root: Site) -> None:
        page = root.get(root.url(DASHBOARD), connection="default")
        django = page.html.split("Used by Django")[1].split("</tbody>")[0]
        assert "auth_user" in read(django)
        assert "Used by Django" in page.text

    def test_by_size_there_are_no_groups(self, mixed: Site) -> None:
        mixed.database.zoo.insert_one({"long": "x" * 10_000})
        page = mixed.get(mixed.url(DASHBOARD), o="-data")
        assert self.headings(page) == []
        assert rows(page.html)[0].startswith("zoo")

    def test_by_state(self, mixed: Site) -> None:
        assert self.names(mixed, state="differs") == ["authors", "books"]
        assert self.names(mixed, state="same") == ["visits"]
        assert self.names(mixed, state="free") == ["half.files", "zoo"]
        assert self.names(mixed, state="differs", q="oo") == ["books"]
        assert self.names(mixed, state="differs", o="-name") == ["books", "authors"]
        assert self.names(mixed, state="differs", o="-data")[0] == "books"
        assert len(self.names(mixed, state="nonsense")) > 9
        assert self.names(mixed, state="same", q="zoo") == []

    def test_pages_of_a_state(self, mixed: Site, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("djongo_services.admin.dashboard.PER_PAGE", 1)
        assert self.names(mixed, state="differs", p="2") == ["books"]
        assert self.names(mixed, state="differs", p="9") == ["books"]
        page = mixed.get(mixed.url(DASHBOARD), state="differs")
        assert page.link("2") == "?connection=archive&state=differs&o=name&p=2"
        assert 'name="state" value="differs"' in page.html

    def test_nothing_is_in_the_state(self, root: Site) -> None:
        page = root.get(root.url(DASHBOARD), state="same")
        assert "No collection is in this state." in page.text

    def test_the_banner_is_the_link(self, mixed: Site) -> None:
        page = mixed.get(mixed.url(DASHBOARD))
        assert "plan/?connection=archive" in page.link("Plan: ")
        narrowed = mixed.get(mixed.url(DASHBOARD), q="zoo")
        assert "plan/?connection=archive" in narrowed.link("Plan: show what differs")

    def test_abilities_are_behind_a_disclosure(self, root: Site) -> None:
        page = root.get(root.url(DASHBOARD))
        details = page.html.split('<details class="mongo-abilities">')[1].split("</details>")[0]
        assert "8 of 8 server features" in details
        assert "clustered collections" in details


def test_each_connection_has_a_dashboard(root: Site) -> None:
    root.database.notes.insert_one({})
    page = root.get(root.url(DASHBOARD))
    other = root.get(page.link("default"))
    assert other.status == 200
    assert not any(row.startswith("notes") for row in rows(other.html))
    assert root.get(root.url(DASHBOARD), connection="unknown").status == 404


def test_without_connections(root: Site, project: Any) -> None:
    project.DJONGO_SERVICES = {"CONNECTIONS": {}}
    page = root.get(root.url(DASHBOARD))
    assert page.status == 200
    assert "No MongoDB connection is configured" in page.text


def test_models_that_contradict_each_other_spoil_nothing_else(root: Site, project: Any) -> None:
    project.DJONGO_SERVICES = {
        **project.DJONGO_SERVICES,
        "SCHEMA": {"MODELS": {"archive": ["nonsense"]}},
    }
    root.database.notes.insert_one({})
    page = root.get(root.url(DASHBOARD))
    assert "There is no app 'nonsense'" in page.text
    assert any(row.startswith("notes") for row in rows(page.html))


def test_sidebar_and_index_of_the_admin(site: Site) -> None:
    site.login("view_collection")
    index = site.get("/admin/")
    assert index.link("Collections") == site.url(DASHBOARD)
    assert "Transactions" not in index.text
