"""Files of equal content are stored once, and counted by their names."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from typing import Any

import gridfs
import pytest
from django.core.files.base import ContentFile
from pymongo.database import Database

from djongo_services.storage import GridFSStorage
from tests.storage.conftest import nothing_left


@pytest.fixture
def storage(connected: Database[Any]) -> GridFSStorage:
    return GridFSStorage(deduplicate=True)


def content(storage: GridFSStorage, name: str) -> bytes:
    with storage.open(name) as file:
        found: bytes = file.read()
        return found


def counts(database: Database[Any]) -> tuple[int, int]:
    return database.fs.files.count_documents({}), database.fs.chunks.count_documents({})


def test_equal_content_is_stored_once(storage: GridFSStorage, connected: Database[Any]) -> None:
    names = [storage.save(f"{number}.txt", ContentFile(b"the same")) for number in range(3)]
    storage.save("other.txt", ContentFile(b"another"))
    storage.save("empty.txt", ContentFile(b""))
    assert counts(connected) == (3, 2)
    for name in names:
        assert content(storage, name) == b"the same"
        assert (storage.exists(name), storage.size(name)) == (True, 8)
    assert storage.listdir("") == ([], ["0.txt", "1.txt", "2.txt", "empty.txt", "other.txt"])


def test_it_goes_with_its_last_name(storage: GridFSStorage, connected: Database[Any]) -> None:
    for name in ("a.txt", "b.txt", "c.txt"):
        storage.save(name, ContentFile(b"the same"))
    storage.delete("a.txt")
    storage.delete("a.txt")
    assert not storage.exists("a.txt")
    assert content(storage, "b.txt") == content(storage, "c.txt") == b"the same"
    # Other tools find it by one of the names that it still has.
    assert gridfs.GridFS(connected).get_last_version("b.txt").read() == b"the same"
    storage.delete("c.txt")
    assert counts(connected) == (1, 1)
    storage.delete("b.txt")
    assert nothing_left(connected)


def test_a_name_can_be_taken_again(storage: GridFSStorage) -> None:
    for name in ("a.txt", "b.txt"):
        storage.save(name, ContentFile(b"one"))
    storage.delete("a.txt")
    assert storage.save("a.txt", ContentFile(b"two")) == "a.txt"
    assert storage.save("b.txt", ContentFile(b"two")) != "b.txt"
    assert (content(storage, "a.txt"), content(storage, "b.txt")) == (b"two", b"one")


def test_a_name_that_is_taken_gets_another(storage: GridFSStorage, connected: Any) -> None:
    names = [storage.save("a.txt", ContentFile(b"the same")) for _ in range(3)]
    assert len(set(names)) == 3
    assert all(content(storage, name) == b"the same" for name in names)
    assert counts(connected) == (1, 1)


def test_what_is_written_through_one_name_stays_with_it(
    storage: GridFSStorage, connected: Database[Any]
) -> None:
    for name in ("a.txt", "b.txt"):
        storage.save(name, ContentFile(b"the same"))
    with storage.open("a.txt", "ab") as file:
        file.write(b", changed")
    assert content(storage, "a.txt") == b"the same, changed"
    assert content(storage, "b.txt") == b"the same"
    assert counts(connected) == (2, 2)
    with storage.open("b.txt", "wb") as file:
        file.write(b"new")
    assert content(storage, "b.txt") == b"new"
    assert counts(connected) == (2, 2)
    # What was written this way is shared like any other.
    storage.save("c.txt", ContentFile(b"new"))
    assert counts(connected) == (2, 2)
    for name in ("a.txt", "b.txt", "c.txt"):
        storage.delete(name)
    assert nothing_left(connected)


def test_content_types_are_kept_apart(storage: GridFSStorage, connected: Database[Any]) -> None:
    """The type under which one name is served must not depend on which file was saved first."""
    for name in ("a.html", "a.txt", "b.txt"):
        storage.save(name, ContentFile(b"<script>"))
    assert storage.stored("a.html").content_type == "text/html"
    assert storage.stored("b.txt").content_type == "text/plain"
    assert counts(connected) == (2, 2)


def test_codecs_are_kept_apart(connected: Database[Any]) -> None:
    data = b"x" * 1_000
    for compression in (None, "gzip", "gzip", None):
        storage = GridFSStorage(deduplicate=True, compression=compression)
        name = storage.save("a.txt", ContentFile(data))
        assert content(storage, name) == data
    assert counts(connected) == (2, 2)


def test_a_storage_that_does_not_share_shares_nothing(
    storage: GridFSStorage, connected: Database[Any]
) -> None:
    plain = GridFSStorage()
    plain.save("a.txt", ContentFile(b"the same"))
    storage.save("b.txt", ContentFile(b"the same"))
    assert counts(connected) == (2, 2)
    plain.delete("a.txt")
    assert content(storage, "b.txt") == b"the same"


def test_files_of_other_tools(storage: GridFSStorage, connected: Database[Any]) -> None:
    """Several of one name: all of them go."""
    for number in range(3):
        gridfs.GridFS(connected).put(b"%d" % number, filename="a.txt")
    assert content(storage, "a.txt") == b"2"
    with storage.open("a.txt", "ab") as file:
        file.write(b"!")
    assert content(storage, "a.txt") == b"2!"
    assert counts(connected) == (1, 1)
    gridfs.GridFS(connected).put(b"x", filename="a.txt")
    storage.delete("a.txt")
    assert nothing_left(connected)


def test_names_that_look_like_queries(storage: GridFSStorage, connected: Database[Any]) -> None:
    for name in ("$filename", "$$this.name", "$set"):
        storage.save(name, ContentFile(b"the same"))
    storage.delete("$filename")
    assert storage.listdir("") == ([], ["$$this.name", "$set"])
    storage.delete("$$this.name")
    storage.delete("$set")
    assert nothing_left(connected)


def test_equal_content_is_found_by_an_index(
    storage: GridFSStorage, connected: Database[Any]
) -> None:
    from djongo_services.storage import sharing

    storage.save("a.txt", ContentFile(b"content"))
    document = connected.fs.files.find_one() or {}
    plan = connected.fs.files.find(sharing.same_content({**document, "filename": "b"})).explain()
    assert "COLLSCAN" not in str(plan["queryPlanner"]["winningPlan"])


def test_many_are_shared_too(storage: GridFSStorage, connected: Database[Any]) -> None:
    names = storage.save_many((f"{number}.txt", b"%d" % (number % 2)) for number in range(10))
    assert names == [f"{number}.txt" for number in range(10)]
    assert counts(connected) == (2, 2)


def test_savers_and_deleters_of_the_same_content(
    storage: GridFSStorage, connected: Database[Any]
) -> None:
    """Every client that saved it can read it, whatever the others do."""
    failures: list[str] = []

    def work(number: int) -> None:
        mine = GridFSStorage(deduplicate=True)
        chosen = random.Random(number)
        for turn in range(25):
            name = mine.save(f"{number}-{turn}.txt", ContentFile(b"the same"))
            if content(mine, name) != b"the same":
                failures.append(name)
            if chosen.random() < 0.8:
                mine.delete(name)
                if mine.exists(name):
                    failures.append(f"deleted {name}")
            else:
                kept.append(name)

    kept: list[str] = []
    _in_threads(work, 4)
    assert failures == []
    assert all(content(storage, name) == b"the same" for name in kept)
    assert storage.listdir("")[1] == sorted(kept)
    for name in kept:
        storage.delete(name)
    assert nothing_left(connected)


def _in_threads(work: Callable[[int], None], number: int) -> None:
    failed: list[BaseException] = []

    def run(index: int) -> None:
        try:
            work(index)
        except BaseException as error:
            failed.append(error)
            raise

    threads = [threading.Thread(target=run, args=[index]) for index in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
