"""The series of profiles, and what changed since one of them."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from bson import ObjectId

from tests.admin.conftest import Page, Site, rows
from tests.admin.test_schema_tab import begin, finished
from tests.introspection.render_example import HOSTILE

PAST = "djongo_services_past_profiles"


@pytest.fixture
def notes(root: Site) -> Any:
    notes = root.database.notes
    notes.insert_many([{"_id": n, "title": f"t{n}", "size": n} for n in range(100)])
    return notes


def take(site: Site) -> None:
    begin(site)
    finished(site)


def changes(site: Site, **query: str) -> Page:
    return site.get(site.collection("notes", "schema_changes"), **query)


def test_before_there_are_two(root: Site, notes: Any) -> None:
    take(root)
    page = root.get(root.collection("notes", "schema"))
    link = page.link("What changed since earlier profiles")
    assert "There is no earlier profile yet." in root.get(link).text


def test_what_changed_since_the_last_one(root: Site, notes: Any) -> None:
    take(root)
    notes.update_many({"_id": {"$lt": 40}}, {"$set": {"title": 1}, "$unset": {"size": 1}})
    notes.update_one({"_id": 50}, {"$set": {"isbn": "x"}})
    take(root)
    page = changes(root)
    assert rows(page.html) == [
        "+ added: title: type int string string 60 %, int 40 % new",
        "~ changed: size in all documents in 60 % of documents new",
        "+ added: isbn string, in 1 % of documents new",
    ]
    assert "3 differences" in page.text


def test_since_an_earlier_one(root: Site, notes: Any) -> None:
    for name in ("first", "second", "third"):
        notes.update_many({}, {"$set": {name: 1}})
        take(root)
    oldest = root.database[PAST].find_one(sort=[("_id", 1)])["_id"]["r"]
    assert [row.split(" ")[2] for row in rows(changes(root).html)] == ["third"]
    since_the_first = changes(root, since=str(oldest))
    assert [row.split(" ")[2] for row in rows(since_the_first.html)] == ["second", "third"]
    assert f'<option value="{oldest}" selected>' in since_the_first.html


def test_nothing_changed(root: Site, notes: Any) -> None:
    take(root)
    take(root)
    assert "No difference is larger than sampling error." in changes(root).text


def test_shares_over_time_are_drawn(root: Site, notes: Any) -> None:
    for number in (0, 30, 60):
        notes.update_many({"_id": {"$lt": number}}, {"$set": {"title": 1}})
        take(root)
    page = changes(root)
    assert "title int 0 % to 60 %" in page.text
    assert "title string 100 % to 40 %" in page.text
    assert page.html.count("<polyline") == 2
    assert 'points="0.0,30.0 ' in page.html
    assert ' 100.0,12.0"' in page.html


def test_a_profile_is_there_where_the_series_cannot_be_written(root: Site, notes: Any) -> None:
    root.database.create_collection(PAST, validator={"nobody": "writes this"})
    take(root)
    assert "all 100 documents examined" in root.get(root.collection("notes", "schema")).text
    assert "There is no earlier profile yet." in changes(root).text


@pytest.mark.parametrize("since", ["x", "0" * 24])
def test_a_profile_that_there_is_not(root: Site, notes: Any, since: str) -> None:
    take(root)
    assert changes(root, since=since).status == 404


def test_a_dropped_collection(root: Site, notes: Any) -> None:
    take(root)
    notes.drop()
    assert changes(root).status == 404


def test_whoever_may_view_collections_sees_it(site: Site, root: Site, notes: Any) -> None:
    take(root)
    site.login("view_collection")
    assert changes(site).status == 200
    site.login("view_file")
    assert changes(site).status == 403


@pytest.mark.parametrize("name", HOSTILE)
def test_names_are_text_and_nothing_else(root: Site, notes: Any, name: str) -> None:
    take(root)
    notes.update_many({}, {"$set": {"inside": {name: 1}}})
    take(root)
    notes.update_many({"_id": {"$lt": 50}}, {"$set": {"inside": {name: "x"}}})
    take(root)
    html = changes(root).html
    assert "<script>alert" not in html
    assert "<img src" not in html
    assert "\x1b" not in html


class TestSeries:
    def test_it_is_bounded_in_number(self, root: Site) -> None:
        from djongo_services.admin.profiles.series import MOST, Series

        series, other = Series(root.database, "notes"), Series(root.database, "notes2")
        other.add(ObjectId(), SUMMARY, b"other")
        runs = [ObjectId() for _ in range(MOST + 3)]
        for run in runs:
            series.add(run, SUMMARY, b"data")
        assert [one.id for one in series.listed()] == runs[::-1][:MOST]
        assert root.database[PAST].count_documents({}) == MOST + 1
        assert len(other.listed()) == 1

    def test_it_is_bounded_in_bytes_and_the_newest_stays(self, root: Site) -> None:
        from djongo_services.admin.profiles.series import MOST_BYTES, Series

        series = Series(root.database, "notes")
        large = b"x" * (MOST_BYTES // 2 - 10)
        for _ in range(4):
            series.add(ObjectId(), SUMMARY, large)
        assert len(series.listed()) == 2

    def test_it_says_when_and_by_whom(self, root: Site) -> None:
        from djongo_services.admin.profiles.series import Series

        run = ObjectId()
        series = Series(root.database, "$odd.{name}")
        series.add(run, SUMMARY | {"by": "$$ROOT"}, b"$data")
        (found,) = series.listed()
        assert (found.id, found.by, found.reached, found.size) == (run, "$$ROOT", "sample", 5)
        now = dt.datetime.now(dt.UTC).replace(tzinfo=found.finished.tzinfo)
        assert abs(now - found.finished) < dt.timedelta(minutes=1)
        assert series.read([run, ObjectId()]) == {run: b"$data"}


SUMMARY = {"requested": "sample", "reached": "sample", "documents": 5, "warnings": 0, "by": "me"}
