"""``save_many()``: as many saves, with few commands."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.exceptions import SuspiciousFileOperation
from pymongo.database import Database

from djongo_services.connections import connections
from djongo_services.storage import GridFSStorage
from djongo_services.storage.bucket import Bucket
from tests.storage.bucket.conftest import Commands
from tests.storage.conftest import nothing_left
from tests.transaction.conftest import entry


def content(storage: GridFSStorage, name: str) -> bytes:
    with storage.open(name) as file:
        found: bytes = file.read()
        return found


def test_many(matrix_storage: GridFSStorage) -> None:
    items = [(f"f{number % 3}/{number}.txt", b"x" * number) for number in range(1_200)]
    assert matrix_storage.save_many(iter(items)) == [name for name, _ in items]
    for name, data in items[::100]:
        assert content(matrix_storage, name) == data
        assert matrix_storage.stored(name).content_type == "text/plain"
    assert len(matrix_storage.listdir("f0")[1]) == 400
    assert matrix_storage.save_many([]) == []


def test_few_commands(settings: Any, database: Database[Any]) -> None:
    commands = Commands()
    settings.DJONGO_SERVICES = {
        "CONNECTIONS": {"default": entry(database, event_listeners=[commands])}
    }
    storage = GridFSStorage()
    storage.save_many([("first", b"")])
    commands.sent.clear()
    storage.save_many((f"{number}", b"content") for number in range(1_000))
    assert commands.names == ["find", "insert", "insert"] * 2
    connections.close_all()


def test_names_that_are_taken(storage: GridFSStorage) -> None:
    items = [("v1.2/a", b"0"), ("v1.2/a", b"1"), ("v1.2/a", b"2"), ("b.tar.gz", b"3")]
    first = storage.save_many(items)
    second = storage.save_many(items)
    names = [*first, *second]
    assert len(set(names)) == 8
    assert first[0] == "v1.2/a"
    assert all(name.startswith(("v1.2/a", "b")) for name in names)
    assert second[3].endswith(".tar.gz")
    assert [content(storage, name) for name in names] == [b"0", b"1", b"2", b"3"] * 2


def test_overwriting(connected: Database[Any]) -> None:
    storage = GridFSStorage(allow_overwrite=True)
    storage.save_many([("a", b"1"), ("b", b"2"), ("a", b"3")])
    assert (content(storage, "a"), content(storage, "b")) == (b"3", b"2")
    assert storage.save_many([("a", b"4")]) == ["a"]
    assert content(storage, "a") == b"4"
    assert connected.fs.files.count_documents({}) == 2
    assert connected.fs.chunks.count_documents({}) == 2
    keeping = GridFSStorage(allow_overwrite=True, keep_revisions=True)
    keeping.save_many([("a", b"5"), ("a", b"6")])
    assert [keeping.reader(each).read() for each in keeping.revisions("a")] == [b"6", b"5", b"4"]


def test_location_and_codecs(connected: Database[Any]) -> None:
    storage = GridFSStorage(location="media", compression="gzip")
    assert storage.save_many([("a.txt", b"x" * 1_000)]) == ["a.txt"]
    assert content(storage, "a.txt") == b"x" * 1_000
    assert storage.size("a.txt") == 1_000
    assert storage.stored("a.txt").length < 100


def test_bad_names_and_sources(storage: GridFSStorage, connected: Database[Any]) -> None:
    def raising() -> Iterator[tuple[str, bytes]]:
        yield "a", b"content"
        raise ZeroDivisionError

    with pytest.raises(SuspiciousFileOperation):
        storage.save_many([("a", b"content"), ("../b", b"content")])
    with pytest.raises(ZeroDivisionError):
        storage.save_many(raising())
    with pytest.raises(TypeError):
        storage.save_many([("a", "text")])  # type: ignore[list-item]
    assert nothing_left(connected)


def test_content_is_held_a_batch_at_a_time(
    storage: GridFSStorage, connected: Database[Any]
) -> None:
    taken: list[int] = []

    def items() -> Iterator[tuple[str, bytes]]:
        for number in range(5):
            taken.append(connected.fs.files.count_documents({}))
            yield f"{number}", bytes(5_000_000)

    storage.save_many(items())
    assert taken == [0, 0, 2, 2, 4]


def test_another_writer_is_faster(
    storage: GridFSStorage, connected: Database[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    upload_new = Bucket.upload_new

    def late(self: Bucket, items: Any, **options: Any) -> Any:
        monkeypatch.setattr(Bucket, "upload_new", upload_new)
        GridFSStorage().save_many((f"{number}.txt", b"theirs") for number in range(0, 20, 5))
        return self.upload_new(items, **options)

    monkeypatch.setattr(Bucket, "upload_new", late)
    names = storage.save_many((f"{number}.txt", b"mine") for number in range(20))
    assert [index for index, name in enumerate(names) if name != f"{index}.txt"] == [0, 5, 10, 15]
    assert all(content(storage, name) == b"mine" for name in names)
    assert content(storage, "5.txt") == b"theirs"
    assert connected.fs.chunks.count_documents({}) == 24


def test_two_at_once(connected: Database[Any]) -> None:
    names: list[list[str]] = [[], []]
    begin = threading.Barrier(2)

    def work(index: int) -> None:
        storage = GridFSStorage()
        begin.wait()
        for _ in range(5):
            names[index] += storage.save_many((f"{n}", b"%d" % index) for n in range(40))

    threads = [threading.Thread(target=work, args=[index]) for index in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({*names[0], *names[1]}) == 400
    storage = GridFSStorage()
    for index in range(2):
        assert {content(storage, name) for name in names[index][::10]} == {b"%d" % index}
