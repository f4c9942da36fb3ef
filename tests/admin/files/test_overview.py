"""The buckets of a connection, and what is in them."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from bson import DatetimeMS, Int64
from pymongo.errors import OperationFailure

from tests.admin.conftest import Site
from tests.admin.files.conftest import Files, png


def document(**values: Any) -> dict[str, Any]:
    at = dt.datetime(2025, 3, 1, tzinfo=dt.UTC)
    return {"length": Int64(10), "chunkSize": 10, "uploadDate": at, "filename": "a", **values}


def test_buckets_with_totals_by_type_and_month(files: Files) -> None:
    files.add("a.png", png(), "image/png")
    files.add("b.txt", b"x" * 2_000, "text/plain")
    files.documents.insert_one(document(uploadDate=dt.datetime(2025, 3, 1), length=1_000))
    files.trash.insert_one({"_id": 1})
    page = files.site.get(files.site.url("file_changelist"))
    assert page.status == 200
    assert "3 files" in page.text
    assert "1 in the trash" in page.text
    assert "Text 2.0 kB, 65 %, 1 file" in page.text
    assert "Images" in page.text
    assert "Other 1.0 kB, 32 %, 1 file" in page.text
    assert "<title>March 2025: 1 file, 1.0 kB</title>" in page.html
    assert "gallery.Picture.image (pictures/…)" in page.text
    assert page.link("media") == files.url()


def test_buckets_that_are_not_there_yet(files: Files) -> None:
    page = files.site.get(files.site.url("file_changelist"))
    assert "no files stored yet" in page.text
    assert page.link("kept")
    assert files.get().text.count("The bucket is empty.") == 1
    assert files.get("totals").status == 200
    assert files.get("collector").status == 200


def test_what_only_looks_like_a_bucket(root: Site) -> None:
    root.database["half.files"].insert_one({})
    root.database["view.chunks"].insert_one({})
    root.database.command("create", "view.files", viewOn="half.files", pipeline=[])
    page = root.get(root.url("file_changelist"))
    assert "half" not in page.text
    assert "view" not in page.text


def test_many_buckets_come_page_by_page(root: Site) -> None:
    for number in range(45):
        root.database.create_collection(f"b{number:02}.files")
        root.database.create_collection(f"b{number:02}.chunks")
    first = root.get(root.url("file_changelist"))
    assert first.html.count('class="mongo-bucket"') == 20
    last = root.get(root.url("file_changelist"), p="99")
    assert last.html.count('class="mongo-bucket"') == 7
    assert "b44" in last.text
    assert root.get(root.url("file_changelist"), p="-1").status == 200


def test_whatever_files_documents_hold_is_counted(files: Files) -> None:
    files.bucket.upload("a", b"")
    files.documents.insert_many(
        [
            document(length="many", uploadDate="yesterday", metadata=7),
            document(length=-5, uploadDate=None, metadata={"contentType": ["a"]}),
            document(length=float("nan"), uploadDate=3, metadata={"contentType": "x" * 5_000}),
            document(uploadDate=dt.datetime(1, 1, 1), contentType="text/plain"),
            document(uploadDate=DatetimeMS(10**15)),
            document(uploadDate=DatetimeMS(-(10**15)), filename=None),
        ]
    )
    overview = files.site.get(files.site.url("file_changelist"))
    for page in (overview, files.get("totals"), files.get(), files.get(o="name")):
        assert page.status == 200
        assert "7 files" in page.text
    assert "5 files without a date" in files.get("totals").text


class TestLargeBuckets:
    """Counting reads all files, so it is done on request only."""

    @pytest.fixture
    def large(self, files: Files, monkeypatch: pytest.MonkeyPatch) -> Files:
        for room in ("overview_page", "totals_page"):
            monkeypatch.setattr(f"djongo_services.admin.files.{room}.SMALL", 2)
        files.bucket.upload_many((f"{n}", b"12345") for n in range(3))
        return files

    def test_until_then_it_says_so(self, large: Files) -> None:
        page = large.get("totals")
        assert "not been counted yet" in page.text
        assert "3 files" in page.text
        assert "mongo-share" not in page.html
        assert "not been counted yet" in large.site.get(large.site.url("file_changelist")).text

    def test_the_last_count_is_kept_with_its_date(self, large: Files) -> None:
        page = large.post(large.url("count"))
        assert "Counted 20" in page.text
        assert "15 B" in page.text
        large.add("more")
        page = large.site.get(large.site.url("file_changelist"))
        assert "4 files" in page.text  # which the server knows
        assert "Other 15 B, 100 %, 3 files" in page.text
        assert "Counted 20" in page.text
        again = large.post(large.url("count"))
        assert "22 B" in again.text

    def test_one_count_at_a_time(self, large: Files) -> None:
        from djongo_services.admin.files.totals import begin_count
        from djongo_services.admin.jobs.slot import COLLECTION

        assert begin_count(large.site.database, "media", by="ann")
        page = large.post(large.url("count"))
        assert "A count is already running." in page.text
        assert "Counting, since" in page.text
        # One that died does not keep others from it.
        kept = large.site.database[COLLECTION]
        kept.update_one({}, {"$set": {"run.started": dt.datetime(2020, 1, 1)}})
        assert "was interrupted: its process has ended" in large.get("totals").text
        assert "Counted 20" in large.post(large.url("count")).text

    def test_a_count_that_fails(self, large: Files) -> None:
        # The view takes the place of the files after the page has seen them.
        from djongo_services.admin.files.totals import begin_count, count_and_keep

        database = large.site.database
        begin_count(database, "broken", by="ann")
        database.command(
            "create",
            "broken.files",
            viewOn="media.files",
            pipeline=[{"$set": {"x": {"$divide": [1, 0]}}}],
        )
        with pytest.raises(OperationFailure):
            count_and_keep(database, "broken")
        database.drop_collection("broken.files")
        page = Files(large.site, "broken").get("totals")
        assert "The last count failed" in page.text
