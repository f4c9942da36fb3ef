"""Dry runs, collecting, the trash, and actions on many files."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from bson import ObjectId

from djongo_services.connections import connections
from tests.admin.conftest import Page, Site
from tests.admin.files.conftest import LONG_AGO, Files
from tests.admin.files.test_changes import log
from tests.admin.files.test_list import names


@pytest.fixture
def garbage(files: Files, new_picture: Callable[..., Any]) -> Files:
    """One of each kind, and files that are in use or new."""
    new_picture("used", "used.txt")
    new_picture("torn", "torn.txt")
    files.add("pictures/new.txt")
    files.add_old("pictures/used.txt", b"old")
    files.add_old("pictures/used.txt", b"used")
    files.documents.update_one(
        {"_id": newest(files)}, {"$set": {"uploadDate": LONG_AGO.replace(day=16)}}
    )
    files.add_old("pictures/lost.txt")
    files.add_old("pictures/lost2.txt")
    files.chunks.delete_one({"files_id": files.add_old("pictures/torn.txt")})
    old = ObjectId.from_datetime(LONG_AGO)
    files.chunks.insert_one({"_id": old, "files_id": old, "n": 0, "data": b"orphan"})
    return files


def newest(files: Files) -> Any:
    return files.documents.find_one({"filename": "pictures/used.txt"}, sort=[("_id", -1)])["_id"]


def dry_run(files: Files, **options: Any) -> Page:
    return act(files, files.url("dry_run"), **options)


def act(files: Files, url: str, **options: Any) -> Page:
    """The page on which the end of a job is reported."""
    page = files.post(url, **options)
    if "data-progress" not in page.html:
        return page
    wait(files)
    return files.get("collector")


def rows(page: Page) -> dict[str, str]:
    import re

    body = page.html.partition('id="report"')[2].partition("</table>")[0]
    found = re.findall(r'(?s)<th scope="row">([^<]*)<.*?data-label="Found">([^<]*)<', body)
    return dict(found)


class TestDryRun:
    def test_the_report(self, garbage: Files) -> None:
        assert "No dry run yet." in garbage.get("collector").text
        page = dry_run(garbage)
        assert page.status == 200
        assert rows(page) == {
            "Orphan chunks": "1",
            "Broken files": "0",
            "Unreferenced files": "2",
            "Superseded revisions": "1",
            "Stale uploads": "0",
        }
        assert "broken, but kept because they are or may be in use: 1" in page.text
        assert "minimum age 48 hours" in page.text
        assert "Dry run older than 48 hours done Found: 5 items" in page.text
        # Nothing was changed.
        assert garbage.trash.count_documents({}) == 0
        assert garbage.site.log() == []

    def test_what_it_found_is_listed(self, garbage: Files) -> None:
        dry_run(garbage)
        assert set(names(garbage.get(state="unreferenced"))) == {
            "pictures/lost.txt",
            "pictures/lost2.txt",
        }
        assert names(garbage.get(state="unreferenced", q="pictures/lost2")) == [
            "pictures/lost2.txt"
        ]
        broken = garbage.get(state="broken")
        assert names(broken) == ["pictures/torn.txt"]
        assert "all its chunks are missing" in broken.text
        assert "kept, because it is or may be in use" in broken.text
        assert names(garbage.get(state="superseded")) == ["pictures/used.txt"]
        assert "Found by the dry run of 20" in broken.text
        garbage.documents.delete_many({"filename": "pictures/torn.txt"})
        assert "no longer exists" in garbage.get(state="broken").text

    def test_long_lists_of_what_was_found(self, garbage: Files) -> None:
        for number in range(110):
            garbage.add_old(f"pictures/more{number:03}.txt")
        dry_run(garbage, only=["unreferenced"])
        first = garbage.get(state="unreferenced")
        second = garbage.site.get(garbage.url() + first.link("Next page"))
        assert len({*names(first), *names(second)}) == 112
        assert 'rel="next"' not in second.html

    def test_options(self, garbage: Files) -> None:
        page = dry_run(garbage, only=["orphan-chunks"], older="3650d", verify="1")
        assert rows(page) == {"Orphan chunks": "0"}
        assert "older than 3,650 days; orphan chunks; every byte read" in page.text
        assert "Kept because of their age: 1." in page.text
        assert "Invalid age 'soon'" in dry_run(garbage, older="soon").text

    def test_the_next_one_takes_the_place_of_the_last(self, garbage: Files) -> None:
        dry_run(garbage)
        garbage.documents.delete_many({"filename": {"$regex": "lost"}})
        garbage.chunks.delete_many({"files_id": {"$type": "objectId"}})
        dry_run(garbage, only=["unreferenced"])
        from djongo_services.admin.files.findings import COLLECTION

        assert garbage.site.database[COLLECTION].count_documents({}) == 0
        assert "None found." in garbage.get(state="unreferenced").text

    def test_what_cannot_be_told_is_said(self, garbage: Files, connect: Any) -> None:
        from tests.transaction.conftest import entry

        path = "tests.admin.files.gallery.references.broken"
        services = {"STORAGE": {"REFERENCES": [path]}}
        connect(services, archive=entry(garbage.site.database))
        page = dry_run(garbage)
        assert (
            "failed. It cannot be determined which files of the bucket 'media' are in use"
            in page.text
        )
        from djongo_services.admin.files.findings import COLLECTION

        assert garbage.site.database[COLLECTION].count_documents({}) == 0


class TestCollecting:
    def test_after_a_confirmation(self, garbage: Files) -> None:
        page = dry_run(garbage)
        url = page.link("Collect all")
        asked = garbage.site.get(url)
        assert "Older than 48 hours" in asked.text
        assert "restored from there for 30 days" in asked.text
        assert garbage.trash.count_documents({}) == 0
        done = act(garbage, url, older=asked.value("older"))
        assert "Moved to the trash: 4 items" in done.text
        assert "unreferenced files: 2" in done.text
        assert "4 in the trash" in done.text
        assert garbage.names() == {"pictures/new.txt", "pictures/used.txt", "pictures/torn.txt"}
        assert log(garbage) == [("media", 2, "Collected garbage: older than 48 hours.")]

    def test_one_kind(self, garbage: Files) -> None:
        url = dry_run(garbage).link("Collect orphan chunks")
        asked = garbage.site.get(url)
        assert asked.value("only") == "orphan-chunks"
        act(garbage, url, older=asked.value("older"), only=asked.value("only"))
        (entry,) = garbage.trash.find({})
        assert entry["kind"] == "orphan-chunks"

    def test_while_another_run_is_at_work(self, garbage: Files) -> None:
        from djongo_services.storage.collector.collecting import lease_of
        from djongo_services.storage.collector.collections import BucketCollections

        with lease_of(BucketCollections.of(garbage.site.database, "media")):
            page = act(garbage, garbage.url("collect"), older="48h")
        assert "failed." in page.text
        assert "collecting garbage in the bucket" in page.text
        assert garbage.trash.count_documents({}) == 0


class TestTrash:
    def test_it_is_emptied(self, garbage: Files) -> None:
        act(garbage, garbage.url("collect"), older="48h")
        url = garbage.url("empty_trash")
        asked = garbage.site.get(url, days="0")
        assert "Items in the trash for 0 days or longer are deleted for good" in asked.text
        wrong = garbage.post(url, days="0", name="other")
        assert "That is not the name of the bucket; nothing was done." in wrong.text
        assert garbage.trash.count_documents({}) == 4
        page = act(garbage, url, days="0", name="media")
        assert "4 entries of the trash were deleted for good" in page.text
        assert garbage.trash.count_documents({}) == 0
        assert log(garbage)[-1][2] == "Emptied the trash: items in it for 0 days or longer."

    def test_what_is_not_old_enough_stays(self, garbage: Files) -> None:
        act(garbage, garbage.url("collect"), older="48h")
        page = act(garbage, garbage.url("empty_trash"), days="30", name="media")
        assert "0 entries of the trash were deleted" in page.text
        assert garbage.site.get(garbage.url("empty_trash"), days="x").value("days") == "30"


class TestBulk:
    @pytest.fixture
    def many(self, files: Files) -> Files:
        files.bucket.upload_many((f"a/{n:04}", b"x") for n in range(1_200))
        files.bucket.upload_many((f"b/{n:04}", b"x") for n in range(3))
        return files

    def ids(self, files: Files) -> list[str]:
        return [str(each["_id"]) for each in files.documents.find({"filename": {"$regex": "^b/"}})]

    def bulk(self, files: Files, **data: Any) -> Page:
        return act(files, files.url("bulk"), **data)

    def test_chosen_files(self, many: Files) -> None:
        ids = self.ids(many)
        asked = self.bulk(many, action="delete", ids=ids[:2], query="q=b%2F")
        assert "2 files." in asked.text
        assert asked.html.count('name="ids"') == 2
        page = self.bulk(many, action="delete", ids=ids[:2], query="q=b%2F", confirmed="1")
        assert "2 files are in the trash now." in page.text
        assert many.trash.count_documents({}) == 2
        assert log(many) == [("media", 2, "Moved to the trash: 2 selected files.")]
        back = {"ids": ids, "query": "state=trash", "action": "restore"}
        assert "3 files." in self.bulk(many, **back).text
        page = self.bulk(many, **back, confirmed="1")
        assert "2 files were restored. 1 file was skipped" in page.text
        assert many.documents.count_documents({}) == 1_203

    def test_all_that_match(self, many: Files) -> None:
        everything = {"action": "delete", "all": "1", "query": "q=a%2F&type=-"}
        asked = self.bulk(many, **everything)
        assert "1,200 files." in asked.text
        assert "the name begins with a/, without a type" in asked.text
        wrong = self.bulk(many, **everything, confirmed="1", name="no")
        assert "That is not the name of the bucket" in wrong.text
        assert many.documents.count_documents({}) == 1_203
        self.bulk(many, **everything, confirmed="1", name="media")
        wait(many)
        assert many.documents.count_documents({}) == 3
        assert many.trash.count_documents({}) == 1_200
        assert "1,200 files are in the trash now." in many.get("collector").text
        purge = {"action": "purge", "all": "1", "query": "state=trash", "name": "media"}
        self.bulk(many, **purge, confirmed="1")
        wait(many)
        assert many.trash.count_documents({}) == 0
        assert many.chunks.count_documents({}) == 3
        assert [each[2] for each in log(many)] == [
            "Moved to the trash: the name begins with a/, without a type.",
            "Deleted for good from the trash: in the trash.",
        ]

    def test_for_good(self, many: Files) -> None:
        ids = self.ids(many)
        page = self.bulk(many, action="delete", ids=ids, confirmed="1", fate="good")
        assert "3 files were deleted for good." in page.text
        assert many.trash.count_documents({}) == 0

    def test_so_many_that_they_are_not_counted(
        self, many: Files, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for room in ("bulk", "bulk_pages"):
            monkeypatch.setattr(f"djongo_services.admin.files.{room}.COUNTED", 1_000)
        asked = self.bulk(many, action="delete", all="1", query="")
        assert "More than 1,000 files." in asked.text

    def test_what_makes_no_sense(self, many: Files) -> None:
        ids = self.ids(many)
        assert "Select at least one file." in self.bulk(many, action="delete").text
        for data in (
            {"action": "nonsense", "ids": ids},
            {"action": "purge", "ids": ids},
            {"action": "restore", "ids": ids},
            {"action": "delete", "ids": ids, "query": "state=trash"},
            {"action": "delete", "ids": ["nonsense"]},
        ):
            assert self.bulk(many, **data).status == 404
        found = self.bulk(many, action="delete", all="1", query="state=broken", confirmed="1")
        assert "Select at least one file." in found.text
        assert many.documents.count_documents({}) == 1_203
        assert many.site.get(many.url("bulk")).status == 405


def wait(files: Files) -> None:
    """Wait for a job that continues after the page has been answered."""
    from djongo_services.admin.jobs import background

    for one in list(background._under_way):
        assert one.ended.wait(60)


class TestJobs:
    """Long jobs continue in the background, one for each bucket, and can be stopped."""

    @pytest.fixture
    def begun(self, garbage: Files, monkeypatch: pytest.MonkeyPatch) -> Any:
        """A dry run that continues until it is stopped."""
        from djongo_services.admin.files import collecting
        from djongo_services.admin.jobs import background
        from djongo_services.storage.collector.collecting import collect

        monkeypatch.setattr(background, "MOMENT", 0.01)
        goes_on, begun = threading.Event(), threading.Event()

        def slow(*args: Any, **options: Any) -> Any:
            begun.set()
            while not goes_on.wait(0.05) and not options["stop"].is_set():
                pass
            return collect(*args, **options)

        monkeypatch.setattr(collecting, "collect", slow)
        garbage.post(garbage.url("dry_run"), follow=False)
        assert begun.wait(30)
        yield goes_on
        goes_on.set()
        wait(garbage)

    def test_it_is_shown_and_ends(self, garbage: Files, begun: Any) -> None:
        page = garbage.get("collector")
        assert "Dry run: older than 48 hours" in page.text
        assert "data-progress" in page.html
        progress = garbage.site.client.get(garbage.url("job")).json()
        assert progress["run"]["is_running"]
        refused = garbage.post(garbage.url("dry_run"))
        assert "A job is already running on this bucket." in refused.text
        begun.set()
        wait(garbage)
        assert rows(garbage.get("collector"))["Unreferenced files"] == "2"
        progress = garbage.site.client.get(garbage.url("job")).json()
        assert progress["run"]["status"] == "done"

    def test_it_is_stopped(self, garbage: Files, begun: Any) -> None:
        page = garbage.post(garbage.url("job_stop"))
        assert "The job will stop soon; completed work is kept." in page.text
        wait(garbage)
        page = garbage.get("collector")
        assert "Dry run" in page.text
        assert "stopped. It was stopped; completed steps are kept." in page.text
        assert log(garbage) == [("media", 2, "Stopped the job.")]

    def test_a_bulk_action_is_stopped(self, files: Files) -> None:
        from djongo_services.admin.files.bulk import Chosen, bulk_work
        from djongo_services.admin.files.filters import Filters
        from djongo_services.admin.jobs.bucket_jobs import JobStopped

        files.add("a")
        connection = connections["archive"]
        work = bulk_work("delete", connection, "media", Chosen(filters=Filters(), ids=None), "ann")
        stop = threading.Event()
        stop.set()
        with pytest.raises(JobStopped, match="stopped after 0 files"):
            work(files.site.database, stop, lambda progress: None)
        assert files.names() == {"a"}

    def test_unexpected_errors_are_shown_too(
        self, garbage: Files, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from djongo_services.admin.files import collecting

        def fail(*args: Any, **options: Any) -> Any:
            raise KeyError("secret")

        monkeypatch.setattr(collecting, "collect", fail)
        page = dry_run(garbage)
        assert "failed. KeyError" in page.text
        assert "secret" not in page.text

    def test_one_that_died_makes_room(self, garbage: Files, begun: Any) -> None:
        import datetime as dt

        from djongo_services.admin.jobs.slot import COLLECTION

        begun.set()
        wait(garbage)
        kept = garbage.site.database[COLLECTION]
        died = {"run.status": "running", "run.beat": dt.datetime(2026, 1, 1)}
        kept.update_one({"_id": {"job": "media"}}, {"$set": died})
        assert "its process has ended" in garbage.get("collector").text
        assert rows(dry_run(garbage))["Unreferenced files"] == "2"

    def test_the_last_are_remembered(self, files: Files) -> None:
        from djongo_services.admin.jobs.bucket_jobs import KEPT, BucketJobs

        jobs = BucketJobs(connections["archive"].database, "media")
        for number in range(KEPT + 5):
            run = jobs.begin("delete", words=f"$number {number}", by="$ann")
            assert run is not None
            jobs.end(run, "done", "$said")
        found = jobs.read()
        assert [each.words for each in found] == [f"$number {n}" for n in range(KEPT + 4, 3, -1)]
        assert {each.status for each in found} == {"done"}


def test_who_may_collect(site: Site, new_picture: Callable[..., Any]) -> None:
    new_picture("any", "a")
    files = Files(site)
    files.add("pictures/new.txt")
    files.add_old("pictures/lost.txt")
    site.login("view_file", "change_file")
    assert "Dry run" in files.get("collector").text
    page = dry_run(files)
    assert rows(page)["Unreferenced files"] == "1"
    assert "Collect all" not in page.text
    assert files.get("collect").status == 403
    site.login("view_file")
    assert 'type="checkbox"' not in files.get("collector").html
    assert files.post(files.url("dry_run")).status == 403
