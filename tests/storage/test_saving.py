"""``save()`` from whatever can be read, under whatever name, and what overwriting means."""

from __future__ import annotations

import io
import os
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from django.core.exceptions import SuspiciousFileOperation
from django.core.files.base import ContentFile, File
from django.core.files.uploadedfile import (
    InMemoryUploadedFile,
    SimpleUploadedFile,
    TemporaryUploadedFile,
)
from pymongo.database import Database
from pymongo.errors import OperationFailure

from djongo_services.storage import GridFSStorage
from djongo_services.storage.bucket import StoredFile
from tests.storage.conftest import nothing_left
from tests.transaction.conftest import failing


def content(storage: GridFSStorage, name: str) -> bytes:
    with storage.open(name) as file:
        found: bytes = file.read()
        return found


class Unseekable(io.RawIOBase):
    def __init__(self, data: bytes) -> None:
        super().__init__()
        self._file = io.BytesIO(data)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return self._file.readinto(buffer)


class OnlyRead:
    """The smallest possible file interface."""

    def __init__(self, data: bytes) -> None:
        self._file = io.BytesIO(data)

    def read(self, size: int = -1) -> bytes:
        return self._file.read(size)


def temporary(data: bytes) -> TemporaryUploadedFile:
    file = TemporaryUploadedFile("t.txt", "text/plain", len(data), None)
    file.write(data)
    file.seek(0)
    return file


def in_memory(data: bytes) -> InMemoryUploadedFile:
    return InMemoryUploadedFile(io.BytesIO(data), "f", "m.txt", "text/plain", len(data), None)


def read_already(data: bytes) -> File[bytes]:
    file = ContentFile(data)
    file.read()
    return file


def pipe(data: bytes) -> Any:
    reading, writing = os.pipe()
    with os.fdopen(writing, "wb") as file:
        file.write(data)
    return os.fdopen(reading, "rb")


SOURCES: dict[str, Callable[[bytes], Any]] = {
    "ContentFile of bytes": ContentFile,
    "ContentFile of text": lambda data: ContentFile(data.decode()),
    "BytesIO": io.BytesIO,
    "StringIO": lambda data: io.StringIO(data.decode()),
    "File": lambda data: File(io.BytesIO(data), "unused"),
    "unnamed File": lambda data: File(io.BytesIO(data)),
    "unseekable": Unseekable,
    "pipe": pipe,
    "only read()": OnlyRead,
    "read already": read_already,
    "SimpleUploadedFile": lambda data: SimpleUploadedFile("s.txt", data),
    "TemporaryUploadedFile": temporary,
    "InMemoryUploadedFile": in_memory,
    "generator": lambda data: (data[at : at + 3] for at in range(0, len(data), 3)),
    "list": lambda data: [data[:2], bytearray(data[2:5]), memoryview(data[5:])],
}


def test_any_source(matrix_storage: GridFSStorage) -> None:
    for name, source in SOURCES.items():
        for data in (b"", b"content of a file", "äöü€".encode() * 100):
            made = source(data)
            saved = matrix_storage.save(f"{name}.txt", made)
            assert content(matrix_storage, saved) == data, name
            assert matrix_storage.size(saved) == len(data)
            if hasattr(made, "close"):
                made.close()


def test_the_name_of_the_content(storage: GridFSStorage) -> None:
    assert storage.save(None, SimpleUploadedFile("a.txt", b"content")) == "a.txt"
    assert storage.save(None, ContentFile(b"content", name="b.txt")) == "b.txt"


def test_what_has_no_bytes(storage: GridFSStorage, connected: Database[Any]) -> None:
    for source in (5, None, ["text"], object()):
        with pytest.raises(TypeError, match="A file is made of bytes, not of"):
            storage.save("a.txt", source)
    assert nothing_left(connected)


def test_text_that_is_none(storage: GridFSStorage, connected: Database[Any]) -> None:
    with pytest.raises(UnicodeEncodeError):
        storage.save("a.txt", ContentFile("\ud800"))
    assert nothing_left(connected)


def test_a_source_that_raises_leaves_nothing(connected: Database[Any]) -> None:
    def source() -> Iterator[bytes]:
        yield bytes(5_000_000)
        raise ZeroDivisionError

    for options in ({}, {"allow_overwrite": True}, {"deduplicate": True}, {"compression": "gzip"}):
        with pytest.raises(ZeroDivisionError):
            GridFSStorage(**options).save("a.txt", source())
        assert nothing_left(connected), options


def test_a_files_document_that_is_refused_leaves_nothing(connected: Database[Any]) -> None:
    connected.create_collection("fs.files", validator={"filename": {"$ne": "a.txt"}})
    every: list[dict[str, Any]] = [{}, {"allow_overwrite": True}, {"deduplicate": True}]
    for options in every:
        storage = GridFSStorage(**options)
        with pytest.raises(OperationFailure):
            storage.save("a.txt", ContentFile(b"content"))
        with pytest.raises(OperationFailure), storage.open("a.txt", "wb") as file:
            file.write(b"content")
        assert nothing_left(connected), options


def test_what_the_bucket_has_then(connected: Database[Any]) -> None:
    storage = GridFSStorage(location="media", chunk_size=4)
    storage.save("2024/a.png", ContentFile(b"content"))
    document = connected.fs.files.find_one() or {}
    assert document["filename"] == "media/2024/a.png"
    assert (document["length"], document["chunkSize"]) == (7, 4)
    assert document["metadata"]["contentType"] == "image/png"
    assert connected.fs.chunks.count_documents({}) == 2
    assert storage.stored("2024/a.png") == StoredFile.from_document(
        {**document, "uploadDate": document["uploadDate"].replace(tzinfo=UTC)}
    )


class TestNamesThatAreTaken:
    def test_another_one(self, storage: GridFSStorage) -> None:
        assert storage.save("f/a.tar.gz", ContentFile(b"1")) == "f/a.tar.gz"
        other = storage.save("f/a.tar.gz", ContentFile(b"2"))
        assert other.startswith("f/a_")
        assert other.endswith(".tar.gz")
        assert (content(storage, "f/a.tar.gz"), content(storage, other)) == (b"1", b"2")

    def test_max_length(self, storage: GridFSStorage) -> None:
        assert storage.save("a" * 20 + ".txt", ContentFile(b"1"), max_length=15) != "a" * 20
        for _ in range(3):
            assert len(storage.save("abcdefghijk.txt", ContentFile(b"1"), max_length=15)) <= 15
        storage.save("a.txt", ContentFile(b"1"))
        with pytest.raises(SuspiciousFileOperation, match="can not find an available filename"):
            storage.save("a.txt", ContentFile(b"1"), max_length=5)
        overwriting = GridFSStorage(allow_overwrite=True)
        assert overwriting.save("a.txt", ContentFile(b"2"), max_length=5) == "a.txt"
        assert len(overwriting.save("a" * 20 + ".txt", ContentFile(b"1"), max_length=15)) <= 15

    @pytest.mark.parametrize("deduplicate", [True, False])
    def test_max_length_of_one_who_was_slower(
        self, connected: Database[Any], monkeypatch: pytest.MonkeyPatch, deduplicate: bool
    ) -> None:
        storage = GridFSStorage(deduplicate=deduplicate)
        storage.save("abcdefghijk.txt", ContentFile(b"1"))
        looks: list[str] = []
        exists = GridFSStorage.exists

        def late(self: GridFSStorage, name: str) -> bool:
            # The first look finds nothing, as if the other one had been saved just after it.
            looks.append(name)
            return len(looks) > 1 and exists(self, name)

        monkeypatch.setattr(GridFSStorage, "exists", late)
        other = storage.save("abcdefghijk.txt", ContentFile(b"2"), max_length=15)
        assert other != "abcdefghijk.txt"
        assert len(other) <= 15
        assert content(storage, other) == b"2"

    def test_a_folder_of_that_name(self, storage: GridFSStorage) -> None:
        """As on a file system, because a listing would contain both."""
        storage.save("css/a.css", ContentFile(b"1"))
        assert storage.save("css", ContentFile(b"2")) != "css"


class TestOverwriting:
    @pytest.fixture
    def storage(self, connected: Database[Any]) -> GridFSStorage:
        return GridFSStorage(allow_overwrite=True)

    def test_one_file_is_left(self, storage: GridFSStorage, connected: Database[Any]) -> None:
        for number in range(3):
            assert storage.save("a.txt", ContentFile(b"%d" % number)) == "a.txt"
        assert content(storage, "a.txt") == b"2"
        assert connected.fs.files.count_documents({}) == 1
        assert connected.fs.chunks.count_documents({}) == 1

    def test_a_clock_that_was_ahead(self, storage: GridFSStorage, connected: Database[Any]) -> None:
        """The clock of another process, or of this one before it was corrected."""
        storage.save("a.txt", ContentFile(b"old"))
        ahead = datetime.now(UTC) + timedelta(days=2)
        connected.fs.files.update_one({}, {"$set": {"uploadDate": ahead}})
        storage.save("a.txt", ContentFile(b"new"))
        assert content(storage, "a.txt") == b"new"
        with storage.open("a.txt", "ab") as file:
            file.write(b"er")
        assert content(storage, "a.txt") == b"newer"
        assert storage.save_many([("a.txt", b"1"), ("a.txt", b"2")]) == ["a.txt"] * 2
        assert content(storage, "a.txt") == b"2"
        assert connected.fs.files.count_documents({}) == 1

    def test_a_source_that_raises_keeps_the_old_one(self, storage: GridFSStorage) -> None:
        def source() -> Iterator[bytes]:
            yield b"half"
            raise ZeroDivisionError

        storage.save("a.txt", ContentFile(b"old"))
        with pytest.raises(ZeroDivisionError):
            storage.save("a.txt", source())
        assert content(storage, "a.txt") == b"old"

    def test_a_failure_keeps_the_old_one(
        self, storage: GridFSStorage, connected: Database[Any]
    ) -> None:
        storage.save("a.txt", ContentFile(b"old"))
        for namespace in ("fs.chunks", "fs.files"):
            with (
                failing(
                    connected.client,
                    "insert",
                    times=1,
                    errorCode=14,
                    namespace=f"{connected.name}.{namespace}",
                ),
                pytest.raises(OperationFailure),
            ):
                storage.save("a.txt", ContentFile(b"new"))
            assert content(storage, "a.txt") == b"old"
            assert connected.fs.chunks.count_documents({}) == 1

    def test_all_of_a_name_are_deleted(
        self, storage: GridFSStorage, connected: Database[Any]
    ) -> None:
        keeping = GridFSStorage(allow_overwrite=True, keep_revisions=True)
        for number in range(3):
            keeping.save("a.txt", ContentFile(b"%d" % number))
        assert connected.fs.files.count_documents({}) == 3
        storage.delete("a.txt")
        assert nothing_left(connected)

    def test_revisions_without_overwriting(self, connected: Database[Any]) -> None:
        storage = GridFSStorage(keep_revisions=True)
        storage.save("a.txt", ContentFile(b"old"))
        with storage.open("a.txt", "wb") as file:
            file.write(b"new")
        assert [storage.reader(each).read() for each in storage.revisions("a.txt")] == [
            b"new",
            b"old",
        ]
        assert storage.save("a.txt", ContentFile(b"other")) != "a.txt"


def together(number: int, work: Callable[[int], Any]) -> list[Any]:
    """The results of a number of threads that begin at the same time."""
    begin, results = threading.Barrier(number), [None] * number

    def run(index: int) -> None:
        begin.wait()
        results[index] = work(index)

    threads = [threading.Thread(target=run, args=[index]) for index in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


class TestRaces:
    @pytest.mark.parametrize("deduplicate", [False, True])
    def test_two_who_save_one_name(self, connected: Database[Any], deduplicate: bool) -> None:
        storages = [GridFSStorage(deduplicate=deduplicate) for _ in range(2)]
        collisions = 0

        def save(number: int, index: int) -> str:
            return storages[index].save(f"{number}.txt", ContentFile(b"%d %d" % (number, index)))

        for number in range(60):
            names = together(2, partial(save, number))
            assert None not in names
            assert len(set(names)) == 2
            for index, name in enumerate(names):
                assert content(storages[0], name) == b"%d %d" % (number, index)
            collisions += f"{number}.txt" in names
        assert collisions == 60
        assert connected.fs.files.count_documents({}) == 120

    def test_those_who_overwrite_one_name(self, connected: Database[Any]) -> None:
        storage = GridFSStorage(allow_overwrite=True)
        for _ in range(25):
            together(3, lambda index: storage.save("a.txt", ContentFile(b"%d" % index * 1_000)))
            assert content(storage, "a.txt") in [b"%d" % index * 1_000 for index in range(3)]
            assert connected.fs.files.count_documents({}) == 1
            assert connected.fs.chunks.count_documents({}) == 1

    def test_one_who_reads_while_others_overwrite(self, connected: Database[Any]) -> None:
        """Either the one or the other, never a mixture, never nothing."""
        from djongo_services.storage import FileChanged

        storage = GridFSStorage(allow_overwrite=True, chunk_size=500)
        storage.save("a.txt", ContentFile(b"x" * 10_000))
        seen: list[bytes] = []

        def work(index: int) -> None:
            for _ in range(30):
                if index:
                    storage.save("a.txt", ContentFile(b"%d" % index * 10_000))
                    continue
                try:
                    seen.append(content(storage, "a.txt"))
                except FileChanged:
                    continue

        together(3, work)
        assert all(len(each) == 10_000 and len(set(each)) == 1 for each in seen)

    def test_saved_and_deleted_at_once(self, connected: Database[Any]) -> None:
        storage = GridFSStorage()
        for _ in range(25):
            name, _ = together(
                2,
                lambda index: (
                    storage.delete("a.txt")
                    if index
                    else storage.save("a.txt", ContentFile(b"content"))
                ),
            )
            assert storage.exists(name) is (connected.fs.files.count_documents({}) == 1)
            assert connected.fs.chunks.count_documents({}) == connected.fs.files.count_documents({})
            storage.delete(name)
        assert nothing_left(connected)
