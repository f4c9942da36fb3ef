"""The documents that an upload leaves behind, however it ends."""

from __future__ import annotations

import hashlib
import io
import itertools
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from bson import ObjectId
from pymongo.database import Database
from pymongo.errors import OperationFailure, WriteError

from djongo_services.storage import FileExists, UploadInterrupted
from djongo_services.storage.bucket import Bucket
from djongo_services.storage.bucket.layout import Layout
from djongo_services.storage.errors import NameTaken
from tests.storage.bucket.conftest import Commands
from tests.storage.bucket.flavours import Flavour
from tests.storage.conftest import nothing_left
from tests.transaction.conftest import failing


class Boom(Exception):
    pass


def broken(batches: int, size: int = 1_000_000) -> Iterator[bytes]:
    """A source that raises after so many batches of the upload."""
    for _ in range(batches):
        yield bytes(2 * size)
    raise Boom


class Unseekable(io.RawIOBase):
    def __init__(self, content: bytes) -> None:
        self._file = io.BytesIO(content)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return self._file.readinto(buffer)


def test_sources(database: Database[Any]) -> None:
    bucket = Bucket(database)
    sources: tuple[Any, ...] = (
        b"abcdef",
        bytearray(b"abcdef"),
        memoryview(b"abcdef"),
        memoryview(b"--abcdef--")[2:8],
        io.BytesIO(b"abcdef"),
        Unseekable(b"abcdef"),
        [b"ab", b"", bytearray(b"cd"), memoryview(b"ef")],
        (bytes([97 + number]) for number in range(6)),
    )
    for source in sources:
        stored = bucket.upload("a", source, chunk_size=4)
        assert bucket.read_bytes(bucket.get(stored.id)) == b"abcdef"
        assert stored.sha256 == hashlib.sha256(b"abcdef").hexdigest()


def test_sources_of_the_asyncio_flavour(database: Database[Any]) -> None:
    async def letters() -> AsyncIterator[bytes]:
        yield b"abc"
        yield b"def"

    flavour = Flavour(database, "async")
    bucket = flavour.make()
    for source in (b"abcdef", io.BytesIO(b"abcdef"), [b"abc", b"def"], letters()):
        assert bucket.read_bytes(bucket.upload("a", source, chunk_size=4)) == b"abcdef"
    flavour.close()


def test_what_has_no_bytes(database: Database[Any], either: Any) -> None:
    for source in ("text", io.StringIO("text"), ["text"], 5, None, [5]):
        with pytest.raises(TypeError, match="A file is made of bytes, not of"):
            either.upload("a", source)
    assert nothing_left(database)


def test_what_is_stored_is_told_at_once(either: Any) -> None:
    with either.open_upload("a", metadata={"b": 1}, content_type="text/plain") as stream:
        assert stream.write(b"abc") == 3
        assert stream.write(b"") == 0
        assert stream.file is None
        stored = stream.close()
    assert stored == stream.file == either.get(stored.id)
    assert (stored.id, stored.length, stored.content_type) == (stream.id, 3, "text/plain")


def test_nothing_is_sent_before_there_is_a_batch(either: Any, commands: Commands) -> None:
    with either.open_upload("a") as stream:
        stream.write(bytes(100_000))
        assert commands.sent == []
        stream.abort()
    assert commands.sent == []


def test_a_small_file_takes_two_commands(either: Any, commands: Commands) -> None:
    either.upload("first", b"a")
    commands.sent.clear()
    either.upload("second", b"a")
    assert commands.names == ["insert", "insert"]


def test_a_source_that_raises_leaves_nothing(database: Database[Any], either: Any) -> None:
    for batches in (0, 1, 3):
        with pytest.raises(Boom):
            either.upload("a", broken(batches))
        assert nothing_left(database)


def test_a_block_that_raises_leaves_nothing(database: Database[Any], either: Any) -> None:
    with pytest.raises(Boom), either.open_upload("a", chunk_size=1) as stream:  # noqa: PT012
        stream.write(bytes(2_500))
        assert database.fs.chunks.count_documents({}) == 2_000
        raise Boom
    assert nothing_left(database)


def test_nothing_is_visible_half_written(database: Database[Any], either: Any) -> None:
    with either.open_upload("a", chunk_size=1) as stream:
        stream.write(bytes(2_500))
        assert list(either.find()) == []
    assert [each.length for each in either.find()] == [2_500]


def test_abort_and_then(database: Database[Any], either: Any) -> None:
    stream = either.open_upload("a", chunk_size=1)
    stream.write(bytes(2_500))
    stream.abort()
    assert nothing_left(database)
    stream.abort()
    for use in (lambda: stream.write(b"a"), stream.close):
        with pytest.raises(ValueError, match="The upload of 'a' is closed"):
            use()
    assert nothing_left(database)


def test_a_closed_stream_is_not_aborted(either: Any) -> None:
    with either.open_upload("a") as stream:
        stream.write(b"a")
        stored = stream.close()
        stream.abort()
    with pytest.raises(ValueError, match="is closed"):
        stream.close()
    assert either.read_bytes(stored) == b"a"


def test_a_write_that_failed_cannot_be_passed_over(database: Database[Any], either: Any) -> None:
    """Going on after it would store a file with a hole."""
    stream = either.open_upload("a", chunk_size=1)
    stream.write(bytes(1_000))
    with (
        failing(
            database.client, "insert", times=1, errorCode=14, namespace=database.fs.chunks.full_name
        ),
        pytest.raises(OperationFailure),
    ):
        stream.write(bytes(1_000))
    with pytest.raises(ValueError, match="is closed"):
        stream.write(bytes(1_000))
    assert nothing_left(database)


CONTENTS = {"nothing": b"", "a chunk": b"first", "chunks": b"first" * 10}


def test_an_id_that_exists_is_refused(either: Any) -> None:
    for there, new in itertools.product(CONTENTS, CONTENTS):
        stored = either.upload("a", CONTENTS[there], id="mine", chunk_size=10)
        with pytest.raises(FileExists, match="A file with the id 'mine' exists already; it was"):
            either.upload("b", CONTENTS[new], id="mine", chunk_size=10)
        with pytest.raises(FileExists), either.open_upload("b", id="mine"):
            pass
        (found,) = either.find()
        assert found == stored
        assert either.read_bytes(found) == CONTENTS[there]
        either.delete("mine")


def test_an_id_whose_file_is_damaged_is_refused_too(database: Database[Any], either: Any) -> None:
    either.upload("a", b"first" * 4, id="mine", chunk_size=5)
    database.fs.chunks.delete_one({"n": 0})
    for content in CONTENTS.values():
        with pytest.raises(FileExists):
            either.upload("b", content, id="mine", chunk_size=5)
        assert database.fs.chunks.count_documents({}) == 3
    database.fs.files.delete_many({})
    for content in CONTENTS.values():
        with pytest.raises(FileExists):
            either.upload("b", content, id="mine", chunk_size=5)
        assert database.fs.chunks.count_documents({}) == 3


def test_two_uploads_of_one_id(database: Database[Any], either: Any) -> None:
    first, second = (either.open_upload(name, id="mine", chunk_size=1) for name in "ab")
    first.write(b"a" * 1_500)
    with pytest.raises(FileExists):
        second.write(b"b" * 1_500)
    stored = first.close()
    assert either.read_bytes(stored) == b"a" * 1_500
    assert database.fs.files.count_documents({}) == 1


def test_two_empty_uploads_of_one_id(either: Any) -> None:
    first, second = (either.open_upload(name, id="mine") for name in "ab")
    stored = first.close()
    with pytest.raises(FileExists):
        second.close()
    assert list(either.find()) == [stored]


def test_a_files_document_that_is_refused_leaves_nothing(
    database: Database[Any], either: Any
) -> None:
    database.create_collection("fs.files", validator={"filename": {"$ne": "refused"}})
    with pytest.raises(WriteError):
        either.upload("refused", b"content")
    assert nothing_left(database)
    assert either.read_bytes(either.upload("taken", b"content")) == b"content"


@pytest.mark.parametrize("namespace", ["fs.chunks", "fs.files"])
@pytest.mark.parametrize("closed", ["before", "after"])
def test_a_connection_that_breaks_once_is_no_matter(
    database: Database[Any], either: Any, namespace: str, closed: str
) -> None:
    """The driver repeats the write, which the server recognises."""
    either.upload("first", b"a")
    how: dict[str, Any] = (
        {"closeConnection": True}
        if closed == "before"
        else {"writeConcernError": {"code": 91, "errmsg": "shutting down", "errorLabels": []}}
    )
    if closed == "after":
        how["errorLabels"] = ["RetryableWriteError"]
    with failing(
        database.client, "insert", times=1, namespace=f"{database.name}.{namespace}", **how
    ):
        stored = either.upload("second", b"x" * 100, chunk_size=1)
    assert either.read_bytes(stored) == b"x" * 100
    assert database.fs.chunks.count_documents({}) == 101


@pytest.mark.parametrize("namespace", ["fs.chunks", "fs.files"])
def test_a_connection_that_keeps_breaking(
    database: Database[Any], either: Any, namespace: str
) -> None:
    from pymongo.errors import AutoReconnect

    either.upload("first", b"a")
    stream = either.open_upload("second", chunk_size=1)
    stream.write(bytes(1_500))
    with (
        failing(
            database.client,
            "insert",
            times=2,
            namespace=f"{database.name}.{namespace}",
            closeConnection=True,
        ),
        pytest.raises(AutoReconnect),
        stream,
    ):
        stream.write(bytes(10))
    assert [each.filename for each in either.find()] == ["first"]
    assert database.fs.chunks.count_documents({}) == 1


def test_chunks_that_a_new_primary_does_not_have(
    database: Database[Any], flavour: Flavour, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The effect that an election may have on chunks that no majority had, caused by hand."""
    bucket = flavour.make()
    terms = iter(range(100))
    monkeypatch.setattr(Layout, "primary", lambda self: next(terms))
    stored = bucket.upload("whole", bytes(2_000), chunk_size=1)
    assert bucket.read_bytes(stored) == bytes(2_000)
    stream = bucket.open_upload("holed", chunk_size=1)
    stream.write(bytes(2_000))
    database.fs.chunks.delete_one({"files_id": stream.id, "n": 5})
    with pytest.raises(UploadInterrupted, match="The primary changed while 'holed' was uploaded"):
        stream.close()
    assert [each.filename for each in bucket.find()] == ["whole"]
    assert database.fs.chunks.count_documents({}) == 2_000


def test_chunk_sizes_that_cannot_be(database: Database[Any]) -> None:
    sizes: list[Any] = [0, -1, 16 * 1024 * 1024, True, 1.5, "1", None]
    for size in sizes:
        with pytest.raises(ValueError, match=r"chunk_size is a number of bytes from 1 to 16,776"):
            Bucket(database, chunk_size=size)


def test_the_largest_chunks(either: Any) -> None:
    content = bytes(16 * 1024 * 1024 + 5)
    stored = either.upload("large", content, chunk_size=16 * 1024 * 1024 - 1024)
    assert stored.chunk_count == 2
    assert hashlib.sha256(either.read_bytes(stored)).hexdigest() == stored.sha256


class Rows:
    """A transaction of a SQL database, as far as an upload sees it."""

    def __init__(self) -> None:
        self.ids: list[Any] = []

    def saved(self, files_id: Any, undo: Any = None, settled: Any = None) -> None:
        self.ids.append(files_id)


def test_a_file_that_waits_for_its_row(database: Database[Any], either: Any) -> None:
    rows = Rows()
    stream = either.open_upload("a", chunk_size=1)
    stream.write(b"content")
    assert either.read_bytes(stream.publish(stream.seal({"a": 1}), rows=rows)) == b"content"
    assert either.get(stream.id).metadata["a"] == 1
    assert rows.ids == [stream.id]
    database.fs.files.delete_one({"_id": stream.id})
    stream.withdrawn()
    assert nothing_left(database)


class TestMany:
    def test_many(self, flavour: Flavour) -> None:
        bucket = flavour.make(chunk_size=3)
        items = [(f"{number}", b"x" * number) for number in range(10)]
        stored = bucket.upload_many(iter(items), metadata={"a": 1}, content_type="text/plain")
        assert [each.filename for each in stored] == [name for name, _ in items]
        for file, (_, content) in zip(stored, items, strict=True):
            assert bucket.get(file.id) == file
            assert bucket.read_bytes(file) == content
            assert (file.metadata["a"], file.content_type) == (1, "text/plain")
        assert bucket.upload_many([]) == []

    def test_few_commands(self, either: Any, commands: Commands) -> None:
        either.upload("first", b"a")
        commands.sent.clear()
        assert len(either.upload_many((f"{number}", b"a") for number in range(2_500))) == 2_500
        assert commands.names == ["insert"] * 6

    def test_a_source_that_raises_keeps_the_batches_before_it(
        self, database: Database[Any], either: Any
    ) -> None:
        def items() -> Iterator[tuple[str, bytes]]:
            for number in range(1_500):
                yield f"{number}", b"a"
            raise Boom

        with pytest.raises(Boom):
            either.upload_many(items())
        assert database.fs.files.count_documents({}) == 1_000
        assert database.fs.chunks.count_documents({}) == 1_000

    def test_a_batch_that_is_refused_leaves_nothing(
        self, database: Database[Any], either: Any
    ) -> None:
        database.create_collection("fs.files", validator={"filename": {"$ne": "5"}})
        with pytest.raises(OperationFailure):
            either.upload_many((f"{number}", b"a") for number in range(10))
        assert nothing_left(database)

    def test_text_is_refused(self, database: Database[Any], either: Any) -> None:
        with pytest.raises(TypeError, match="made of bytes, not of str"):
            either.upload_many([("a", b"a"), ("b", "text")])
        assert nothing_left(database)

    def test_names_that_others_were_faster_to_take(self, flavour: Flavour) -> None:
        bucket = flavour.make(exclusive=True)
        marks = {"exclusive": True}
        bucket.upload("a", b"first", metadata=marks)
        with pytest.raises(NameTaken, match="Another client stored a file 'a' at the same time"):
            bucket.upload_many([("b", b"b"), ("a", b"a")], metadata=marks)
        new = [(ObjectId(), name, name.encode(), {**marks}) for name in ("b", "a")]
        stored = bucket.upload_new(new, rename=lambda file: file.update(filename="other"))
        assert [each.filename for each in stored] == ["b", "other"]
        assert sorted(each.filename for each in bucket.find()) == ["a", "b", "other"]
