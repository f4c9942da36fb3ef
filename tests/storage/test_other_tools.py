"""Files that other tools stored, under names and in forms that this package does not write."""

from __future__ import annotations

import pathlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from bson import Binary, ObjectId
from django.core.exceptions import SuspiciousFileOperation
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage
from pymongo.database import Database

from djongo_services.connections import connections as mongodb
from djongo_services.storage import GridFSStorage
from djongo_services.storage.bucket.synchronous.uploading import ensure_indexes
from djongo_services.storage.collector import Kind, collect, find_references
from djongo_services.storage.djongo import DjongoGridFSStorage
from tests.storage.conftest import nothing_left

LITERAL = ["d\\c.txt", "/a.txt", "\\a.txt", "./b", "d//a.txt", "d/./a", "a.txt/", "C:\\x\\y.txt"]


def put(database: Database[Any], filename: str, data: Any = b"theirs", **changes: Any) -> ObjectId:
    files_id = ObjectId()
    document = {
        "_id": files_id,
        "length": 6,
        "chunkSize": 261_120,
        "uploadDate": datetime(2020, 1, 1, tzinfo=UTC),
        "filename": filename,
        **changes,
    }
    database.fs.files.insert_one(
        {name: value for name, value in document.items() if value is not ...}
    )
    database.fs.chunks.insert_one({"files_id": files_id, "n": 0, "data": data})
    return files_id


def read(storage: Any, name: Any) -> bytes:
    with storage.open(name) as file:
        found: bytes = file.read()
        return found


@pytest.mark.parametrize("location", ["", "media"])
def test_names_that_are_not_normal(connected: Database[Any], location: str) -> None:
    storage = GridFSStorage(location=location)
    for name in LITERAL:
        put(connected, storage.place.prefix + name)
        assert storage.exists(name)
        assert read(storage, name) == b"theirs"
        assert storage.size(name) == 6
        assert len(storage.revisions(name)) == 1
        assert storage.get_modified_time(name).year == 2020
        storage.delete(name)
        assert nothing_left(connected)


async def test_in_an_event_loop(connected: Database[Any]) -> None:
    storage = GridFSStorage()
    for name in LITERAL:
        put(connected, name)
        assert await storage.aexists(name)
        async with await storage.aopen(name) as file:
            assert await file.read() == b"theirs"
        await storage.adelete(name)
        assert not connected.fs.files.find_one()
    await mongodb["default"].aclose()


def test_ours_comes_first(connected: Database[Any], storage: GridFSStorage) -> None:
    put(connected, "d\\a.txt")
    storage.save("d/a.txt", ContentFile(b"ours"))
    assert read(storage, "d\\a.txt") == b"ours"
    storage.delete("d\\a.txt")
    assert read(storage, "d\\a.txt") == b"theirs"


def test_names_that_lead_elsewhere(connected: Database[Any]) -> None:
    """They are refused, whatever is there."""
    storage = GridFSStorage(location="media")
    for name in ("../a.txt", "..\\a.txt", "a/../../b"):
        put(connected, f"media/{name}")
        for use in (storage.open, storage.exists, storage.delete, storage.stored):
            with pytest.raises(SuspiciousFileOperation):
                use(name)
    assert connected.fs.files.count_documents({}) == 3


@pytest.mark.parametrize("date", [..., None])
def test_without_a_date(connected: Database[Any], storage: GridFSStorage, date: Any) -> None:
    files_id = put(connected, "a.txt", uploadDate=date)
    assert read(storage, "a.txt") == b"theirs"
    assert storage.get_modified_time("a.txt") == files_id.generation_time
    connected.fs.files.update_one({}, {"$set": {"filename": "b.txt"}})
    connected.fs.files.insert_one(
        {**(connected.fs.files.find_one() or {}), "_id": "x", "filename": "c.txt", "length": 0}
    )
    assert storage.get_modified_time("c.txt") == datetime(1970, 1, 1, tzinfo=UTC)
    with storage.open("b.txt", "ab") as file:
        file.write(b"!")
    assert read(storage, "b.txt") == b"theirs!"


def test_the_old_binary_subtype(connected: Database[Any], storage: GridFSStorage) -> None:
    """To the server, it is four bytes longer than its data."""
    ensure_indexes(storage.bucket.layout)
    put(connected, "a.txt", Binary(b"theirs", 2))
    put(connected, "short.txt", Binary(b"their", 2))
    assert read(storage, "a.txt") == b"theirs"
    for verify in (False, True):
        report = collect(
            connected,
            "fs",
            references=find_references(connected.name, "fs"),
            older_than=timedelta(0),
            only=[Kind.BROKEN],
            verify=verify,
            dry_run=True,
        )
        assert [each.filename for each in report.found[Kind.BROKEN].examples] == ["short.txt"]


Uses = dict[str, Callable[[Any, Any], Any]]
USES: Uses = {
    "save": lambda storage, name: storage.save(name, ContentFile(b"content")),
    "open": lambda storage, name: read(storage, name),
    "open for writing": lambda storage, name: storage.open(name, "wb").close(),
    "exists": lambda storage, name: storage.exists(name),
    "size": lambda storage, name: storage.size(name),
    "url": lambda storage, name: storage.url(name),
    "modified": lambda storage, name: storage.get_modified_time(name).tzinfo is not None,
    "created": lambda storage, name: storage.get_created_time(name).tzinfo is not None,
    "accessed": lambda storage, name: storage.get_accessed_time(name).tzinfo is not None,
    "valid name": lambda storage, name: storage.get_valid_name(name.name),
    "available name": lambda storage, name: storage.get_available_name(name).startswith("d/a_"),
    "generated name": lambda storage, name: storage.generate_filename(name),
    "list": lambda storage, name: storage.listdir(name.parent),
    "list all": lambda storage, name: storage.listdir(pathlib.PurePath()),
    "folder exists": lambda storage, name: storage.exists(name.parent),
    "delete": lambda storage, name: storage.delete(name),
    "gone": lambda storage, name: storage.exists(name),
}


@pytest.mark.parametrize(
    "make", [GridFSStorage, DjongoGridFSStorage], ids=lambda each: each.__name__
)
def test_names_of_pathlib(
    connected: Database[Any], tmp_path: pathlib.Path, make: Any, settings: Any
) -> None:
    """As Django's own storage takes them."""
    own = FileSystemStorage(tmp_path, base_url="/media/")
    ours = make(base_url="/media/")
    name = pathlib.PurePosixPath("d/a.txt")
    for what, use in USES.items():
        expected, found = use(own, name), use(ours, name)
        if make is DjongoGridFSStorage and what in ("url", "folder exists"):
            continue  # The one is by its id, and a folder is no file in djongo's layout.
        if what == "open":
            assert found == expected == b"content"
        assert found == expected, what


async def test_names_of_pathlib_in_an_event_loop(connected: Database[Any]) -> None:
    storage, name = GridFSStorage(), pathlib.PurePosixPath("d/a.txt")
    await storage.asave(name, ContentFile(b"content"))
    async with await storage.aopen(name) as file:
        assert (file.name, await file.read()) == ("d/a.txt", b"content")
    assert await storage.aexists(name)
    assert await storage.asize(name) == 7
    assert await storage.alistdir(name.parent) == ([], ["a.txt"])
    await storage.adelete(name)
    assert not await storage.aexists(name)
    await mongodb["default"].aclose()


def test_a_private_url_of_pathlib(storage: GridFSStorage) -> None:
    private = GridFSStorage(private=True, base_url="/media/")
    assert private.url(pathlib.PurePosixPath("d/a.txt")).startswith("/media/d/a.txt?signature=")
    assert storage.save_many([(str(pathlib.PurePath("b.txt")), b"content")]) == ["b.txt"]
