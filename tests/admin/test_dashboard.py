"""The dashboard: the server, the collections, and what differs from the models."""

from __future__ import annotations

from typing import Any

import pytest

from tests.admin.conftest import Site, rows

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
    assert [row.split(" ")[0] for row in found] == ["authors", "books", "notes", "visits"]
    assert "not there" in found[0]
    assert "3 differences" in found[1]
    assert found[2].startswith("notes 1,200 ")
    assert "no model" in found[2]
    assert "Plan: " in page.text


def test_in_sync(root: Site) -> None:
    from djongo_services.admin.declarations import specs_by_name
    from djongo_services.connections import connections
    from djongo_services.schema.applying import apply
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

    def test_by_name(self, many: Site) -> None:
        page = many.get(many.url(DASHBOARD), q="C5")
        assert [row.split(" ")[0] for row in rows(page.html)] == ["c5"]
        assert "No collection has a name" in many.get(many.url(DASHBOARD), q="zzz").text

    def test_links_keep_what_was_chosen(self, many: Site) -> None:
        page = many.get(many.url(DASHBOARD), q="c", o="-name")
        assert page.link("2") == "?connection=archive&q=c&o=-name&p=2"
        assert page.link("Data") == "?connection=archive&q=c&o=-data"
        assert 'aria-sort="descending"' in page.html


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
