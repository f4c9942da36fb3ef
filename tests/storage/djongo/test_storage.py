"""djongo's storage, read and continued."""

from __future__ import annotations

import pickle
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import gridfs
import pytest
from asgiref.sync import sync_to_async
from bson import ObjectId
from django.core.exceptions import ImproperlyConfigured, SuspiciousFileOperation
from django.core.files.base import ContentFile
from django.core.files.storage import storages
from django.db import models
from django.db.migrations.writer import MigrationWriter
from django.test import AsyncClient, Client
from django.urls import path
from pymongo.database import Database

from djongo_services.connections import connections
from djongo_services.storage import NoFile
from djongo_services.storage.djongo import DjongoGridFSStorage
from djongo_services.storage.serving import serve_view
from djongo_services.storage.uploads import GridFSUploadHandler
from djongo_services.transaction import atomic
from tests.storage.djongo.conftest import Put

PATH = "djongo_services.storage.djongo.DjongoGridFSStorage"


def read(storage: DjongoGridFSStorage, name: str) -> bytes:
    with storage.open(name) as file:
        content: bytes = file.read()
    return content


def test_what_djongo_wrote_is_read(old: DjongoGridFSStorage, put: Put) -> None:
    put("a.txt", b"in no folder")
    put("photos/2019/a.txt", b"x" * 600_000)
    assert read(old, "a.txt") == b"in no folder"
    assert read(old, "photos/2019/a.txt") == b"x" * 600_000
    assert old.open("photos/2019/a.txt").name == "photos/2019/a.txt"
    assert (old.size("a.txt"), old.size("photos/2019/a.txt")) == (12, 600_000)
    assert old.exists("photos/2019/a.txt")
    assert not old.exists("photos/a.txt")
    assert abs(old.get_modified_time("a.txt") - datetime.now(UTC)) < timedelta(minutes=5)
    assert old.get_created_time("a.txt") == old.get_accessed_time("a.txt")


def test_what_is_written_is_where_djongo_looks_for_it(
    old: DjongoGridFSStorage, database: Database[Any]
) -> None:
    assert old.save("photos/2019/a.txt", ContentFile(b"new")) == "photos/2019/a.txt"
    assert old.save("a.txt", ContentFile(b"top")) == "a.txt"
    found = gridfs.GridFS(database, "storage.photos.2019").get_last_version("a.txt")
    assert (found.read(), found.filename) == (b"new", "a.txt")
    assert gridfs.GridFS(database, "storage").get_last_version("a.txt").read() == b"top"


def test_location_and_collection_are_before_the_folders(
    connected: Any, put: Put, database: Database[Any]
) -> None:
    put("deep/down/photos/a.txt", b"abc", collection="media")
    storage = DjongoGridFSStorage("/deep/down/", "media")
    assert read(storage, "photos/a.txt") == b"abc"
    assert storage.bucket_name == "media.deep.down"
    storage.save("b.txt", ContentFile(b"def"))
    assert gridfs.GridFS(database, "media.deep.down").exists(filename="b.txt")


def test_the_newest_revision_is_the_file(old: DjongoGridFSStorage, put: Put) -> None:
    ids = [put("photos/a.txt", content) for content in (b"1", b"22")]
    assert read(old, "photos/a.txt") == b"22"
    assert old.stored("photos/a.txt").id == ids[1]
    assert [each.id for each in old.revisions("photos/a.txt")] == ids[::-1]


def test_a_taken_name_gives_another_one(old: DjongoGridFSStorage, put: Put) -> None:
    put("photos/a.txt", b"old")
    name = old.save("photos/a.txt", ContentFile(b"new"))
    assert name.startswith("photos/a_")
    assert (read(old, "photos/a.txt"), read(old, name)) == (b"old", b"new")


def test_overwriting(connected: Any, put: Put) -> None:
    put("photos/a.txt", b"old")
    storage = DjongoGridFSStorage(allow_overwrite=True)
    assert storage.save("photos/a.txt", ContentFile(b"new")) == "photos/a.txt"
    assert [each.length for each in storage.revisions("photos/a.txt")] == [3]
    assert read(storage, "photos/a.txt") == b"new"


def test_deleting(old: DjongoGridFSStorage, put: Put, database: Database[Any]) -> None:
    put("photos/a.txt", b"1")
    put("photos/a.txt", b"2")
    old.delete("photos/a.txt")
    old.delete("photos/missing.txt")
    assert not old.exists("photos/a.txt")
    assert database["storage.photos.chunks"].count_documents({}) == 0
    with pytest.raises(ValueError, match="must be given"):
        old.delete("")


def test_opening_to_write(old: DjongoGridFSStorage) -> None:
    with old.open("notes/a.txt", "w") as file:
        file.write("größe\n")
    with old.open("notes/a.txt", "a") as file:
        file.write("more\n")
    with old.open("notes/a.txt", "r") as file:
        assert file.readlines() == ["größe\n", "more\n"]


def test_folders_are_the_buckets(old: DjongoGridFSStorage, put: Put) -> None:
    for name in (
        "a.txt",
        "b.txt",
        "photos/a.txt",
        "photos/2019/05/a.txt",
        "files/a.txt",
        "chunks/uploads/a.txt",
    ):
        put(name, b"abc")
    put("x.txt", b"abc", collection="storage_of_others")
    put("x.txt", b"abc", collection="storage2")
    assert old.listdir("") == (["chunks", "files", "photos"], ["a.txt", "b.txt"])
    assert old.listdir("photos/") == (["2019"], ["a.txt"])
    assert old.listdir("photos/2019") == (["05"], [])
    assert old.listdir("chunks") == (["uploads"], [])
    assert old.listdir("files") == ([], ["a.txt"])
    assert old.listdir("nowhere") == ([], [])
    with atomic():
        assert old.listdir("photos") == (["2019"], ["a.txt"])


def test_a_folder_named_like_a_pattern(old: DjongoGridFSStorage, put: Put) -> None:
    put("a+(b/c.txt", b"abc")
    put("aab/d.txt", b"abc")
    assert old.listdir("a+(b") == ([], ["c.txt"])
    assert old.listdir("") == (["a+(b", "aab"], [])


def test_urls_are_ids(connected: Any, put: Put) -> None:
    id = put("photos/a.txt", b"abc")
    storage = DjongoGridFSStorage(base_url="https://files.example.org/gridfs")
    assert storage.url("photos/a.txt") == f"https://files.example.org/gridfs/{id}"
    put("x/b.txt", b"abc", _id="../ä?")
    assert storage.url("x/b.txt") == "https://files.example.org/gridfs/..%2F%C3%A4%3F"
    missing = storage.url("photos/no such.txt")
    assert missing == "https://files.example.org/gridfs/photos/no%20such.txt"
    with pytest.raises(ValueError, match="not accessible via a URL"):
        DjongoGridFSStorage().url("photos/a.txt")


def test_it_is_atomic_with_its_row(old: DjongoGridFSStorage, database: Database[Any]) -> None:
    old.save("photos/first.txt", ContentFile(b"so that the bucket is there"))
    with suppress(ZeroDivisionError), atomic():
        old.save("photos/a.txt", ContentFile(b"abc"))
        old.delete("photos/first.txt")
        raise ZeroDivisionError
    assert (old.exists("photos/a.txt"), old.exists("photos/first.txt")) == (False, True)
    assert database["storage.photos.chunks"].count_documents({}) == 1


@pytest.mark.parametrize("name", ["../a.txt", "a/../../b", "/etc/passwd", "a\0b", "x/", ""])
def test_names_that_no_file_has(old: DjongoGridFSStorage, name: str) -> None:
    with pytest.raises((SuspiciousFileOperation, ValueError)):
        old._save(name, ContentFile(b"abc"))


@pytest.mark.parametrize("folder", ["$cmd", ".hidden", "a..b", "a/b.", "x" * 300])
def test_folders_that_are_no_collections(old: DjongoGridFSStorage, folder: str) -> None:
    for use in (old.exists, old.stored, lambda name: old.save(name, ContentFile(b"abc"))):
        with pytest.raises(SuspiciousFileOperation, match="in djongo's layout"):
            use(f"{folder}/a.txt")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"collection": ""}, "A DjongoGridFSStorage needs the name of a collection."),
        ({"location": "a..b"}, "cannot have 'a..b' in the name of its collections"),
        ({"collection": "$x"}, "cannot have '$x' in the name of its collections"),
        ({"color": "red"}, "has no option 'color'"),
        ({"deduplicate": True}, "cannot deduplicate: in djongo's layout a file has one name"),
    ],
)
def test_options_that_make_no_sense(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ImproperlyConfigured) as refusal:
        DjongoGridFSStorage(**options)
    assert sentence in str(refusal.value)


def test_a_missing_file_is_named_in_full(old: DjongoGridFSStorage) -> None:
    for use in (old.open, old.size, old.stored):
        with pytest.raises(NoFile, match=r"no file 'photos/a\.txt' in the storage"):
            use("photos/a.txt")


def test_in_settings_migrations_and_pickles(settings: Any, connected: Any, put: Put) -> None:
    put("a.txt", b"abc", collection="media")
    settings.STORAGES = {
        **settings.STORAGES,
        "legacy": {"BACKEND": PATH, "OPTIONS": {"collection": "media", "base_url": "/media/"}},
    }
    storage: Any = storages["legacy"]
    assert read(storage, "a.txt") == b"abc"
    assert read(pickle.loads(pickle.dumps(storage)), "a.txt") == b"abc"
    field = models.FileField(storage=DjongoGridFSStorage("x", "media", base_url="/media/"))
    text, imports = MigrationWriter.serialize(field)
    assert "DjongoGridFSStorage('x', 'media', base_url='/media/')" in text
    assert "import djongo_services.storage.djongo" in imports


async def test_in_an_event_loop(old: DjongoGridFSStorage, put: Put) -> None:
    try:
        put("photos/a.txt", b"abc")
        file = await old.aopen("photos/a.txt")
        assert (file.name, await file.read()) == ("photos/a.txt", b"abc")
        assert await old.aexists("photos/a.txt")
        assert await old.asize("photos/a.txt") == 3
        assert await old.asave("photos/b.txt", ContentFile(b"defg")) == "photos/b.txt"
        assert await old.alistdir("photos") == ([], ["a.txt", "b.txt"])
        await old.adelete("photos/a.txt")
        with pytest.raises(NoFile, match=r"'photos/a\.txt'"):
            await old.aopen("photos/a.txt")
        assert await old.aget_modified_time("photos/b.txt") == old.get_modified_time("photos/b.txt")
    finally:
        await connections["default"].aclose()


@pytest.mark.parametrize("stack", [Client, AsyncClient])
async def test_it_can_be_served(settings: Any, connected: Any, put: Put, stack: Any) -> None:
    put("photos/a.txt", b"0123456789" * 100_000)
    storage = DjongoGridFSStorage(base_url="/media/")
    settings.ROOT_URLCONF = (path("media/<path:name>", serve_view(storage)),)
    headers = {"Range": "bytes=5-14"}
    try:
        if stack is Client:
            response: Any = await sync_to_async(Client().get)(
                "/media/photos/a.txt", headers=headers
            )
        else:
            response = await AsyncClient().get("/media/photos/a.txt", headers=headers)
        assert (response.status_code, response.content) == (206, b"5678901234")
    finally:
        await connections["default"].aclose()


def test_private_urls_are_signed(settings: Any, connected: Any, put: Put) -> None:
    put("photos/a.txt", b"abc")
    storage = DjongoGridFSStorage(base_url="/media/", private=True)
    settings.ROOT_URLCONF = (path("media/<path:name>", serve_view(storage)),)
    url = storage.url("photos/a.txt")
    assert url.startswith("/media/photos/a.txt?signature=3600:")
    assert Client().get(url).content == b"abc"
    assert Client().get("/media/photos/a.txt").status_code == 403


def test_uploads_do_not_go_there(old: DjongoGridFSStorage) -> None:
    """The bucket of a file is unknown until its folder is known."""
    with pytest.raises(ImproperlyConfigured, match="is of DjongoGridFSStorage"):
        GridFSUploadHandler(storage=old)  # type: ignore[arg-type]


def test_many_folders(old: DjongoGridFSStorage, monkeypatch: Any) -> None:
    monkeypatch.setattr("djongo_services.storage.djongo.storage.KEPT_FOLDERS", 2)
    for folder in "abcde":
        assert not old.exists(f"{folder}/x.txt")
    assert len(old._storages) <= 2


def test_ids_are_kept_apart_from_names(old: DjongoGridFSStorage, put: Put) -> None:
    id = put("a.txt", b"abc")
    assert isinstance(id, ObjectId)
    assert not old.exists(str(id))


def test_generators_can_be_saved(old: DjongoGridFSStorage) -> None:
    assert old.save("photos/a.txt", (b"x" for _ in range(3))) == "photos/a.txt"
    assert read(old, "photos/a.txt") == b"xxx"


def test_long_names_are_cut(old: DjongoGridFSStorage) -> None:
    for _ in range(2):
        name = old.save(f"photos/{'a' * 50}.txt", ContentFile(b"abc"), max_length=30)
        assert len(name) <= 30
        assert name.startswith("photos/aaa")
        assert name.endswith(".txt")
