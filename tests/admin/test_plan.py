"""Plans as cards: applying one or all, the history, and rolling back."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.admin.conftest import Page, Site, rows
from tests.transaction.conftest import failing


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
    assert "Plan: 2 to add, 1 to change." in page.text
    found = cards(page)
    assert len(found) == 3
    assert "+ added: validator, moderate and warn; 5 documents violate it" in found[0]
    assert "~ changed: index title_pages {title: 1, pages: -1}: visible, was hidden" in page.text
    assert "waits for a scan of the collection" in page.text
    assert "books: index by_hand {title: 1}: no model declares it" in page.text


def test_of_a_collection_without_models(root: Site, drifted: Any) -> None:
    drifted.notes.insert_one({})
    page = root.get(root.collection("notes", "plan"))
    assert "No model declares this collection" in page.text


def test_of_all(root: Site, drifted: Any) -> None:
    page = root.get(root.url("collection_whole_plan"))
    assert "books : changed: index title_pages" in page.text
    assert "authors : added: create collection" in page.text
    assert "visits : changed: index visit_ttl {at: 1}: expires after 3,600 s" in page.text


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
    """What was read on the confirmation page is what is done, or nothing."""

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
            assert "too old" in refused.html
        assert drifted.books.index_information()["title_pages"]["hidden"]

    def test_it_is_for_another_database(self, root: Site, drifted: Any) -> None:
        url = root.get(root.collection("books", "plan")).link("Apply all")
        signed = root.get(url).value("plan")
        other = root.url("collection_apply") + "?connection=default"
        assert "too old" in root.post(other, plan=signed, follow=True).html

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
        assert row.startswith(run)
        assert " done 4 of 4 " in row or " done 3 of 3 " in row

    def test_one(self, root: Site, run: str) -> None:
        page = root.get(root.url("collection_run", run))
        assert "books : unhide index title_pages" in page.text
        assert "can be undone" in page.text

    def test_roll_back(self, root: Site, drifted: Any, run: str) -> None:
        page = root.get(root.url("collection_run", run))
        confirmation = root.get(page.link("Roll back"))
        assert "hide index title_pages" in confirmation.text
        typed = "type the id of the run" in confirmation.text
        done = root.post(page.link("Roll back"), follow=True, **({"name": run} if typed else {}))
        assert "The run was rolled back." in done.html
        assert drifted.books.index_information()["title_pages"]["hidden"]
        assert f"rolls back {run}" in root.get(root.url("collection_runs")).text

    def test_a_build_shows_how_far_it_is(self, root: Site, drifted: Any, run: str) -> None:
        """Another process builds; what it says stands in the database and in the server."""
        import threading

        from djongo_services.connections import connections
        from djongo_services.introspection import read_catalog
        from djongo_services.schema.applying import apply as carry_out
        from djongo_services.schema.operations import BuildIndexes
        from djongo_services.schema.plan import Change, Plan, fingerprint
        from djongo_services.schema.spec import IndexSpec

        name = "hangAfterStartingIndexBuild"
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
        worker = threading.Thread(target=carry_out, args=(database, plan))
        try:
            drifted.client.admin.command("configureFailPoint", name, mode="alwaysOn")
            worker.start()
            waiting = threading.Event()
            for _ in range(300):
                latest = drifted.djongo_services_runs.find_one({}, sort=[("_id", -1)])
                if latest["status"] == "running" and "slowly" in drifted.books.index_information():
                    break
                waiting.wait(0.1)
            page = root.get(root.url("collection_run", str(latest["_id"])))
            assert "running" in page.text
            assert '<meta http-equiv="refresh"' in page.html
            assert page.html.count("Roll back") == 0
            assert "building" in root.get(root.collection("books")).text
        finally:
            drifted.client.admin.command("configureFailPoint", name, mode="off")
            if worker.ident is not None:
                worker.join(30)
        assert "slowly" in drifted.books.index_information()

    def test_a_run_whose_process_died(self, root: Site, drifted: Any, run: str) -> None:
        drifted.djongo_services_runs.update_one({}, {"$set": {"status": "running"}})
        assert "its process has ended" in root.get(root.url("collection_run", run)).text


def test_a_change_that_takes_long_goes_on_in_the_background(
    root: Site, drifted: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    import threading

    from djongo_services.admin import applying

    monkeypatch.setattr(applying, "SECONDS", 0)
    monkeypatch.setattr(applying.attempt, "__kwdefaults__", {"plan": None, "seconds": 0})
    begun = apply(root, root.get(root.collection("books", "plan")).link("Apply all"))
    assert "it goes on in the background" in begun.html
    waiting = threading.Event()
    for _ in range(300):
        run = drifted.djongo_services_runs.find_one({}) or {"status": ""}
        if run["status"] == "done":
            break
        waiting.wait(0.1)
    assert run["status"] == "done"
    while applying._under_way:
        waiting.wait(0.01)
