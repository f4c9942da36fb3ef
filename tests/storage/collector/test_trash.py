"""Removed files are restored unchanged, or deleted permanently after their time."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import bson
import gridfs
import pytest
from bson import Int64, ObjectId
from bson.raw_bson import RawBSONDocument

from djongo_services.lease import Locked
from djongo_services.storage.collector import (
    Kind,
    NotInTrash,
    NotRestored,
    count_trash,
    find_in_trash,
    list_trash,
    purge,
    restore,
    trash,
)
from tests.storage.collector.by_hand import (
    OLD,
    contents,
    counts,
    filenames,
    in_use,
    make_bucket,
    moment,
    object_id,
    put,
    put_chunks,
    run,
)

AT_ONCE = timedelta(0)


@pytest.fixture
def bucket(matrix_database):
    make_bucket(matrix_database)
    return matrix_database


@pytest.fixture
def fs(database):
    make_bucket(database)
    return database


def empty(database, *names: str, **options: Any):
    return purge(database, references=in_use(*names), **{"older_than": AT_ONCE, **options})


class TestEntries:
    def test_a_file_as_a_whole(self, bucket):
        id = put(bucket, "a", metadata={"contentType": "text/plain"})
        document = bucket["fs.files"].find_one()
        report = run(bucket)
        (entry,) = bucket["fs.trash"].find()
        assert entry.pop("trashedAt") > document["uploadDate"]
        assert entry == {
            "_id": id,
            "file": document,
            "kind": "unreferenced",
            "reason": "",
            "run": report.run,
        }
        assert bucket["fs.chunks"].count_documents({"files_id": id}) == 3
        assert counts(run(bucket)) == {}  # The entry accounts for the chunks.

    def test_orphan_chunks_with_their_size(self, fs):
        put_chunks(fs, "x")
        run(fs)
        (entry,) = fs["fs.trash"].find()
        assert {key: entry[key] for key in ("_id", "kind", "chunks", "bytes")} == {
            "_id": "x",
            "kind": "orphan-chunks",
            "chunks": 3,
            "bytes": 10,
        }

    def test_are_listed_a_page_at_a_time(self, fs):
        for number in range(5):
            put(fs, f"{number}", id=number)
            run(fs)
        pages = [list_trash(fs, "fs", skip=skip, limit=2) for skip in (0, 2, 4)]
        assert [[entry.filename for entry in page] for page in pages] == [
            ["4", "3"],
            ["2", "1"],
            ["0"],
        ]
        assert (pages[0][0].kind, pages[0][0].bytes) == (Kind.UNREFERENCED, 10)
        summary = count_trash(fs, "fs")
        assert (summary.entries, summary.bytes) == (5, 50)
        assert summary.oldest == pages[2][0].trashed_at

    def test_of_a_later_version(self, fs):
        fs["fs.trash"].insert_one({"_id": 1, "kind": "new", "trashedAt": moment(OLD)})
        (entry,) = list_trash(fs, "fs")
        assert (entry.kind, entry.filename, entry.bytes) == ("new", None, 0)


class TestRestore:
    def test_byte_by_byte(self, bucket):
        """For any content of the files document, in any order."""
        id = object_id()
        put_chunks(bucket, id)
        document = {
            "metadata": {"b": 1, "a": [Int64(2), {"x": bson.Regex("a", "i")}]},
            "_id": id,
            "length": 10.0,
            "chunkSize": Int64(4),
            "filename": "a",
            "uploadDate": moment(OLD),
            "extra": bson.Decimal128("1.0"),
        }
        raw = bucket.get_collection(
            "fs.files", codec_options=bson.CodecOptions(document_class=RawBSONDocument)
        )
        raw.insert_one(RawBSONDocument(bson.encode(document)))
        before = contents(bucket, ["fs.files", "fs.chunks"])
        run(bucket)
        assert filenames(bucket) == []
        (entry,) = restore(bucket, ids=[id])
        assert (entry.id, entry.filename) == (id, "a")
        assert contents(bucket, ["fs.files", "fs.chunks"]) == before
        assert bucket["fs.trash"].count_documents({}) == 0
        assert gridfs.GridFSBucket(bucket).open_download_stream(id).read() == b"0123456789"

    def test_what_came_back_is_as_safe_as_new(self, bucket):
        """Otherwise the next run would remove it again."""
        file = put(bucket, "a")
        put_chunks(bucket, "orphan")
        run(bucket)
        restore(bucket, ids=[file, "orphan"])
        report = run(bucket)
        assert (counts(report), report.young) == ({}, 2)
        report = run(bucket, older_than=AT_ONCE)
        assert counts(report) == {Kind.UNREFERENCED: 1, Kind.ORPHAN_CHUNKS: 1}

    def test_an_upload(self, fs):
        entry = {"_id": 1, "filename": "a", "touchedAt": moment(OLD), "startedAt": moment(OLD)}
        fs["fs.uploads"].insert_one(entry)
        put_chunks(fs, 1)
        before = contents(fs, ["fs.uploads"])
        run(fs)
        assert fs["fs.uploads"].count_documents({}) == 0
        restore(fs, ids=[1])
        assert contents(fs, ["fs.uploads"]) == before
        assert counts(run(fs)) == {}

    def test_nothing_when_one_is_not_there(self, fs):
        id = put(fs, "a")
        run(fs)
        before = contents(fs)
        with pytest.raises(NotInTrash, match='There is no "b" in the trash'):
            restore(fs, ids=[id, "b"])
        assert contents(fs) == before

    def test_chunks_that_are_gone(self, fs):
        """Another process that deleted the file while it was in the trash has deleted them."""
        id = put(fs, "a")
        run(fs)
        fs["fs.chunks"].delete_many({})
        with pytest.raises(NotRestored, match="its chunks were deleted"):
            restore(fs, ids=[id])

    def test_a_broken_file_as_broken_as_it_was(self, fs):
        id = put(fs, "a")
        fs["fs.chunks"].delete_one({"n": 1})
        run(fs)
        restore(fs, ids=[id])
        assert filenames(fs) == ["a"]

    def test_whose_name_another_file_must_have_alone(self, fs):
        fs["fs.files"].create_index(
            "filename", unique=True, partialFilterExpression={"metadata.exclusive": True}
        )
        id = put(fs, "a", metadata={"exclusive": True})
        run(fs)
        put(fs, "a", metadata={"exclusive": True})
        with pytest.raises(NotRestored, match=r'another file of the bucket .* has its name "a"'):
            restore(fs, ids=[id])
        assert fs["fs.trash"].count_documents({}) == 1

    def test_more_than_fit_into_one_command(self, fs, monkeypatch):
        monkeypatch.setattr("djongo_services.storage.collector.restoring.AT_ONCE", 2)
        ids = [put(fs, f"{number}") for number in range(5)]
        run(fs)
        assert len(restore(fs, ids=ids)) == 5
        assert len(filenames(fs)) == 5


class TestFindInTrash:
    @pytest.mark.parametrize(
        ("id", "text"),
        [
            (ObjectId("0" * 24), "0" * 24),
            ("0" * 24, "0" * 24),
            (12, "12"),
            ("text", "text"),
            ({"a": 1}, '{"a": 1}'),
            (True, "true"),
        ],
    )
    def test_an_id_as_it_is_shown(self, fs, id, text):
        put(fs, "a", id=id)
        run(fs)
        assert find_in_trash(fs, "fs", text) == [id]

    def test_a_filename_of_what_was_removed_last(self, fs):
        for id in (1, 2):
            put(fs, "a", id=id)
            run(fs)
        assert find_in_trash(fs, "fs", "a") == [2]

    @pytest.mark.parametrize("text", ["b", '{"$ne": null}', '{"$regex": ".*"}', "null", "", "[1"])
    def test_nothing_else(self, fs, text):
        put(fs, "a")
        run(fs)
        assert find_in_trash(fs, "fs", text) == []


class TestPurge:
    def test_what_has_been_there_long_enough(self, bucket):
        for name in ("old", "new"):
            put(bucket, name, id=name)
        put_chunks(bucket, "orphan")
        put(bucket, "kept")
        run(bucket, in_use("kept"))
        old = {"$set": {"trashedAt": moment(OLD)}}
        bucket["fs.trash"].update_many({"_id": {"$in": ["old", "orphan"]}}, old)
        report = empty(bucket, older_than=OLD - timedelta(hours=1))
        assert (report.entries, report.bytes, report.restored) == (2, 20, 0)
        assert {entry.filename for entry in report.examples} == {"old", None}
        assert [each["_id"] for each in bucket["fs.trash"].find()] == ["new"]
        assert bucket["fs.chunks"].count_documents({}) == 6
        assert (report.trash.entries, filenames(bucket)) == (1, ["kept"])

    def test_dry(self, fs):
        put(fs, "a")
        run(fs)
        before = contents(fs)
        report = empty(fs, dry_run=True)
        assert (report.entries, report.dry_run) == (1, True)
        assert contents(fs) == before

    def test_what_is_in_use_again_comes_back(self, bucket):
        put(bucket, "a")
        put(bucket, "b")
        run(bucket)
        looked = empty(bucket, "a", dry_run=True)
        assert (looked.entries, looked.restored) == (1, 1)
        report = empty(bucket, "a")
        assert (report.entries, report.restored) == (1, 1)
        assert filenames(bucket) == ["a"]
        assert bucket["fs.chunks"].count_documents({}) == 3

    def test_unless_it_was_deleted(self, fs):
        """The admin has a trash for what people delete, which is this one: what they deleted does
        not come back, and is not destroyed while something refers to it."""
        put(fs, "a")
        run(fs)
        fs["fs.trash"].update_one({}, {"$set": {"kind": "deleted"}})
        assert run(fs, in_use("a")).restored == 0
        before = contents(fs, ["fs.files", "fs.chunks", "fs.trash"])
        for dry_run in (True, False):
            report = empty(fs, "a", dry_run=dry_run)
            assert (report.entries, report.restored, report.kept) == (0, 0, 1)
        assert contents(fs, ["fs.files", "fs.chunks", "fs.trash"]) == before
        assert empty(fs).entries == 1

    def test_unless_another_file_has_the_name_now(self, fs):
        put(fs, "a")
        run(fs)
        new = put(fs, "a")
        assert empty(fs, "a").restored == 0
        assert [each["_id"] for each in fs["fs.files"].find()] == [new]

    def test_or_as_one_of_its_names(self, fs):
        put(fs, "a")
        run(fs)
        put(fs, "b", metadata={"aliases": [{"name": "b"}, {"name": "a"}]})
        assert (empty(fs, "a").restored, filenames(fs)) == (0, ["b"])

    def test_an_entry_of_a_file_that_lives(self, fs):
        """A process died in the middle of a move; the file counts."""
        put(fs, "a")
        document = fs["fs.files"].find_one()
        run(fs)
        fs["fs.files"].insert_one(document)
        assert empty(fs).entries == 1
        assert (filenames(fs), fs["fs.chunks"].count_documents({})) == (["a"], 3)
        assert fs["fs.trash"].count_documents({}) == 0

    def test_many(self, fs, monkeypatch):
        monkeypatch.setattr("djongo_services.storage.collector.purging.AT_ONCE", 3)
        for number in range(10):
            put(fs, f"{number}")
        run(fs)
        assert empty(fs).entries == 10
        assert fs["fs.chunks"].count_documents({}) == fs["fs.trash"].count_documents({}) == 0


class TestWithoutTrash:
    def test_everything_is_gone(self, bucket):
        put(bucket, "a")
        put_chunks(bucket, object_id())
        put(bucket, "kept")
        report = run(bucket, in_use("kept"), keep_in_trash=False)
        assert report.deleted
        assert counts(report) == {Kind.UNREFERENCED: 1, Kind.ORPHAN_CHUNKS: 1}
        assert bucket["fs.trash"].count_documents({}) == 0
        assert bucket["fs.chunks"].count_documents({}) == 3
        assert filenames(bucket) == ["kept"]


class TestDuringARestore:
    """Another process that deletes permanently has to wait, or gets an error; no file is left
    corrupt."""

    def test_it_is_locked(self, fs, monkeypatch):
        id = put(fs, "a")
        run(fs)
        refused = []

        def put_back(places, ids):
            with pytest.raises(Locked, match="Another run is collecting garbage") as caught:
                empty(fs)
            refused.append(caught)
            return trash.put_back(places, ids)

        monkeypatch.setattr("djongo_services.storage.collector.restoring.put_back", put_back)
        restore(fs, ids=[id])
        assert refused
        assert (filenames(fs), fs["fs.chunks"].count_documents({})) == (["a"], 3)

    def test_that_was_stopped_for_so_long_that_its_lease_ran_out(self, fs, monkeypatch):
        id = put(fs, "a")
        run(fs)

        def put_back(places, ids):
            found = trash.put_back(places, ids)
            fs["fs.chunks"].delete_many({})  # What the other process did.
            return found

        monkeypatch.setattr("djongo_services.storage.collector.restoring.put_back", put_back)
        with pytest.raises(NotRestored, match="its chunks were deleted"):
            restore(fs, ids=[id])
        assert filenames(fs) == []


def test_a_run_brings_back_what_is_in_use_again(fs):
    put(fs, "a")
    run(fs)
    report = run(fs, in_use("a"))
    assert (report.restored, filenames(fs)) == (1, ["a"])
