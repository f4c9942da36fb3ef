"""Plans as cards: applying one or all, the history, and rolling back."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest
from bson import ObjectId
from pymongo.database import Database

from djongo_services.connections import connections
from djongo_services.introspection import read_catalog
from djongo_services.schema.applying import History, RunStopped
from djongo_services.schema.applying import apply as carry_out
from djongo_services.schema.operations import BuildIndexes
from djongo_services.schema.ownership import marked
from djongo_services.schema.plan import Change, Plan, fingerprint
from djongo_services.schema.spec import IndexSpec
from tests.admin.conftest import Page, Site, read, rows
from tests.transaction.conftest import entry, failing


@pytest.fixture
def drifted(root: Site) -> Any:
    root.database.books.insert_many([{"_id": n, "title": f"t{n}"} for n in range(5)])
    root.database.books.create_index("title", name="by_hand")
    root.database.books.create_index([("title", 1), ("pages", -1)], name="title_pages", hidden=True)
    root.database.visits.create_index("at", name="visit_ttl", expireAfterSeconds=99_999)
    return root.database


def cards(page: Page) -> list[str]:
    found = re.findall(r'(?s)<li class="mongo-card.*?</details>|<li class="mongo-card', page.html)
    return [re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", one)).strip() for one in found]


def apply(site: Site, url: str, **data: str) -> Page:
    """Follow a link to the confirmation, and confirm."""
    confirmation = site.get(url)
    assert confirmation.status == 200, confirmation
    return site.post(url, plan=confirmation.value("plan"), follow=True, **data)


def test_of_one_collection(root: Site, drifted: Any) -> None:
    page = root.get(root.collection("books", "plan"))
    assert "Plan: 2 to add, 1 to change; 3 steps." in page.text
    found = cards(page)
    assert len(found) == 3
    assert "+ added: validator, moderate and warn; 5 documents violate it" in found[0]
    assert (
        "~ changed: index title_pages {title: 1, pages: -1}: now visible (was hidden)" in page.text
    )
    assert "Step Risk Waits for Takes Can be undone build index " in page.text
    assert (
        "slow a scan of the collection, and open transactions on it about 0 to 1 second yes"
    ) in page.text
    assert "Index builds take about 0 to 1 second, estimated from usual speeds" in page.text
    assert "books: index by_hand {title: 1}: no model declares it" in page.text


def test_of_a_collection_without_models(root: Site, drifted: Any) -> None:
    drifted.notes.insert_one({})
    page = root.get(root.collection("notes", "plan"))
    assert "No model declares this collection" in page.text


def test_of_all(root: Site, drifted: Any) -> None:
    page = root.get(root.url("collection_whole_plan"))
    groups = re.findall(r'(?s)<section class="mongo-group">(.*?)</h2>', page.html)
    assert [read(one) for one in groups] == [
        "authors 2 differences",
        "books 3 differences",
        "visits 2 differences",
    ]
    assert page.link("books") == root.collection("books", "plan")
    assert "changed: index visit_ttl {at: 1}: now expires after 1 hour" in page.text


def test_apply_one(root: Site, drifted: Any) -> None:
    page = root.get(root.collection("books", "plan"))
    link = next(
        found
        for found in re.findall(r'href="([^"]*/apply/[^"]*change=[^"]*)"', page.html)
        if "unhide" in root.get(found.replace("&amp;", "&")).text
    ).replace("&amp;", "&")
    done = apply(root, link)
    assert "1 step was applied." in done.html
    indexes = drifted.books.index_information()
    assert not indexes["title_pages"].get("hidden")
    assert set(indexes) == {"_id_", "title_pages", "by_hand"}
    assert [entry.change_message for entry in root.log()] == ["unhide index title_pages"]
    assert [entry.object_id for entry in root.log()] == ["archive/books"]


def test_apply_all_of_one_collection(root: Site, drifted: Any) -> None:
    page = root.get(root.collection("books", "plan"))
    done = apply(root, page.link("Apply all"))
    assert "steps were applied." in done.html
    after = root.get(root.collection("books", "plan"))
    assert "In sync: " in after.text
    assert root.get(root.collection("visits", "plan")).text.count("destroys")  # untouched


def test_what_destroys_asks_for_the_name(root: Site, drifted: Any) -> None:
    page = root.get(root.collection("visits", "plan"))
    link = re.search(r'href="([^"]*change=[^"]*)"[^>]*>Apply<span[^>]*> index visit_ttl', page.html)
    assert link is not None
    url = link[1].replace("&amp;", "&")
    assert f"type the name of the database: {drifted.name}" in root.get(url).text
    wrong = apply(root, url, name="another")
    assert "nothing was done" in wrong.text
    assert drifted.visits.index_information()["visit_ttl"]["expireAfterSeconds"] == 99_999
    apply(root, url, name=drifted.name)
    assert drifted.visits.index_information()["visit_ttl"]["expireAfterSeconds"] == 3_600


class TestConfirmations:
    """Either exactly the plan on the confirmation page is carried out, or nothing."""

    def test_the_database_has_changed_since(self, root: Site, drifted: Any) -> None:
        url = root.get(root.collection("books", "plan")).link("Apply all")
        signed = root.get(url).value("plan")
        drifted.books.create_index("new")
        refused = root.post(url, plan=signed, follow=True)
        assert "The database has changed since the plan was made" in refused.html
        assert drifted.books.index_information()["title_pages"]["hidden"]
        assert root.log() == []

    def test_it_was_tampered_with(self, root: Site, drifted: Any) -> None:
        url = root.get(root.collection("books", "plan")).link("Apply all")
        signed = root.get(url).value("plan")
        for wrong in ("", "nonsense", signed[:-1], f"x{signed}"):
            refused = root.post(url, plan=wrong, follow=True)
            assert "has expired" in refused.html
        assert drifted.books.index_information()["title_pages"]["hidden"]

    def test_it_is_for_another_database(self, root: Site, drifted: Any) -> None:
        url = root.get(root.collection("books", "plan")).link("Apply all")
        signed = root.get(url).value("plan")
        other = root.url("collection_apply") + "?connection=default"
        assert "has expired" in root.post(other, plan=signed, follow=True).html

    def test_the_difference_is_gone(self, root: Site, drifted: Any) -> None:
        url = root.url("collection_apply")
        page = root.get(url, connection="archive", collection="books", change="0" * 16)
        assert (page.status, page.location) == (302, root.collection("books", "plan"))


def test_what_the_server_refuses_is_said(root: Site, drifted: Any) -> None:
    url = root.get(root.collection("books", "plan")).link("Apply all")
    with failing(drifted.client, "collMod", times=1, errorCode=13):
        refused = apply(root, url)
    assert "the database user may not do that" in refused.html
    assert root.log() == []
    runs = root.get(root.url("collection_runs"))
    assert "failed" in rows(runs.html)[0]
    run = root.get(runs.link(rows(runs.html)[0].split(" ")[0]))
    assert "the database user may not do that" in run.text


def test_duplicates_are_named(root: Site, drifted: Any) -> None:
    drifted.authors.insert_many([{"_id": 1, "name": "same"}, {"_id": 2, "name": "same"}])
    url = root.get(root.collection("authors", "plan")).link("Apply all")
    refused = apply(root, url)
    assert "documents share a key" in refused.html
    assert "2 documents, such as 1 and 2" in refused.html


@dataclass
class Building:
    """A run that builds an index and waits in it."""

    run: str
    go_on: Callable[[], Any]
    """Let it build, and wait until it has ended."""
    ended: Callable[[], Any]
    """Wait until it has ended."""


@pytest.fixture
def building(root: Site, drifted: Any) -> Iterator[Building]:
    point = "hangAfterStartingIndexBuild"
    admin = drifted.client.admin
    database = connections["archive"].database
    spec = IndexSpec(name="slowly", keys=(("n", 1),))
    build = BuildIndexes(collection="books", indexes=(spec,))
    change = Change(collection="books", sign="+", words="x", operations=(build,))
    plan = Plan(
        database=database.name,
        fingerprint=fingerprint(read_catalog(database), ["books"]),
        collections=("books",),
        changes=(change,),
    )
    reached = admin.command("configureFailPoint", point, mode="alwaysOn")["count"] + 1
    with ThreadPoolExecutor(1) as pool:
        try:
            running = pool.submit(carry_out, database, plan)
            wait = {"waitForFailPoint": point, "timesEntered": reached, "maxTimeMS": 60_000}
            admin.command(wait)

            def go_on() -> None:
                admin.command("configureFailPoint", point, mode="off")
                running.result(60)

            (run,) = History(database).runs(1)
            yield Building(run=str(run.id), go_on=go_on, ended=lambda: running.result(60))
        finally:
            admin.command("configureFailPoint", point, mode="off")


class TestHistory:
    @pytest.fixture
    def run(self, root: Site, drifted: Any) -> str:
        apply(root, root.get(root.collection("books", "plan")).link("Apply all"))
        found = drifted.djongo_services_runs.find_one({})
        assert found is not None
        return str(found["_id"])

    def test_runs(self, root: Site, run: str) -> None:
        page = root.get(root.url("collection_runs"))
        (row,) = rows(page.html)
        assert row.startswith(f"1 validator, 2 indexes {run} done 3 of 3 ")
        assert "less than 1 second" in row

    def test_one(self, root: Site, run: str) -> None:
        page = root.get(root.url("collection_run", run))
        assert "books unhide index title_pages done less than 1 second safe " in page.text
        assert "3 of 3 steps · took less than 1 second" in page.text
        assert f"run {run}" in page.text

    def test_roll_back(self, root: Site, drifted: Any, run: str) -> None:
        page = root.get(root.url("collection_run", run))
        confirmation = root.get(page.link("Roll back"))
        assert "hide index title_pages" in confirmation.text
        typed = "type the id of the run" in confirmation.text
        done = root.post(page.link("Roll back"), follow=True, **({"name": run} if typed else {}))
        assert "The run was rolled back." in done.html
        assert drifted.books.index_information()["title_pages"]["hidden"]
        assert f"rolls back {run}" in root.get(root.url("collection_runs")).text

    def test_roll_back_behind_later_runs(self, root: Site, drifted: Any, run: str) -> None:
        drifted.books.drop_index("title_pages")
        apply(root, root.get(root.collection("books", "plan")).link("Apply"))
        url = root.get(root.url("collection_run", run)).link("Roll back")
        page = root.get(url)
        assert "cannot be rolled back alone" in page.text
        url = page.link("Roll back the later runs too")
        assert "It undoes these later runs too:" in root.get(url).text
        done = root.post(url, follow=True, name=run)
        assert "The run was rolled back." in done.html
        # As it was before the second run, by hand.
        assert "title_pages" not in drifted.books.index_information()

    def test_a_build_shows_how_far_it_is(self, root: Site, building: Building) -> None:
        """Another process builds; its progress is in the database and on the server."""
        page = root.get(root.url("collection_run", building.run))
        assert "running" in page.text
        assert '<meta http-equiv="refresh"' in page.html
        assert page.html.count("Roll back") == 0
        assert "Run in progress" in page.text
        assert "0 of 1 step" in page.text
        assert "building" in root.get(root.collection("books")).text
        answer = root.get(root.url("collection_run_progress", building.run))
        run = json.loads(answer.html)["run"]
        assert run["is_running"]
        assert (run["total"], run["figures"].split(",")[0]) == (1, "0 of 1 step")
        assert run["phase"] == "books: build index slowly {n: 1}"
        assert run["steps"] == [{"number": 0, "status": "running", "state": "free"}]
        dashboard = root.get(root.url("collection_changelist"))
        assert "Run in progress: 1 index running 0 of 1 step" in dashboard.text
        building.go_on()
        assert "slowly" in root.database.books.index_information()
        ended = json.loads(root.get(root.url("collection_run_progress", building.run)).html)
        assert not ended["run"]["is_running"]
        dashboard = root.get(root.url("collection_changelist"))
        assert "Last run: 1 index done 1 of 1 step · took " in dashboard.text

    def test_a_run_whose_process_died(self, root: Site, drifted: Any, run: str) -> None:
        drifted.djongo_services_runs.update_one({}, {"$set": {"status": "running"}})
        page = root.get(root.url("collection_run", run))
        assert "its process has ended" in page.text
        assert "/stop/" not in page.html

    def test_one_that_died_beside_another_that_runs(
        self, root: Site, drifted: Any, run: str, building: Building
    ) -> None:
        drifted.djongo_services_runs.update_one(
            {"_id": ObjectId(run)}, {"$set": {"status": "running"}}
        )
        assert "its process has ended" in root.get(root.url("collection_run", run)).text
        states = [row.split(" ")[3:4] for row in rows(root.get(root.url("collection_runs")).html)]
        assert states[0] == ["running"]
        assert "its process has ended" in rows(root.get(root.url("collection_runs")).html)[1]

    def test_no_such_run(self, root: Site) -> None:
        for run in ("nonsense", "0" * 24):
            assert root.get(root.url("collection_run", run)).status == 404
            assert root.get(root.url("collection_run_progress", run)).status == 404
            assert root.post(root.url("collection_run_stop", run)).status == 404


@pytest.mark.versions
class TestStopping:
    @pytest.fixture
    def site(self, connect: Callable[..., None], matrix_database: Database[Any]) -> Site:
        connect(archive=entry(matrix_database))
        return Site(matrix_database)

    def test_stopping(self, root: Site, building: Building) -> None:
        page = root.get(root.url("collection_run", building.run))
        url = re.search(r'action="([^"]*/stop/[^"]*)"', page.html)
        assert url is not None
        asked = root.post(html.unescape(url[1]), follow=True)
        assert "The run will stop soon" in asked.html
        assert [(one.object_id, one.change_message) for one in root.log()][-1] == (
            "archive/books",
            f"Stopped run {building.run}.",
        )
        with pytest.raises(RunStopped, match="Stopped by root"):
            building.ended()
        assert "slowly" not in root.database.books.index_information()
        after = root.get(root.url("collection_run", building.run))
        assert "interrupted 0 of 1 step · took " in after.text
        assert "Stopped by root" in after.text
        assert "/stop/" not in after.html
        again = root.post(html.unescape(url[1]), follow=True)
        assert "The run has already ended." in again.html


def test_a_change_that_takes_long_goes_on_in_the_background(
    root: Site, drifted: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    import threading

    from djongo_services.admin.jobs import background

    monkeypatch.setattr(background, "MOMENT", 0)
    begun = apply(root, root.get(root.collection("books", "plan")).link("Apply all"))
    assert "it continues in the background" in begun.html
    waiting = threading.Event()
    for _ in range(300):
        run = drifted.djongo_services_runs.find_one({}) or {"status": ""}
        if run["status"] == "done":
            break
        waiting.wait(0.1)
    assert run["status"] == "done"
    while background._under_way:
        waiting.wait(0.01)


class TestAChangedValidator:
    """Rule by rule and whole, wherever the plan or its run is shown."""

    RULES = (
        "~ changed: title maxLength 100 (was 3)",
        "+ added: title bsonType string",
    )

    @pytest.fixture(autouse=True)
    def old(self, drifted: Any) -> None:
        old = marked({"$jsonSchema": {"properties": {"title": {"maxLength": 3}}}}, ["library.Book"])
        drifted.command("collMod", "books", validator=old)

    def shown(self, page: Page) -> None:
        for rule in self.RULES:
            assert rule in page.text
        table = page.html.split('<table class="mongo-diff"')[1].split("</table>")[0]
        gone, come, same = (
            html.unescape(" ".join(re.findall(pattern, table)))
            for pattern in ("<del>(.*?)</del>", "<ins>(.*?)</ins>", "<td>([^<]*)</td>")
        )
        lengths = {'"maxLength": 3', '"maxLength": 100'}
        assert {length for length in lengths if length in gone} == lengths - {
            length for length in lengths if length in come
        }
        assert '"validator": {' in same

    def test_everywhere(self, root: Site, drifted: Any) -> None:
        page = root.get(root.collection("books", "plan"))
        self.shown(page)
        self.shown(root.get(root.url("collection_whole_plan")))
        self.shown(root.get(page.link("Apply all")))
        apply(root, page.link("Apply all"))
        run = str(drifted.djongo_services_runs.find_one({})["_id"])
        self.shown(root.get(root.url("collection_run", run)))
        back = root.get(root.url("collection_rollback", run))
        assert "~ changed: title maxLength 3 (was 100)" in back.text
        assert "- removed: title bsonType" in back.text
        assert '<table class="mongo-diff"' in back.html


def test_markup_in_a_validator_is_inert(root: Site, drifted: Any) -> None:
    evil = "</pre><script>hacked=1</script>\u202e"
    old = {"$jsonSchema": {"properties": {evil: {"maxLength": 3, "description": evil}}}}
    drifted.command("collMod", "books", validator=marked(old, ["library.Book"]))
    page = root.get(root.collection("books", "plan"))
    assert "hacked=1" in page.html
    assert "<script>hacked" not in page.html
    assert "\u202e" not in page.html
    apply(root, page.link("Apply all"))
    run = root.get(root.url("collection_run", str(drifted.djongo_services_runs.find_one()["_id"])))
    assert "hacked=1" in run.html
    assert "<script>hacked" not in run.html


def test_an_index_is_shown_whole_before_and_after(root: Site, drifted: Any) -> None:
    page = root.get(root.collection("visits", "plan"))
    tables = page.html.split('<table class="mongo-diff"')[1:]
    (table,) = [html.unescape(one.split("</table>")[0]) for one in tables]
    assert '<del>  "expireAfterSeconds": 99999</del>' in table
    assert '<ins>  "expireAfterSeconds": 3600</ins>' in table
    assert '"name": "visit_ttl"' in table


def test_json_that_is_too_long_for_the_page_is_cut_off(
    root: Site, drifted: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = root.get(root.collection("books", "plan"))
    assert "too many for this page" not in whole.text
    monkeypatch.setattr("djongo_services.admin.plan_cards.MOST_LINES", 5)
    page = root.get(root.collection("books", "plan"))
    assert "more lines, too many for this page." in page.text


def test_a_plan_of_many_collections_has_pages(
    root: Site, drifted: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("djongo_services.admin.plan_pages.AT_ONCE", 2)
    first = root.get(root.url("collection_whole_plan"), connection="archive")
    assert first.html.count('class="mongo-group"') == 2
    second = root.get(first.link("2"))
    assert "visit_ttl" in second.text
    assert second.html.count('class="mongo-group"') == 1
    assert second.html.count("Apply all") == 1


def test_a_validator_of_another_origin_is_left_alone(root: Site, drifted: Any) -> None:
    by_hand = {"sku": {"$regex": "^[A-Z]", "$ne": "<b>X</b>", "$exists": True}}
    drifted.command("collMod", "books", validator=by_hand)
    page = root.get(root.collection("books", "plan"))
    assert "validator: djongo_services did not write it" in page.text
    assert "validator changed" not in page.text


def test_a_plan_with_patterns_is_applied(root: Site, drifted: Any) -> None:
    old = marked({"$and": [{"$jsonSchema": {}}, {"title": {"$regex": "^t", "$ne": "x"}}]}, ["x.Y"])
    drifted.command("collMod", "books", validator=old)
    page = root.get(root.collection("books", "plan"))
    (url, *_) = re.findall(r'href="([^"]*apply[^"]*)" class="mongo-apply"', page.html)
    done = apply(root, html.unescape(url))
    assert "applied" in done.text
    kept = next(iter(drifted.list_collections(filter={"name": "books"})))["options"]["validator"]
    assert "pages_not_negative" in str(kept) or "$gte" in str(kept)


class TestWhileMigrationsWait:
    @pytest.fixture
    def waiting(self, connect: Any, database: Any, project: Any) -> Site:
        """The library is on MongoDB by the ORM, and its first migration is not applied."""
        connect(archive={"DATABASE": "default"}, services={"SCHEMA": {"MODELS": []}})
        project.MIGRATION_MODULES = {
            **project.MIGRATION_MODULES,
            "library": "tests.admin.library_migrations",
        }
        site = Site(database)
        site.login(is_superuser=True)
        return site

    def test_the_plan_names_them_and_offers_nothing(self, waiting: Site) -> None:
        page = waiting.get(waiting.collection("books", "plan"))
        assert "Unapplied migrations" in page.text
        assert "library.0001_initial" in page.text
        assert "Apply" not in page.text.replace("be applied", "")

    def test_a_confirmation_that_was_opened_before_is_refused(
        self, waiting: Site, project: Any
    ) -> None:
        modules = project.MIGRATION_MODULES
        project.MIGRATION_MODULES = {**modules, "library": None}
        page = waiting.get(waiting.collection("books", "plan"))
        found = re.search(r'href="([^"]*/apply/[^"]*)"', page.html)
        assert found is not None, page.text
        url = found[1].replace("&amp;", "&")
        confirmation = waiting.get(url)
        project.MIGRATION_MODULES = modules
        done = waiting.post(url, plan=confirmation.value("plan"), follow=True)
        assert "1 migration is not applied: library.0001_initial; run migrate first" in done.text
