"""The findings of the collector, of each kind, and the files that it leaves alone."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta

import gridfs
import pytest
from bson import Binary, Decimal128, Int64, ObjectId, Regex

from djongo_services.storage.collector import BucketUnusable, Kind, References
from djongo_services.storage.collector.references.sources import Territory
from tests.storage.collector.by_hand import (
    GRACE,
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

pytestmark = pytest.mark.versions


YOUNG = timedelta(hours=47)
IDS = [
    None,
    False,
    True,
    1,
    2.5,
    Decimal128("3"),
    "name",
    "",
    {"a": 1},
    {"a": {"b": [1]}},
    Binary(b"x", 128),
    Binary.from_uuid(uuid.UUID(int=1)),
    ObjectId(),
    datetime(2020, 1, 1),
    Int64(2**40),
    float("nan"),
]


@pytest.fixture
def bucket(matrix_database):
    make_bucket(matrix_database)
    return matrix_database


@pytest.fixture
def fs(database):
    make_bucket(database)
    return database


class TestOrphanChunks:
    def test_of_no_file(self, bucket):
        kept = put(bucket, "kept")
        put_chunks(bucket, object_id())
        report = run(bucket, in_use("kept"))
        assert counts(report) == {Kind.ORPHAN_CHUNKS: 1}
        (example,) = report.found[Kind.ORPHAN_CHUNKS].examples
        assert (example.bytes, example.filename) == (10, None)
        assert bucket["fs.trash"].find_one()["chunks"] == 3
        assert bucket["fs.chunks"].count_documents({"files_id": kept}) == 3

    def test_under_ids_of_any_type_between_files_of_any_type(self, bucket):
        """Both are found by a merge, which is wrong as soon as one comparison is."""
        for number, id in enumerate(IDS):
            if number % 2:
                put(bucket, f"file {number}", id=id)
            else:
                put_chunks(bucket, id)
        report = run(bucket, in_use(*(f"file {n}" for n in range(len(IDS)))), batch_size=2)
        assert counts(report) == {Kind.ORPHAN_CHUNKS: len(IDS[::2])}
        assert (report.files, report.chunks) == (len(IDS[1::2]), 3 * len(IDS))
        assert counts(run(bucket, in_use(*(f"file {n}" for n in range(len(IDS)))))) == {}

    def test_numbers_of_different_types_are_one_id(self, fs):
        put(fs, "a", id=1)
        fs["fs.chunks"].update_many({"files_id": 1}, {"$set": {"files_id": 1.0}})
        assert counts(run(fs, in_use("a"))) == {}

    def test_an_upload_under_way(self, bucket):
        """It looks like orphan chunks: its files document comes last."""
        started = object_id()
        put_chunks(bucket, started, age=OLD)
        bucket["fs.chunks"].insert_one(
            {"_id": object_id(YOUNG), "files_id": started, "n": 3, "data": b"0"}
        )
        report = run(bucket)
        assert (counts(report), report.young) == ({}, 1)

    def test_under_an_id_that_no_query_can_name(self, fs):
        """A regular expression would be a pattern, and take the chunks of others along."""
        put(fs, "a", id="victim")
        put_chunks(fs, Regex(".*"))
        put_chunks(fs, {"$gt": ""}) if _takes_dollars(fs) else None
        before = contents(fs, ["fs.chunks", "fs.files"])
        report = run(fs, in_use("a"))
        assert counts(report) == {}
        assert "no query can name a regular expression" in report.notes[-1]
        assert contents(fs, ["fs.chunks", "fs.files"]) == before

    def test_without_a_date(self, fs):
        """A chunk's id that is not an ObjectId has no date; only the trash is safe for such a
        chunk."""
        fs["fs.chunks"].insert_one({"_id": "chunk", "files_id": "x", "n": 0, "data": b"0"})
        report = run(fs, keep_in_trash=False)
        assert counts(report) == {}
        assert "without a date stayed" in report.notes[-1]
        assert counts(run(fs)) == {Kind.ORPHAN_CHUNKS: 1}
        assert fs["fs.chunks"].count_documents({}) == 1

    def test_many_in_a_row(self, fs):
        for _ in range(7):
            put_chunks(fs, object_id())
        assert counts(run(fs, batch_size=3)) == {Kind.ORPHAN_CHUNKS: 7}
        assert fs["fs.trash"].count_documents({}) == 7


def _takes_dollars(database):
    return int(database.client.server_info()["versionArray"][0]) >= 5


BROKEN = {
    "all its chunks are missing": lambda chunks: chunks.delete_many({}),
    "chunk 0 is missing": lambda chunks: chunks.delete_one({"n": 0}),
    "chunk 1 is missing": lambda chunks: chunks.delete_one({"n": 1}),
    "chunk 2 of 3 is missing": lambda chunks: chunks.delete_one({"n": 2}),
    "chunk 1 has 3 bytes instead of 4": lambda chunks: chunks.update_one(
        {"n": 1}, {"$set": {"data": b"123"}}
    ),
    "chunk 2 has 1 bytes instead of 2": lambda chunks: chunks.update_one(
        {"n": 2}, {"$set": {"data": b"1"}}
    ),
    "chunk 0 has 5 bytes instead of 4": lambda chunks: chunks.update_one(
        {"n": 0}, {"$set": {"data": b"12345"}}
    ),
    "chunk 1 contains no binary data": lambda chunks: chunks.update_one(
        {"n": 1}, {"$set": {"data": "4567"}}
    ),
    "chunk 3 is superfluous": lambda chunks: chunks.insert_one(
        {"_id": object_id(), "files_id": chunks.find_one()["files_id"], "n": 3, "data": b"x"}
    ),
}


class TestBroken:
    @pytest.mark.parametrize("reason", BROKEN)
    @pytest.mark.parametrize("verify", [False, True])
    def test_in_every_way(self, fs, reason, verify):
        put(fs, "a")
        BROKEN[reason](fs["fs.chunks"])
        report = run(fs, verify=verify)
        assert counts(report) == {Kind.BROKEN: 1}
        (example,) = report.found[Kind.BROKEN].examples
        assert (example.filename, example.reason) == ("a", reason)
        assert fs["fs.trash"].find_one()["reason"] == reason

    def test_on_every_server(self, bucket):
        for number, (reason, damage) in enumerate(BROKEN.items()):
            put(bucket, reason, id=number)
            other = bucket["other.chunks"]
            bucket["fs.chunks"].aggregate([{"$match": {"files_id": number}}, {"$out": other.name}])
            damage(other)
            bucket["fs.chunks"].delete_many({"files_id": number})
            if remaining := list(other.find()):
                bucket["fs.chunks"].insert_many(remaining)
        report = run(bucket, only=[Kind.BROKEN])
        assert {each["file"]["filename"]: each["reason"] for each in bucket["fs.trash"].find()} == {
            reason: reason for reason in BROKEN
        }
        assert counts(report) == {Kind.BROKEN: len(BROKEN)}

    @pytest.mark.parametrize(
        "numbers",
        [
            {"length": -1},
            {"length": "10"},
            {"length": None},
            {"chunkSize": 0},
            {"chunkSize": 4.5},
            {"length": True},
            {"length": float("nan")},
            {"length": float("inf")},
        ],
    )
    def test_numbers_that_make_no_sense(self, fs, numbers):
        put(fs, "a", **numbers)
        report = run(fs)
        assert counts(report) == {Kind.BROKEN: 1}
        assert report.found[Kind.BROKEN].examples[0].reason == (
            "its length or chunkSize is not a number of bytes"
        )

    @pytest.mark.parametrize("size", [0, 1, 4, 5, 8])
    @pytest.mark.parametrize("number", [int, Int64, float])
    @pytest.mark.parametrize("verify", [False, True])
    def test_a_whole_file_of_any_size(self, fs, size, number, verify):
        put(fs, "a", b"x" * size, length=number(size))
        assert run(fs, in_use("a"), verify=verify).is_clean

    def test_an_empty_chunk_too_many_is_none(self, fs):
        """Some drivers store one; the specification lets readers pass over it."""
        id = put(fs, "a")
        put_chunks(fs, "b", b"")
        fs["fs.chunks"].insert_one({"_id": object_id(), "files_id": id, "n": 3, "data": b""})
        empty = put(fs, "b", b"")
        fs["fs.chunks"].insert_one({"_id": object_id(), "files_id": empty, "n": 0, "data": b""})
        assert run(fs, in_use("a", "b")).is_clean
        assert run(fs, in_use("a", "b"), verify=True).is_clean

    def test_in_use_stays(self, fs):
        """The rest of the file may still be useful to the objects that refer to it."""
        put(fs, "a")
        fs["fs.chunks"].delete_one({"n": 1})
        report = run(fs, in_use("a"))
        assert (counts(report), report.kept.count, report.is_clean) == ({}, 1, False)
        assert report.kept.examples[0].reason == "chunk 1 is missing"
        assert counts(run(fs, in_use("a"), only=[Kind.BROKEN])) == {}
        assert filenames(fs) == ["a"]

    def test_files_whose_use_is_unknown(self, fs):
        put(fs, "a")
        fs["fs.chunks"].delete_one({"n": 1})
        report = run(fs, References())
        assert (counts(report), report.kept.count) == ({}, 1)
        assert counts(run(fs, References(), only=[Kind.BROKEN])) == {Kind.BROKEN: 1}

    def test_an_older_revision_goes_although_the_name_is_in_use(self, fs):
        old = put(fs, "a", age=2 * OLD)
        fs["fs.chunks"].delete_one({"n": 1})
        put(fs, "a")
        assert counts(run(fs, in_use("a"))) == {Kind.BROKEN: 1}
        assert fs["fs.trash"].find_one()["_id"] == old

    def test_large_buckets_are_looked_at_by_their_index_alone(self, fs, monkeypatch):
        monkeypatch.setattr("djongo_services.storage.collector.scan.SIZES_UP_TO_BYTES", 100)
        put(fs, "missing")
        fs["fs.chunks"].delete_one({"n": 1})
        short = put(fs, "short")
        fs["fs.chunks"].update_one({"files_id": short, "n": 1}, {"$set": {"data": b"x"}})
        report = run(fs, dry_run=True, only=[Kind.BROKEN])
        assert counts(report) == {Kind.BROKEN: 1}
        assert not report.sizes_read
        assert report.notes == (
            "The sizes of chunks were not read, only their numbers; --verify reads them.",
        )
        assert counts(run(fs, dry_run=True, only=[Kind.BROKEN], verify=True)) == {Kind.BROKEN: 2}


class TestVerify:
    def test_compares_checksums(self, bucket):
        from djongo_services.storage.bucket import Bucket

        stored = Bucket(bucket).upload("a", b"0123456789" * 100_000)
        Bucket(bucket).upload("b", b"sound")
        age(bucket)
        assert run(bucket, in_use("a", "b"), verify=True).is_clean
        chunk = bucket["fs.chunks"].find_one({"files_id": stored.id, "n": 2})
        flipped = bytes([chunk["data"][0] ^ 1]) + chunk["data"][1:]
        bucket["fs.chunks"].update_one({"_id": chunk["_id"]}, {"$set": {"data": flipped}})
        assert run(bucket, in_use("a", "b")).is_clean
        report = run(bucket, in_use("b"), verify=True, only=[Kind.BROKEN])
        assert report.verified
        assert report.found[Kind.BROKEN].examples[0].reason == (
            "its bytes do not have the SHA-256 of its metadata"
        )
        assert filenames(bucket) == ["b"]


def age(database):
    """Make every file and chunk ten days older than it is."""
    database["fs.files"].update_many({}, [{"$set": {"uploadDate": moment(OLD)}}])
    for chunk in list(database["fs.chunks"].find()):
        database["fs.chunks"].delete_one({"_id": chunk["_id"]})
        database["fs.chunks"].insert_one({**chunk, "_id": object_id()})


class TestUnreferenced:
    def test_files_that_nothing_refers_to(self, bucket):
        for name in ("a", "b", "c"):
            put(bucket, name)
        report = run(bucket, in_use("b"), batch_size=2)
        assert counts(report) == {Kind.UNREFERENCED: 2}
        assert report.bytes == 20
        assert filenames(bucket) == ["b"]

    def test_written_by_pymongo(self, bucket):
        fs = gridfs.GridFSBucket(bucket)
        fs.upload_from_stream("a", b"a" * 300_000, metadata={"kind": "x"})
        fs.upload_from_stream("b", b"")
        age(bucket)
        assert counts(run(bucket, in_use("a"))) == {Kind.UNREFERENCED: 1}
        assert fs.open_download_stream_by_name("a").read() == b"a" * 300_000

    def test_any_alias_of_a_shared_file_counts(self, fs):
        aliases = [{"name": "a", "addedAt": moment(OLD)}, {"name": "b", "addedAt": moment(OLD)}]
        put(fs, "a", metadata={"aliases": aliases})
        assert counts(run(fs, in_use("b"))) == {}
        assert counts(run(fs, in_use("c"))) == {Kind.UNREFERENCED: 1}

    @pytest.mark.parametrize("filename", [None, 12, {"a": 1}])
    def test_without_a_name_nothing_can_refer_to_it_by_name(self, fs, filename):
        id = put(fs, None)
        if filename is not None:
            fs["fs.files"].update_one({"_id": id}, {"$set": {"filename": filename}})
        assert run(fs).is_clean

    def test_names_of_every_kind(self, fs):
        names = [
            "$where",
            "a.b",
            "../x",
            "é",
            "e\u0301",
            "a\0b",
            "",
            " ",
            "x" * 5000,
            "{}",
            "\u202e",
        ]
        for name in names:
            put(fs, name)
        assert run(fs, in_use(*names)).is_clean
        assert counts(run(fs)) == {Kind.UNREFERENCED: len(names)}

    def test_not_looked_for_where_use_is_unknown(self, fs):
        put(fs, "a")
        report = run(fs, References())
        assert counts(report) == {}
        assert Kind.UNREFERENCED not in report.kinds
        assert report.notes[0].startswith("No field and no provider says which files")
        with pytest.raises(BucketUnusable, match="No field and no provider says"):
            run(fs, References(), only=[Kind.UNREFERENCED])

    def test_outside_of_what_fields_speak_for(self, fs):
        """Static files in the same bucket are named by no field."""
        territories = (
            Territory(prefix="static/", spoken_for=False, keeps_revisions=False),
            Territory(prefix="media/", spoken_for=True, keeps_revisions=False),
        )
        for name in ("static/a.css", "media/a.png", "elsewhere"):
            put(fs, name)
        assert counts(run(fs, References(territories=territories))) == {Kind.UNREFERENCED: 1}
        assert filenames(fs) == ["elsewhere", "static/a.css"]


class TestSuperseded:
    def test_all_revisions_but_the_newest(self, bucket):
        for days in (30, 10, 20):
            put(bucket, "a", b"%d" % days, age=timedelta(days=days))
        put(bucket, "b")
        report = run(bucket, in_use("a", "b"), only=[Kind.SUPERSEDED])
        assert counts(report) == {Kind.SUPERSEDED: 2}
        fs = gridfs.GridFSBucket(bucket)
        assert fs.open_download_stream_by_name("a").read() == b"10"
        assert filenames(bucket) == ["a", "b"]

    def test_of_two_with_one_date_the_greater_id_is_the_newest(self, fs):
        date = moment(OLD)
        for id in (2, "text", 1):
            put(fs, "a", id=id, uploadDate=date)
        run(fs, in_use("a"), only=[Kind.SUPERSEDED])
        assert [each["_id"] for each in fs["fs.files"].find()] == ["text"]

    @pytest.mark.parametrize("index", [True, False])
    def test_with_and_without_an_index_on_names(self, fs, index):
        if not index:
            fs["fs.files"].drop_indexes()
        for number in range(20):
            put(fs, f"name {number % 15}", age=OLD + timedelta(minutes=number))
        names = [f"name {number}" for number in range(15)]
        assert counts(run(fs, in_use(*names), only=[Kind.SUPERSEDED], batch_size=4)) == {
            Kind.SUPERSEDED: 5
        }
        assert filenames(fs) == sorted(names)

    def test_of_a_name_that_is_not_in_use_all_are_unreferenced(self, fs):
        for days in (30, 10):
            put(fs, "a", age=timedelta(days=days))
        assert counts(run(fs)) == {Kind.UNREFERENCED: 2}

    def test_superseded_a_moment_ago(self, fs):
        """A client may still be reading it."""
        put(fs, "a")
        put(fs, "a", age=timedelta(minutes=1))
        report = run(fs, in_use("a"), only=[Kind.SUPERSEDED])
        assert (counts(report), report.young) == ({}, 1)

    def test_only_where_a_storage_keeps_none(self, fs):
        put(fs, "a", age=2 * OLD)
        put(fs, "a")
        keeping = Territory(prefix="", spoken_for=True, keeps_revisions=True)
        dropping = Territory(prefix="", spoken_for=True, keeps_revisions=False)
        used = in_use("a").sources
        for territories, only in (((), ()), ((keeping,), ()), ((keeping,), [Kind.SUPERSEDED])):
            references = References(sources=used, territories=territories)
            assert counts(run(fs, references, only=only)) == {}
        references = References(sources=used, territories=(dropping,))
        assert counts(run(fs, references)) == {Kind.SUPERSEDED: 1}


class TestStaleUploads:
    def put(self, database, age, **fields):
        id = object_id(OLD)
        put_chunks(database, id, age=OLD)
        entry = {"_id": id, "filename": "a", "startedAt": moment(OLD), "touchedAt": moment(age)}
        database["fs.uploads"].insert_one({**entry, "length": 10, "metadata": {}, **fields})
        return id

    def test_touched_last_before_the_grace_period(self, bucket):
        stale, alive = self.put(bucket, OLD), self.put(bucket, YOUNG)
        report = run(bucket)
        assert counts(report) == {Kind.STALE_UPLOADS: 1}
        assert (report.bytes, report.found[Kind.STALE_UPLOADS].examples[0].id) == (10, stale)
        assert [each["_id"] for each in bucket["fs.uploads"].find()] == [alive]
        assert bucket["fs.trash"].find_one()["upload"]["filename"] == "a"

    def test_whose_file_is_complete(self, fs):
        """The process died between the files document and the end of the entry."""
        id = self.put(fs, OLD)
        fs["fs.chunks"].delete_many({"files_id": id})
        put(fs, "a", id=id)
        report = run(fs, in_use("a"))
        assert counts(report) == {Kind.STALE_UPLOADS: 1}
        assert (filenames(fs), fs["fs.trash"].count_documents({})) == (["a"], 0)
        assert fs["fs.chunks"].count_documents({}) == 3


class TestGrace:
    """The newest trace counts, whichever it is."""

    @pytest.fixture
    def id(self, fs):
        return put(fs, "a")

    def assert_young(self, fs):
        report = run(fs)
        assert (counts(report), report.young) == ({}, 1)
        assert counts(run(fs, older_than=YOUNG - timedelta(hours=1))) == {Kind.UNREFERENCED: 1}

    def test_the_upload_date(self, fs, id):
        fs["fs.files"].update_one({}, {"$set": {"uploadDate": moment(YOUNG)}})
        self.assert_young(fs)

    def test_the_last_chunk(self, fs, id):
        """A file that was copied from elsewhere with its date."""
        chunk = fs["fs.chunks"].find_one_and_delete({"n": 2})
        fs["fs.chunks"].insert_one({**chunk, "_id": object_id(YOUNG)})
        self.assert_young(fs)

    def test_a_name_that_was_added(self, fs, id):
        aliases = [{"name": "b", "addedAt": moment(YOUNG)}]
        fs["fs.files"].update_one({}, {"$set": {"metadata.aliases": aliases}})
        self.assert_young(fs)

    def test_none_at_all(self, fs, id):
        fs["fs.files"].update_one({}, {"$unset": {"uploadDate": 1}, "$set": {"length": 0}})
        fs["fs.chunks"].delete_many({})
        assert counts(run(fs, keep_in_trash=False)) == {}
        assert counts(run(fs)) == {Kind.UNREFERENCED: 1}


class TestOnly:
    def test_these_kinds(self, fs):
        put(fs, "unreferenced")
        put_chunks(fs, object_id())
        assert counts(run(fs, only=[Kind.ORPHAN_CHUNKS])) == {Kind.ORPHAN_CHUNKS: 1}
        assert counts(run(fs, only=[Kind.UNREFERENCED])) == {Kind.UNREFERENCED: 1}

    def test_unreferenced_alone_does_not_read_the_chunks(self, fs):
        put(fs, "a")
        report = run(fs, only=[Kind.UNREFERENCED], dry_run=True)
        assert (report.files, report.chunks) == (1, 0)


def test_a_dry_run_changes_nothing(bucket):
    put(bucket, "unreferenced")
    put(bucket, "old", age=2 * OLD)
    put(bucket, "old")
    put_chunks(bucket, object_id())
    broken = put(bucket, "broken")
    bucket["fs.chunks"].delete_one({"files_id": broken, "n": 0})
    TestStaleUploads().put(bucket, OLD)
    before = contents(bucket)
    report = run(bucket, in_use("old"), dry_run=True, only=list(Kind), verify=True)
    assert counts(report) == dict.fromkeys(Kind, 1)
    assert (report.dry_run, report.run) == (True, None)
    assert contents(bucket) == before
    real = run(bucket, in_use("old"), only=list(Kind), verify=True)
    assert counts(real) == counts(report)
    assert real.bytes == report.bytes


class TestUnusable:
    def test_no_bucket(self, database):
        with pytest.raises(BucketUnusable, match="There is no bucket 'fs'"):
            run(database)

    def test_no_index(self, database):
        put(database, "a")
        with pytest.raises(BucketUnusable, match=r"lacks the index \{files_id: 1, n: 1\}"):
            run(database)

    def test_a_collation(self, database):
        database.create_collection("fs.files", collation={"locale": "en"})
        make_bucket(database)
        with pytest.raises(BucketUnusable, match="has a collation"):
            run(database)

    def test_a_view(self, database):
        database.create_collection("fs.files", viewOn="other", pipeline=[])
        with pytest.raises(BucketUnusable, match="is a view, not a collection"):
            run(database)

    def test_half_a_bucket(self, database):
        """An upload that never ended has made no files; empty files have made no chunks."""
        database["fs.chunks"].create_index([("files_id", 1), ("n", 1)], unique=True)
        put_chunks(database, object_id())
        assert counts(run(database, verify=True)) == {Kind.ORPHAN_CHUNKS: 1}
        put(database, "a", b"", bucket="empty")
        assert "empty.chunks" not in database.list_collection_names()
        report = run(database, in_use("b"), bucket="empty")
        assert counts(report) == {Kind.UNREFERENCED: 1}
        assert run(database, verify=True, bucket="empty").is_clean

    def test_empty(self, fs):
        assert run(fs).is_clean
        assert run(fs, verify=True, older_than=GRACE).is_clean
