"""``open()`` in every mode, held against Django's FileSystemStorage."""

from __future__ import annotations

import io
import itertools
from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage, Storage
from pymongo.database import Database

from djongo_services.embedded import MongoServer
from djongo_services.storage import CorruptFile, FileChanged, GridFSStorage, NoFile
from djongo_services.storage.bucket import Bucket


@pytest.fixture(params=["gridfs", "filesystem"])
def any_storage(
    request: pytest.FixtureRequest, mongodb_server: MongoServer, tmp_path: Any
) -> Storage:
    """Tests with it say what is the same."""
    if request.param == "filesystem":
        return FileSystemStorage(tmp_path)
    storage: Storage = request.getfixturevalue("storage")
    return storage


def content(storage: Storage, name: str = "a.txt") -> bytes:
    with storage.open(name) as file:
        return file.read()


def use(file: Any, script: list[tuple[str, Any]]) -> list[Any]:
    """Call methods in turn; an exception is replaced by its type."""
    results: list[Any] = []
    for method, *arguments in script:
        try:
            results.append(getattr(file, method)(*arguments))
        except (OSError, ValueError, TypeError) as error:
            results.append(type(error))
    return results


SCRIPTS: dict[str, list[tuple[Any, ...]]] = {
    "reads": [("read", 3), ("tell",), ("read",), ("read",), ("seek", 2), ("read", 2)],
    "seeks": [("seek", -2, 2), ("read",), ("seek", 0), ("seek", 3, 1), ("read", 1), ("seek", -99)],
    "writes": [("write", b"XY"), ("tell",), ("seek", 0), ("read",)],
    "writes far": [("seek", 12), ("write", b"Z"), ("seek", 0), ("read",)],
    "reads, writes": [("read", 2), ("seek", 0, 1), ("write", b"W"), ("seek", 0), ("read",)],
    "truncates": [("truncate", 4), ("seek", 0), ("read",)],
    "lines": [("readline",), ("readlines",)],
    "writes lines": [("writelines", [b"a\n", b"b\n"]), ("flush",), ("tell",)],
    "nothing": [],
}
BINARY = ["rb", "wb", "ab", "xb", "r+b", "rb+", "w+b", "a+b", "x+b"]


@pytest.mark.parametrize("mode", BINARY)
def test_binary_modes_are_those_of_the_file_system(
    storage: GridFSStorage, tmp_path: Any, mode: str
) -> None:
    for name, there in itertools.product(SCRIPTS, [True, False]):
        outcomes = []
        for each in (storage, FileSystemStorage(tmp_path)):
            path = f"{name} {there}"
            if there:
                each.save(path, ContentFile(b"012345\n789"))
            outcome: list[Any] = []
            try:
                with each.open(path, mode) as file:
                    outcome.append(file.tell())
                    outcome += use(file.file, SCRIPTS[name])
                outcome.append(file.closed)
            except _ERRORS as error:
                outcome.append(next(kind for kind in _ERRORS if isinstance(error, kind)))
            outcome.append(content(each, path) if each.exists(path) else None)
            outcomes.append(outcome)
        assert outcomes[0] == outcomes[1], (name, there)


_ERRORS = (FileNotFoundError, FileExistsError, io.UnsupportedOperation, OSError, ValueError)

TEXTS: dict[str, list[tuple[Any, ...]]] = {
    "reads": [("read", 3), ("read",)],
    "lines": [("readline",), ("readline",), ("readlines",)],
    "writes": [("write", "ä\nb\n"), ("flush",)],
    "bytes": [("write", b"x")],
    "reads, writes": [("read",), ("write", "end\n"), ("seek", 0), ("read",)],
}


@pytest.mark.parametrize("mode", ["r", "rt", "w", "a", "x", "r+", "w+t", "a+"])
def test_text_modes_are_those_of_the_file_system(
    storage: GridFSStorage, tmp_path: Any, mode: str
) -> None:
    for name, script in TEXTS.items():
        outcomes = []
        for each in (storage, FileSystemStorage(tmp_path)):
            if "x" not in mode:
                each.save(name, ContentFile("one\r\ntwo\rthrée\nfour".encode()))
            with each.open(name, mode) as file:
                outcome = use(file.file, script)
            outcomes.append([*outcome, content(each, name)])
        assert outcomes[0] == outcomes[1], name


def test_what_is_no_mode(storage: GridFSStorage) -> None:
    storage.save("a.txt", ContentFile(b"content"))
    for mode in ["", "q", "b", "rw", "rbt", "rr", "r++", "wa", "U", "rb "]:
        with pytest.raises(ValueError, match=r"Invalid mode .*; use r, w, a or x, with b or t"):
            storage.open("a.txt", mode)


def test_a_file_that_is_not_there(any_storage: Storage) -> None:
    for mode in ["rb", "r", "r+b"]:
        with pytest.raises(FileNotFoundError):
            any_storage.open("missing/a.txt", mode)


def test_what_it_says(storage: GridFSStorage) -> None:
    with pytest.raises(NoFile, match=r"There is no file 'a.txt' in the storage"):
        storage.open("a.txt")
    storage.save("a.txt", ContentFile(b"1"))
    with pytest.raises(FileExistsError, match=r"There is a file 'a.txt' already"):
        storage.open("a.txt", "xb")


def test_nothing_is_stored_before_it_is_closed(storage: GridFSStorage) -> None:
    storage.save("a.txt", ContentFile(b"old"))
    file = storage.open("a.txt", "wb")
    file.write(b"new")
    assert content(storage) == b"old"
    file.close()
    file.close()
    assert content(storage) == b"new"
    assert len(storage.revisions("a.txt")) == 1


def test_a_block_that_raises_stores_nothing(storage: GridFSStorage) -> None:
    storage.save("a.txt", ContentFile(b"old"))
    with pytest.raises(ZeroDivisionError), storage.open("a.txt", "wb") as file:  # noqa: PT012
        file.write(b"half")
        raise ZeroDivisionError
    assert content(storage) == b"old"
    assert file.closed


def test_another_process_creates_it_meanwhile(storage: GridFSStorage) -> None:
    every: list[dict[str, Any]] = [{}, {"allow_overwrite": True}, {"deduplicate": True}]
    for options in every:
        mine = GridFSStorage(bucket=f"b{len(str(options))}", **options)
        file = mine.open("a.txt", "xb")
        file.write(b"mine")
        mine.save("a.txt", ContentFile(b"theirs"))
        with pytest.raises(FileExistsError):
            file.close()
        assert content(mine) == b"theirs"
        assert mine.bucket.chunks.count_documents({}) == 1


class TestDjangosFile:
    def test_size_and_name(self, any_storage: Storage) -> None:
        any_storage.save("folder/a.txt", ContentFile(b"content"))
        with any_storage.open("folder/a.txt") as file:
            assert file.size == len(file) == 7
            assert file.multiple_chunks() is False
            assert (file.closed, bool(file)) == (False, True)
        with any_storage.open("folder/a.txt", "r+b") as file:
            assert file.size == 7
        assert file.closed

    def test_chunks_and_lines(self, any_storage: Storage) -> None:
        any_storage.save("a.txt", ContentFile(b"one\ntwo\nthree"))
        with any_storage.open("a.txt") as file:
            assert list(file) == [b"one\n", b"two\n", b"three"]
            file.read(5)
            assert list(file.chunks(4)) == [b"one\n", b"two\n", b"thre", b"e"]
        with any_storage.open("a.txt", "r") as file:
            assert list(file) == ["one\n", "two\n", "three"]

    def test_opened_again(self, any_storage: Storage) -> None:
        any_storage.save("a.txt", ContentFile(b"content"))
        file = any_storage.open("a.txt")
        assert file.read(3) == b"con"
        assert file.open() is file
        assert file.read() == b"content"
        file.close()

    def test_opened_again_after_it_was_closed(
        self, storage: GridFSStorage, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Django's own File would look for it on the disk."""
        monkeypatch.chdir(tmp_path)
        (tmp_path / "a.txt").write_text("something else")
        storage.save("a.txt", ContentFile(b"content"))
        file = storage.open("a.txt")
        file.close()
        with file.open() as again:
            assert again is file
            assert (file.read(), file.size) == (b"content", 7)
        with file.open("ab"):
            file.write(b"!")
        with file.open("rb"):
            assert (file.read(), file.size) == (b"content!", 8)
        storage.delete("a.txt")
        with pytest.raises(FileNotFoundError):
            file.open()


class TestReading:
    CONTENT = bytes(range(256)) * 5_000

    @pytest.fixture
    def stored(self, storage: GridFSStorage) -> GridFSStorage:
        storage.save("large", ContentFile(self.CONTENT))
        return storage

    def test_in_every_order(self, stored: GridFSStorage) -> None:
        with stored.open("large") as file:
            for start, count in [(0, 10), (1_000_000, 300_000), (5, 700_000), (1_279_990, 100)]:
                file.seek(start)
                assert file.read(count) == self.CONTENT[start : start + count]
            assert file.read() == b""
            file.seek(0)
            assert b"".join(file.chunks()) == self.CONTENT

    def test_few_queries(self, stored: GridFSStorage, monkeypatch: pytest.MonkeyPatch) -> None:
        asked: list[int] = []
        read = Bucket.read
        monkeypatch.setattr(
            Bucket, "read", lambda self, *args: asked.append(1) or read(self, *args)
        )
        with stored.open("large") as file:
            assert file.read() == self.CONTENT
        assert len(asked) <= 3

    def test_what_was_deleted_or_replaced(self, stored: GridFSStorage) -> None:
        with stored.open("large") as file:
            file.read(10)
            with stored.open("large", "wb") as other:
                other.write(self.CONTENT[::-1])
            with pytest.raises(FileChanged):
                file.read()

    @pytest.mark.parametrize("how", ["read", "chunks", "lines"])
    def test_bytes_that_are_others(
        self, stored: GridFSStorage, connected: Database[Any], how: str
    ) -> None:
        chunk = connected.fs.chunks.find_one({"n": 1}) or {}
        changed = b"?" + chunk["data"][1:]
        connected.fs.chunks.update_one({"n": 1}, {"$set": {"data": changed}})
        read: dict[str, Callable[[Any], Any]] = {
            "read": lambda file: file.read(),
            "chunks": lambda file: list(file.chunks()),
            "lines": lambda file: list(file),
        }
        with (
            pytest.raises(CorruptFile, match="do not have the checksum that they were stored with"),
            stored.open("large") as file,
        ):
            read[how](file)

    def test_what_is_closed(self, stored: GridFSStorage) -> None:
        file = stored.open("large")
        file.close()
        with pytest.raises(ValueError, match="closed"):
            file.read()

    def test_a_file_of_another_tool_has_no_checksum(
        self, storage: GridFSStorage, connected: Database[Any]
    ) -> None:
        import gridfs

        gridfs.GridFS(connected).put(b"content", filename="theirs.txt")
        assert content(storage, "theirs.txt") == b"content"

    def test_revisions(self, connected: Database[Any]) -> None:
        storage = GridFSStorage(allow_overwrite=True, keep_revisions=True)
        for number in range(3):
            storage.save("a.txt", ContentFile(b"%d" % number))
        revisions = storage.revisions("a.txt")
        assert [storage.reader(each).read() for each in revisions] == [b"2", b"1", b"0"]
        assert content(storage) == b"2"
        assert storage.revisions("b.txt") == []
        storage.delete("a.txt")
        assert connected.fs.chunks.count_documents({}) == 0
