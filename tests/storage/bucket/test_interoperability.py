"""Files that PyMongo's gridfs wrote, read by the bucket, and the other way round."""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Callable
from typing import Any

import gridfs
import pytest
from bson import Binary, Decimal128, Int64, ObjectId, Timestamp
from bson.codec_options import CodecOptions
from pymongo.database import Database
from pymongo.errors import OperationFailure, WriteError

from djongo_services.storage import CorruptFile, NoFile
from tests.storage.bucket.flavours import Flavour
from tests.storage.conftest import nothing_left

pytestmark = pytest.mark.versions


DEFAULT = 255 * 1024
SIZES = [0, 1, 2, 6, 7, 8, 13, 14, 15, 1000]
IDS = [
    "a name",
    "",
    5,
    0,
    -1.5,
    Int64(2**40),
    True,
    {"year": 2024, "number": 3},
    b"\x00\x01",
    Binary(b"0123456789abcdef", 4),
    Binary.from_uuid(uuid.UUID(int=7)),
    Decimal128("1.50"),
    datetime.datetime(2024, 2, 29, 12, 30, tzinfo=datetime.UTC),
    Timestamp(1, 2),
    ObjectId("65e0c0c0c0c0c0c0c0c0c0c0"),
]


def content_of(size: int) -> bytes:
    return bytes(number * 7 % 251 for number in range(size))


@pytest.fixture
def theirs(database: Database[Any]) -> gridfs.GridFSBucket:
    return gridfs.GridFSBucket(database)


@pytest.mark.parametrize("chunk_size", [1, 7, DEFAULT])
def test_what_pymongo_writes_is_read(
    either: Any, theirs: gridfs.GridFSBucket, chunk_size: int
) -> None:
    for size in SIZES:
        with theirs.open_upload_stream(
            f"{size}.bin", chunk_size_bytes=chunk_size, metadata={"a": 1}
        ) as stream:
            stream.write(content_of(size))
    for size in SIZES:
        stored = either.get_by_name(f"{size}.bin")
        assert either.read_bytes(stored) == content_of(size)
        assert (stored.length, stored.chunk_size) == (size, chunk_size)
        assert stored.metadata == {"a": 1}
        assert stored.upload_date.tzinfo is not None
        assert (stored.sha256, stored.content_type) == (None, "")


@pytest.mark.parametrize("chunk_size", [1, 7, DEFAULT])
def test_what_the_bucket_writes_pymongo_reads(
    either: Any, theirs: gridfs.GridFSBucket, database: Database[Any], chunk_size: int
) -> None:
    for size in SIZES:
        either.upload(f"{size}.bin", content_of(size), chunk_size=chunk_size, metadata={"a": 1})
    for size in SIZES:
        found = theirs.open_download_stream_by_name(f"{size}.bin")
        assert found.read() == content_of(size)
        assert (found.length, found.chunk_size) == (size, chunk_size)
        assert found.metadata is not None
        assert found.metadata["a"] == 1
    assert database.fs.chunks.count_documents({}) == sum(-(-size // chunk_size) for size in SIZES)
    old = gridfs.GridFS(database)
    assert sorted(old.list()) == sorted(f"{size}.bin" for size in SIZES)
    assert old.get_last_version("1000.bin").read() == content_of(1000)


@pytest.mark.parametrize("size", [DEFAULT - 1, DEFAULT, DEFAULT + 1, 3 * DEFAULT + 5])
def test_sizes_around_a_whole_chunk(either: Any, theirs: gridfs.GridFSBucket, size: int) -> None:
    content = content_of(251) * (size // 251 + 1)
    content = content[:size]
    ours = either.upload("ours", content)
    assert theirs.open_download_stream(ours.id).read() == content
    stored = either.get(theirs.upload_from_stream("theirs", content))
    assert either.read_bytes(stored) == content


def test_ids_of_any_type(database: Database[Any], either: Any) -> None:
    theirs = gridfs.GridFSBucket(database.with_options(codec_options=CodecOptions(tz_aware=True)))
    either.upload("other", b"other")
    for files_id in IDS:
        either.upload("ours", b"of ours", id=files_id)
        assert theirs.open_download_stream(files_id).read() == b"of ours"
        theirs.rename(files_id, "renamed")
        found = either.get(files_id)
        assert (found.id, found.filename) == (files_id, "renamed")
        assert either.read_bytes(found) == b"of ours"
        theirs.delete(files_id)
        with pytest.raises(NoFile):
            either.get(files_id)
        theirs.upload_from_stream_with_id(files_id, "theirs", b"of theirs")
        assert either.read_bytes(either.get(files_id)) == b"of theirs"
        either.rename(files_id, "renamed")
        assert theirs.open_download_stream_by_name("renamed").read() == b"of theirs"
        either.delete(files_id)
        with pytest.raises(gridfs.NoFile):
            theirs.open_download_stream(files_id)
        assert [each.filename for each in either.find()] == ["other"]
        assert database.fs.chunks.count_documents({}) == 1


def test_an_id_that_looks_like_a_query(either: Any) -> None:
    """MongoDB accepts no such _id; the test is that it is not used as a query."""
    kept = either.upload("kept", b"content")
    for files_id in ({"$ne": 1}, {"$exists": True}, {"$gt": ObjectId("0" * 24)}):
        with pytest.raises(NoFile):
            either.get(files_id)
        with pytest.raises(NoFile):
            either.rename(files_id, "b")
        with pytest.raises(OperationFailure, match=r"cannot nest \$ under \$in"):
            either.delete(files_id)
        with pytest.raises(WriteError):
            either.upload("new", b"content", id=files_id)
    assert list(either.find()) == [kept]
    assert either.read_bytes(kept) == b"content"


def test_an_id_that_is_null(database: Database[Any], either: Any) -> None:
    gridfs.GridFSBucket(database).upload_from_stream_with_id(None, "null", b"content")
    stored = either.get(None)
    assert either.read_bytes(stored) == b"content"
    either.rename(None, "still null")
    assert either.get_by_name("still null").id is None
    either.delete(None)
    assert nothing_left(database)


def test_revisions_are_the_same_for_both(either: Any, theirs: gridfs.GridFSBucket) -> None:
    for number in range(4):
        write: Callable[..., Any] = either.upload if number % 2 else theirs.upload_from_stream
        write("name", b"%d" % number)
    for revision, content in [(0, b"0"), (1, b"1"), (3, b"3"), (-1, b"3"), (-2, b"2"), (-4, b"0")]:
        assert either.read_bytes(either.get_by_name("name", revision)) == content
        assert theirs.open_download_stream_by_name("name", revision).read() == content
    for revision in (4, -5):
        with pytest.raises(NoFile, match=f"no revision {revision} of the file 'name'"):
            either.get_by_name("name", revision)
    with pytest.raises(NoFile, match="There is no file 'nobody'"):
        either.get_by_name("nobody")


def test_a_name_that_is_missing(either: Any, theirs: gridfs.GridFSBucket) -> None:
    stored = either.upload(None, b"nameless")
    assert theirs.open_download_stream(stored.id).read() == b"nameless"
    assert either.get(stored.id).filename is None


def test_an_old_files_document(database: Database[Any], either: Any) -> None:
    """As other and older drivers wrote it: numbers of any type, md5, top-level contentType."""
    for name, number in [("int", int), ("long", Int64), ("double", float)]:
        database.fs.files.insert_one(
            {
                "_id": name,
                "length": number(3),
                "chunkSize": number(2),
                "uploadDate": datetime.datetime(2012, 1, 1),
                "md5": "900150983cd24fb0d6963f7d28e17f72",
                "filename": f"{name}.txt",
                "contentType": "text/plain",
                "aliases": ["x"],
            }
        )
        database.fs.chunks.insert_many(
            [
                {"files_id": name, "n": number(0), "data": b"ab"},
                {"files_id": name, "n": number(1), "data": Binary(b"c", 128)},
            ]
        )
        stored = either.get(name)
        assert stored.content_type == "text/plain"
        assert either.read_bytes(stored) == b"abc"
        assert list(either.read(stored, 1, 3)) == [b"b", b"c"]


def test_the_content_type_of_the_metadata_comes_first(database: Database[Any], either: Any) -> None:
    stored = either.upload("a", b"a", content_type="text/css")
    assert database.fs.files.find_one()["metadata"]["contentType"] == "text/css"
    database.fs.files.update_one({}, {"$set": {"contentType": "text/html"}})
    assert either.get(stored.id).content_type == "text/css"
    database.fs.files.update_one({}, {"$set": {"metadata.contentType": 5}})
    assert either.get(stored.id).content_type == ""


def test_what_is_no_files_document_is_refused(database: Database[Any], either: Any) -> None:
    stored = either.upload("a", b"abc")
    raw = dict(database.fs.files.find_one() or {})
    changes: list[tuple[dict[str, Any], str]] = [
        ({"length": "3"}, "length '3'"),
        ({"length": -1}, "length -1"),
        ({"length": 1.5}, "length 1.5"),
        ({"length": float("nan")}, "length nan"),
        ({"length": float("inf")}, "length inf"),
        ({"length": True}, "length True"),
        ({"length": None}, "length None"),
        ({"chunkSize": 0}, "chunkSize 0"),
        ({"chunkSize": {"$numberLong": "1"}}, "chunkSize {"),
        ({"uploadDate": "yesterday"}, "uploadDate 'yesterday'"),
    ]
    for change, sentence in changes:
        database.fs.files.replace_one({"_id": raw["_id"]}, {**raw, **change})
        with pytest.raises(CorruptFile, match="which is invalid") as caught:
            either.get(stored.id)
        assert sentence in str(caught.value)


def test_metadata_that_is_no_document(database: Database[Any], either: Any) -> None:
    stored = either.upload("a", b"abc")
    database.fs.files.update_one({}, {"$set": {"metadata": "text"}})
    assert either.get(stored.id).metadata == {}
    assert either.read_bytes(either.get(stored.id)) == b"abc"


def test_both_delete_all_of_a_file(
    database: Database[Any], either: Any, theirs: gridfs.GridFSBucket
) -> None:
    either.delete(theirs.upload_from_stream("a", b"abc", chunk_size_bytes=1))
    theirs.delete(either.upload("b", b"abc", chunk_size=1).id)
    assert nothing_left(database)
    with pytest.raises(NoFile, match="There is no file with the id 'gone'"):
        either.delete("gone")
    with pytest.raises(NoFile, match="There is no file with the id 'gone'"):
        either.rename("gone", "b")


def test_find(either: Any) -> None:
    for number in range(5):
        either.upload(f"{number}", b"x" * number, metadata={"number": number})
    assert [each.length for each in either.find(sort={"filename": -1}, limit=2)] == [4, 3]
    assert [each.length for each in either.find(sort={"filename": 1}, skip=3, batch_size=1)] == [
        3,
        4,
    ]
    found = list(either.find({"metadata.number": {"$gt": 3}}))
    assert [each.filename for each in found] == ["4"]


def test_deleting_on_a_condition(database: Database[Any], either: Any) -> None:
    stored = either.upload("a", b"content", metadata={"owner": "Ann"})
    assert not either.delete_if(stored.id, {"metadata.owner": "Bob"})
    assert not either.delete_if("unknown", {})
    assert either.read_bytes(either.get(stored.id)) == b"content"
    assert either.delete_if(stored.id, {"metadata.owner": "Ann"})
    assert nothing_left(database)


def test_deleting_many(database: Database[Any], either: Any) -> None:
    ids = [either.upload("a", b"a").id for _ in range(3)]
    assert either.delete_many([*ids, "unknown"]) == 3
    assert either.delete_many([]) == 0
    assert nothing_left(database)


@pytest.mark.parametrize("name", [5, b"bytes", {"$ne": ""}, ["a"]], ids=repr)
def test_names_are_strings(either: Any, name: Any) -> None:
    stored = either.upload("kept", b"content")
    for use in (
        lambda: either.upload(name, b""),
        lambda: either.get_by_name(name),
        lambda: either.rename(stored.id, name),
    ):
        with pytest.raises(TypeError, match="A file's name is a string or None, not"):
            use()
    assert [each.filename for each in either.find()] == ["kept"]


def test_main_paths_on_every_server(matrix_flavour: Flavour, matrix_database: Any) -> None:
    bucket = matrix_flavour.make()
    theirs = gridfs.GridFSBucket(matrix_database)
    stored = bucket.upload("a", content_of(1000), chunk_size=7, content_type="text/plain")
    assert theirs.open_download_stream(stored.id).read() == content_of(1000)
    assert list(bucket.read(stored, 5, 9)) == [content_of(9)[5:7], content_of(9)[7:9]]
    bucket.rename(stored.id, "b")
    assert bucket.get_by_name("b").id == stored.id
    bucket.delete(stored.id)
    assert nothing_left(matrix_database)
