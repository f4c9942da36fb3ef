"""The Schema tab: profiles in the background, kept, shown and exported."""

from __future__ import annotations

import datetime as dt
import json
import threading
from typing import Any

import pytest

from tests.admin.conftest import Page, Site, rows

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
    assert "No profile has been taken yet" in page.text
    assert "Sample Complete Exact" in " ".join(
        one for one in page.text.split() if one in ("Sample", "Complete", "Exact")
    )


def test_a_sample_is_there_at_once(root: Site, notes: Any) -> None:
    begin(root)
    page = finished(root)
    found = {row.split(" ")[0]: row for row in rows(page.html)}
    assert found["title"] == "title 100 % string 90 % int 10 %"
    assert "0 to 2 elements" in found["tags"]
    assert found["[]"] == "[] 100 % string"
    assert found["wind"] == "wind 100 % double"
    assert "map: 28 date keys" in found["by_day"]
    assert "all 100 documents examined" in page.text
    assert '"title" holds string (90 %), int (10 %)' in page.text
    assert [entry.change_message for entry in root.log()] == ["began a profile: sample"]
    assert "1 warning of the last profile" in root.get(root.url("collection_changelist")).text


@pytest.mark.parametrize("depth", ["complete", "exact"])
def test_deeper(root: Site, notes: Any, depth: str) -> None:
    begin(root, depth)
    finished(root)
    assert state(root)["kept"]["requested"] == depth
    assert state(root)["run"]["status"] == "done"


def test_another_depth_is_refused(root: Site, notes: Any) -> None:
    assert root.post(root.collection("notes", "schema_start"), depth="bottom").status == 404


class TestFromAnotherProcess:
    """What stands in the collection is all that processes know of each other."""

    @pytest.fixture
    def elsewhere(self, root: Site, notes: Any) -> Any:
        """A profile that another process takes."""
        from djongo_services.admin.profiles.keeping import Profiles
        from djongo_services.introspection.progress import Progress

        profiles = Profiles(root.database, "notes")
        run = profiles.begin(depth="exact", by="somebody")
        assert run is not None
        progress = Progress(collection="notes", phase="counts", done=1_500, total=20_000)
        assert profiles.slot.beat(run, progress)
        return profiles, run, progress

    def test_progress_shows(self, root: Site, elsewhere: Any) -> None:
        page = root.get(root.collection("notes", "schema"))
        assert "A profile is being taken: exact, for somebody" in page.text
        assert "counting" in page.text
        assert "1,500 of 20,000 documents" in page.text
        assert '<progress max="20000" value="1500"' in page.html
        # Without a script, the page looks again by itself.
        assert '<noscript><meta http-equiv="refresh"' in page.html
        progress = json.loads(root.get(root.collection("notes", "schema_progress")).html)["run"]
        assert (progress["phase"], progress["done"], progress["total"]) == ("counting", 1500, 20000)

    def test_one_at_a_time(self, root: Site, elsewhere: Any) -> None:
        said = root.post(root.collection("notes", "schema_start"), follow=True, depth="sample")
        assert "is being taken already" in said.html

    def test_it_can_be_stopped(self, root: Site, elsewhere: Any) -> None:
        profiles, run, progress = elsewhere
        said = root.post(root.collection("notes", "schema_stop"), follow=True)
        assert "ends soon" in said.html
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
    """By this process's own thread, which looks whether it is to go on."""
    from djongo_services.admin.profiles.keeping import Profiles
    from djongo_services.admin.profiles.running import Order, reserve, run_in_background
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
        assert reserve()
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
    from djongo_services.admin.exporting import FORMATS as OURS
    from djongo_services.management.commands.inspectmongo import Command

    assert tuple(OURS) == tuple(Command.formats)


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
