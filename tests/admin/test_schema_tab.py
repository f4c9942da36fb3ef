"""The Schema tab: profiles in the background, kept, shown and exported."""

from __future__ import annotations

import datetime as dt
import json
import re
import threading
from typing import Any

import pytest

from tests.admin.conftest import Page, Site, read, rows

SECONDS = 30


@pytest.fixture
def notes(root: Site) -> Any:
    notes = root.database.notes
    notes.insert_many(
        [
            {
                "_id": n,
                "title": f"t{n}" if n % 10 else n,
                "tags": ["a"] * (n % 3),
                "weather": {"wind": 1.5},
                "by_day": {f"2026-01-{day:02}": 1 for day in range(1, 29)},
            }
            for n in range(100)
        ]
    )
    return notes


def fields(page: Page) -> list[str]:
    """The text about each field."""
    found = re.split(r'<span class="mongo-field-row"', page.html)[1:]
    ends = [re.split(r"</summary>|<div class=\"mongo-values\"|</li>", one)[0] for one in found]
    return [read("<span" + one).replace("Present ", "") for one in ends]


def begin(site: Site, depth: str = "sample") -> None:
    assert site.post(site.collection("notes", "schema_start"), depth=depth).status == 302


def state(site: Site) -> dict[str, Any]:
    return site.database.djongo_services_profiles.find_one({"_id": "notes"}) or {}


def finished(site: Site) -> Page:
    """The page when no profile is being taken any more."""
    waiting = threading.Event()
    for _ in range(SECONDS * 10):
        progress = json.loads(site.get(site.collection("notes", "schema_progress")).html)
        if not progress["run"]["is_running"]:
            return site.get(site.collection("notes", "schema"))
        waiting.wait(0.1)
    raise AssertionError(f"still running: {progress}")


def test_before_the_first(root: Site, notes: Any) -> None:
    page = root.get(root.collection("notes", "schema"))
    assert "No profile yet" in page.text
    assert "Sample Complete Exact" in " ".join(
        one for one in page.text.split() if one in ("Sample", "Complete", "Exact")
    )


def test_a_sample_is_there_at_once(root: Site, notes: Any) -> None:
    begin(root)
    page = finished(root)
    found = {row.split(" ")[0]: row for row in fields(page)}
    assert found["title"] == "title 100 % string 90 % int 10 %"
    assert "0 to 2 elements" in found["tags"]
    assert found["[]"] == "[] 100 % string"
    assert found["wind"] == "wind 100 % double"
    assert "map: 28 date keys" in found["by_day"]
    assert "all 100 documents examined" in page.text
    assert '"title" holds string (90 %), int (10 %)' in page.text
    assert [entry.change_message for entry in root.log()] == ["Started a profile: sample."]
    dashboard = root.get(root.url("collection_changelist"))
    (row,) = (row for row in rows(dashboard.html) if row.startswith("notes "))
    assert "1 warning profiled " in row


@pytest.mark.parametrize("depth", ["complete", "exact"])
def test_deeper(root: Site, notes: Any, depth: str) -> None:
    begin(root, depth)
    finished(root)
    assert state(root)["kept"]["requested"] == depth
    assert state(root)["run"]["status"] == "done"


def test_another_depth_is_refused(root: Site, notes: Any) -> None:
    assert root.post(root.collection("notes", "schema_start"), depth="bottom").status == 404


class TestFromAnotherProcess:
    """Processes know about each other only through the collection."""

    @pytest.fixture
    def elsewhere(self, root: Site, notes: Any) -> Any:
        """A profile that another process takes."""
        from djongo_services.admin.profiles.keeping import Profiles
        from djongo_services.progress import Progress

        profiles = Profiles(root.database, "notes")
        run = profiles.begin(depth="exact", by="somebody")
        assert run is not None
        progress = Progress(collection="notes", phase="counts", done=1_500, total=20_000)
        assert profiles.slot.beat(run, progress)
        return profiles, run, progress

    def test_progress_shows(self, root: Site, elsewhere: Any) -> None:
        page = root.get(root.collection("notes", "schema"))
        assert "Profile in progress: exact, for somebody" in page.text
        assert "counting" in page.text
        assert "1,500 of 20,000 documents" in page.text
        assert '<progress max="20000" value="1500"' in page.html
        # Without a script, the page looks again by itself.
        assert '<noscript><meta http-equiv="refresh"' in page.html
        progress = json.loads(root.get(root.collection("notes", "schema_progress")).html)["run"]
        assert (progress["phase"], progress["done"], progress["total"]) == ("counting", 1500, 20000)

    def test_one_at_a_time(self, root: Site, elsewhere: Any) -> None:
        said = root.post(root.collection("notes", "schema_start"), follow=True, depth="sample")
        assert "is already running" in said.html

    def test_it_can_be_stopped(self, root: Site, elsewhere: Any) -> None:
        profiles, run, progress = elsewhere
        said = root.post(root.collection("notes", "schema_stop"), follow=True)
        assert "will stop soon" in said.html
        assert "Stopping" in said.text
        assert profiles.slot.beat(run, progress) is False

    def test_a_process_that_died_is_told_and_does_not_stand_in_the_way(
        self, root: Site, elsewhere: Any
    ) -> None:
        long_ago = dt.datetime.now(dt.UTC) - dt.timedelta(minutes=1)
        root.database.djongo_services_profiles.update_one({}, {"$set": {"run.beat": long_ago}})
        assert "its process has ended" in root.get(root.collection("notes", "schema")).text
        begin(root)
        assert "all 100 documents examined" in finished(root).text


def test_a_profile_under_way_is_stopped(root: Site, notes: Any) -> None:
    """This process's own thread stops it; it checks whether it should continue."""
    from djongo_services.admin.profiles.keeping import Order, Profiles, room, run_in_background
    from djongo_services.connections import connections

    profiles = Profiles(root.database, "notes")
    run = profiles.begin(depth="exact", by="root")
    assert run is not None
    assert profiles.slot.ask_to_stop()
    held = threading.Event()
    order = Order(
        connection=connections["archive"], collection="notes", depth="exact", by="root", run=run
    )
    root.database.client.admin.command(
        {
            "configureFailPoint": "failCommand",
            "mode": {"times": 1},
            # Longer than the next look at whether it is to stop.
            "data": {
                "failCommands": ["listCollections"],
                "blockConnection": True,
                "blockTimeMS": 1500,
            },
        }
    )
    try:
        assert room.reserve()
        run_in_background(order)
        assert order.ended.wait(SECONDS)
    finally:
        root.database.client.admin.command({"configureFailPoint": "failCommand", "mode": "off"})
    assert not held.is_set()
    assert order.stop.is_set()
    assert state(root)["run"]["status"] == "stopped"


def test_a_collection_that_cannot_be_read(root: Site) -> None:
    root.database.create_collection("notes", viewOn="missing", pipeline=[])
    begin(root)
    page = finished(root)
    assert "The last profile failed." in page.text
    assert "which does not exist" in page.text


def test_the_last_profile_outlives_one_that_fails(root: Site, notes: Any) -> None:
    begin(root)
    finished(root)
    notes.drop()
    root.database.create_collection("notes", viewOn="missing", pipeline=[])
    begin(root)
    page = finished(root)
    assert "The last profile failed." in page.text
    assert state(root)["kept"]["documents"] == 100


FORMATS = {
    "report": ("text/plain", "notes.txt", "FIELD"),
    "json": ("application/json", "notes.json", '"format_version": 1'),
    "models": ("text/x-python", "notes.py", "class Note"),
    "jsonschema": ("application/json", "notes.schema.json", '"$jsonSchema"'),
    "mermaid": ("text/plain", "notes.mmd", "erDiagram"),
    "html": ("text/html", "notes.html", "<!doctype html>"),
}


@pytest.mark.parametrize("format", FORMATS)
def test_exports(root: Site, notes: Any, format: str) -> None:
    begin(root)
    page = finished(root)
    exported = root.get(page.link(format))
    content_type, name, holds = FORMATS[format]
    assert exported.headers["Content-Type"] == f"{content_type}; charset=utf-8"
    assert exported.headers["Content-Disposition"] == f'attachment; filename="{name}"'
    assert exported.headers["X-Content-Type-Options"] == "nosniff"
    assert holds in exported.html


def test_all_formats_of_the_command_are_there(root: Site) -> None:
    from djongo_services.admin import schema_tab
    from djongo_services.drift.formats import COMPARISON_FORMATS
    from djongo_services.management.commands.inspectmongo import Command

    ours = {*vars(schema_tab)["FORMATS"]}
    assert ours <= {*Command.formats} <= ours | {*COMPARISON_FORMATS}


def test_what_is_kept_is_what_was_found(root: Site) -> None:
    from dataclasses import replace

    from djongo_services.admin.profiles.documents import packed, unpacked
    from tests.introspection.render_example import EXAMPLE

    def without_values(field: Any) -> Any:
        return replace(
            field, values=None, children=tuple(without_values(child) for child in field.children)
        )

    for report in EXAMPLE.collections:
        kept = report
        if report.profile is not None:
            fields = tuple(without_values(field) for field in report.profile.fields)
            kept = replace(report, profile=replace(report.profile, fields=fields))
        assert unpacked(packed(report), report.collection) == kept


def test_one_button_and_a_choice(root: Site, notes: Any) -> None:
    page = root.get(root.collection("notes", "schema"))
    form = page.html.split('class="mongo-take"')[1].split("</form>")[0]
    assert form.count("<button") == 1
    assert re.findall(r'type="radio" name="depth" value="(\w+)"( checked)?', form) == [
        ("sample", " checked"),
        ("complete", ""),
        ("exact", ""),
    ]


def test_fields_fold(root: Site, notes: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from djongo_services.admin import fields as module

    begin(root)
    page = finished(root)
    assert page.html.count("<details open>") == page.html.count("</ul></details>") == 3
    assert '<details open><summary><span class="mongo-field-row" data-level="0">' in page.html
    monkeypatch.setattr(module, "MOST_UNFOLDED", 5)
    page = root.get(root.collection("notes", "schema"))
    assert "<details open>" not in page.html
    assert page.html.count("<details>") == 3
    searched = root.get(root.collection("notes", "schema"), q="WIND")
    assert searched.html.count("<details open>") == 1


def test_a_search_shows_fields_with_their_parents(root: Site, notes: Any) -> None:
    begin(root)
    finished(root)
    page = root.get(root.collection("notes", "schema"), q="wind")
    assert [row.split(" ")[0] for row in fields(page)] == ["weather", "wind"]
    assert "1 field found." in page.text
    page = root.get(root.collection("notes", "schema"), q="nothing")
    assert fields(page) == []
    assert "No field matches." in page.text


def test_notes_only_where_there_are_some(root: Site) -> None:
    root.database.notes.insert_one({"_id": 1, "a": 1})
    begin(root)
    assert "has-notes" not in finished(root).html
    root.database.notes.insert_one({"_id": 2, "a": [1]})
    begin(root)
    assert "has-notes" in finished(root).html


def test_fields_lead_to_their_model(root: Site) -> None:
    root.database.books.insert_one({"_id": 1, "title": "A", "other": 1})
    root.post(root.collection("books", "schema_start"), depth="sample")
    for _ in range(SECONDS * 10):
        page = root.get(root.collection("books", "schema"))
        if fields(page):
            break
        threading.Event().wait(0.1)
    found = {row.split(" ")[0]: row for row in fields(page)}
    assert found["title"].endswith("library.Book.title")
    assert found["other"] == "other 100 % int"


class TestValues:
    @pytest.fixture
    def people(self, root: Site) -> Site:
        root.database.notes.insert_many(
            [
                {
                    "_id": n,
                    "age": n,
                    "born": dt.datetime(1990, 1, 1) + dt.timedelta(days=n),
                    "state": "open" if n % 4 else "<b>closed</b>",
                    "unique": f"text {n}",
                    "password": f"pa55word{n}",
                    "note": "pbkdf2_sha256$1000000$abc$def" if n == 7 else f"plain {n}",
                    "by_name": {f"2026-01-{day:02}": {"n": n} for day in range(1, 29)},
                    "tags": ["a", {"deep": n}],
                    "big": 10.0**308 * (1 if n % 2 else -1),
                }
                for n in range(100)
            ]
        )
        begin(root)
        finished(root)
        return root

    def values(self, site: Site, field: str) -> str:
        page = site.get(site.collection("notes", "schema"), values="1", q=field)
        assert "Values of 100 documents" in page.text
        found = page.html.split('<div class="mongo-values">')[1:]
        return read(re.sub(r"<title>", " ", found[-1].split("</div>")[0]))

    def test_numbers_and_dates_have_a_histogram(self, people: Site) -> None:
        assert "0 to 8.25: 9" in self.values(people, "age")
        assert "1990-01-01 to 1990-01-09 06:00:00: 9" in self.values(people, "born")
        assert "-1e+308" in self.values(people, "big")
        assert self.values(people, "by_name.<key>.n").count(" to ") == 12
        assert self.values(people, "deep").count(" to ") == 12

    def test_texts_have_their_most_frequent(self, people: Site) -> None:
        assert self.values(people, "state") == '75 % "open" 25 % "<b>closed</b>"'
        assert self.values(people, "unique").startswith('Such as "text ')

    def test_secrets_are_hidden(self, people: Site) -> None:
        people.login("view_collection", "view_documents")
        for field in ("password", "note"):
            assert self.values(people, field).startswith("The values are hidden")
        whole = people.get(people.collection("notes", "schema"), values="1")
        assert "pa55word" not in whole.html
        assert "pbkdf2" not in whole.html
        assert "plain" not in whole.html
        people.login("view_collection", "view_documents", "view_secrets")
        assert "pa55word" in self.values(people, "password")

    def test_only_with_permission(self, people: Site) -> None:
        people.login("view_collection", "change_collection")
        for query in ({}, {"values": "1"}):
            page = people.get(people.collection("notes", "schema"), **query)
            assert page.status == 200
            assert "mongo-values" not in page.html
            assert "Show values" not in page.text
            assert "text 1" not in page.text

    def test_nothing_is_kept(self, people: Site) -> None:
        self.values(people, "unique")
        for name in people.database.list_collection_names():
            if name.startswith("djongo_services"):
                assert "text 1" not in str(list(people.database[name].find({}, {"profile": 0})))

    def test_a_sample_of_large_documents_ends(self, root: Site) -> None:
        root.database.notes.insert_many(
            [{"_id": n, "text": "x" * 90_000} for n in range(100)]
            + [{"_id": -1, "text": "y" * 200_000}]
        )
        begin(root)
        finished(root)
        page = root.get(root.collection("notes", "schema"), values="1")
        number = int(re.search(r"Values of (\d+) documents", page.text)[1])
        assert 40 <= number <= 100
        assert "y" * 50 not in page.html
        assert len(page.html) < 100_000
