"""Files from djongo's layout into one bucket."""

from __future__ import annotations

import hashlib
import threading
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import gridfs
import pytest
from bson import Binary
from django.core.files.base import ContentFile
from pymongo.database import Database
from pymongo.errors import PyMongoError

from djongo_services.connections import connections
from djongo_services.lease import Lease, Locked
from djongo_services.progress import Progress
from djongo_services.storage import GridFSStorage, StorageError
from djongo_services.storage.djongo import DjongoGridFSStorage, copying, move_djongo_files, moving
from djongo_services.storage.djongo.copying import Standing
from djongo_services.storage.djongo.moving import LEASE
from djongo_services.transaction import atomic
from tests.storage.djongo.conftest import Put
from tests.transaction.conftest import failing

FILES = {
    "a.txt": b"in no folder",
    "photos/a.txt": b"another",
    "photos/2019/b.txt": b"x" * 700_000,
    "photos/2019/empty.txt": b"",
}


@pytest.fixture
def new(connected: Database[Any]) -> GridFSStorage:
    return GridFSStorage()


@pytest.fixture
def ids(put: Put) -> dict[str, Any]:
    return {name: put(name, content) for name, content in FILES.items()}


def contents(storage: GridFSStorage) -> dict[str, bytes]:
    """The contents of all files of a bucket, by their names; newer revisions win."""
    found = storage.bucket.find(sort={"uploadDate": 1, "_id": 1})
    return {
        str(each.filename): b"".join(storage.read_range(each, 0, storage.size_of(each)))
        for each in found
    }


def originals_left(database: Database[Any]) -> int:
    return sum(
        database[name].count_documents({})
        for name in database.list_collection_names()
        if name.startswith("storage") and name.endswith(".files")
    )


def test_all_files_get_their_names_in_one_bucket(
    old: DjongoGridFSStorage, new: GridFSStorage, ids: dict[str, Any], database: Database[Any]
) -> None:
    dates = {name: old.get_modified_time(name) for name in FILES}
    report = move_djongo_files(old, new)
    assert contents(new) == FILES
    assert (report.moved, report.moved_bytes) == (4, 700_019)
    assert (report.already, report.deleted, report.stayed) == (0, 0, 0)
    assert (report.dry_run, report.interrupted) == (False, False)
    assert [(each.bucket, each.folder, each.moved) for each in report.buckets] == [
        ("storage", "", 1),
        ("storage.photos", "photos/", 1),
        ("storage.photos.2019", "photos/2019/", 2),
    ]
    for name, content in FILES.items():
        stored = new.stored(name)
        assert stored.id == ids[name]
        assert stored.upload_date == dates[name]
        assert stored.sha256 == hashlib.sha256(content).hexdigest()
        assert stored.content_type == "text/plain"
    assert originals_left(database) == 4
    assert new.save("a.txt", ContentFile(b"later")) != "a.txt"


def test_a_second_run_does_nothing(
    old: DjongoGridFSStorage, new: GridFSStorage, ids: dict[str, Any], put: Put
) -> None:
    move_djongo_files(old, new)
    before = list(new.bucket.files.find())
    put("photos/later.txt", b"later")
    report = move_djongo_files(old, new)
    assert (report.moved, report.already, report.stayed) == (1, 4, 0)
    assert [each for each in new.bucket.files.find() if each in before] == before


def test_a_dry_run_changes_nothing(
    old: DjongoGridFSStorage, new: GridFSStorage, ids: dict[str, Any], database: Database[Any]
) -> None:
    before = set(database.list_collection_names())
    report = move_djongo_files(old, new, dry_run=True, delete_originals=True)
    assert (report.moved, report.moved_bytes, report.dry_run) == (4, 700_019, True)
    assert report.deleted == 0
    assert set(database.list_collection_names()) == before
    assert originals_left(database) == 4


def test_originals_are_deleted_when_asked(
    old: DjongoGridFSStorage, new: GridFSStorage, ids: dict[str, Any], database: Database[Any]
) -> None:
    move_djongo_files(old, new)
    report = move_djongo_files(old, new, delete_originals=True)
    assert (report.moved, report.already, report.deleted) == (0, 4, 4)
    assert originals_left(database) == 0
    assert database["storage.photos.2019.chunks"].count_documents({}) == 0
    assert contents(new) == FILES
    assert move_djongo_files(old, new).buckets == ()


@pytest.mark.parametrize(
    "options",
    [
        {"location": "media/old"},
        {"compression": "gzip"},
        {"encryption": True},
        {"chunk_size": 1_000},
        {"allow_overwrite": True},
        {"deduplicate": True},
        {"content_type": "declared"},
    ],
    ids=str,
)
def test_the_new_storage_stores_as_it_stores(
    old: DjongoGridFSStorage, settings: Any, ids: dict[str, Any], put: Put, options: dict[str, Any]
) -> None:
    settings.DJONGO_SERVICES = {
        **settings.DJONGO_SERVICES,
        "STORAGE": {"ENCRYPTION_KEYS": {"k": "A" * 43 + "="}},
    }
    put("same.txt", b"another")
    put("zero/same.txt", b"another", contentType="image/png", metadata={"by": "me"})
    new = GridFSStorage(**options)
    expected = {**FILES, "same.txt": b"another", "zero/same.txt": b"another"}
    for expectation in ((6, 0), (0, 6)):
        report = move_djongo_files(old, new)
        assert (report.moved, report.already) == expectation
        assert report.stayed == 0
    for name, content in expected.items():
        with new.open(name) as file:
            assert file.read() == content
    if options.get("deduplicate"):
        assert new.bucket.files.count_documents({}) == 4
    else:
        assert new.stored("zero/same.txt").metadata["by"] == "me"
        declared = options.get("content_type") == "declared"
        kept = "image/png" if declared else "text/plain"
        assert new.stored("zero/same.txt").content_type == kept
    assert new.bucket.chunks.count_documents({}) == sum(
        each.chunk_count for each in new.bucket.find()
    )


def test_only_the_current_revision_moves(
    old: DjongoGridFSStorage, new: GridFSStorage, put: Put, database: Database[Any]
) -> None:
    for content in (b"1", b"22", b"333"):
        put("photos/a.txt", content)
    report = move_djongo_files(old, new)
    assert (report.moved, report.buckets[0].older) == (1, 2)
    assert contents(new) == {"photos/a.txt": b"333"}
    report = move_djongo_files(old, new, delete_originals=True)
    assert (report.deleted, originals_left(database)) == (3, 0)


def test_all_revisions_move_to_a_storage_that_keeps_them(
    old: DjongoGridFSStorage, connected: Any, put: Put
) -> None:
    for content in (b"1", b"22", b"333"):
        put("photos/a.txt", content)
    every: list[dict[str, Any]] = [{"allow_overwrite": True}, {}]
    for options in every:
        new = GridFSStorage(f"b{len(options)}", keep_revisions=True, **options)
        assert move_djongo_files(old, new).moved == 3
        assert [each.length for each in new.revisions("photos/a.txt")] == [3, 2, 1]
        assert move_djongo_files(old, new).already == 3


def test_pages_end_anywhere(
    old: DjongoGridFSStorage, new: GridFSStorage, put: Put, monkeypatch: Any
) -> None:
    monkeypatch.setattr(copying, "PAGE", 3)
    for number in range(8):
        for revision in range(1 + number % 5):
            put(f"photos/{number}.txt", b"%d %d" % (number, revision))
    report = move_djongo_files(old, new)
    assert (report.moved, report.buckets[0].older) == (8, 13)
    assert contents(new) == {
        f"photos/{number}.txt": b"%d %d" % (number, number % 5) for number in range(8)
    }


def test_a_name_that_is_taken_stays(
    old: DjongoGridFSStorage, new: GridFSStorage, put: Put, database: Database[Any]
) -> None:
    id = put("photos/a.txt", b"old")
    put("photos/b.txt", b"equal")
    new.save("photos/a.txt", ContentFile(b"new"))
    new.save("photos/b.txt", ContentFile(b"equal"))
    report = move_djongo_files(old, new, delete_originals=True)
    assert (report.moved, report.already, report.deleted, report.stayed) == (0, 1, 1, 1)
    (problem,) = report.buckets[0].problems
    assert (problem.name, problem.id) == ("photos/a.txt", str(id))
    assert problem.reason == "The new storage has another file of its name."
    assert contents(new) == {"photos/a.txt": b"new", "photos/b.txt": b"equal"}
    assert old.exists("photos/a.txt")


def test_an_id_that_is_taken_stays(
    old: DjongoGridFSStorage, new: GridFSStorage, put: Put, database: Database[Any]
) -> None:
    taken, changed, trashed = put("a.txt", b"1"), put("b.txt", b"2"), put("c.txt", b"3")
    new.bucket.upload("else.txt", b"4", id=taken)
    new.bucket.upload("b.txt", b"longer", id=changed)
    new.bucket.trash.insert_one({"_id": trashed})
    new.bucket.chunks.insert_one({"files_id": trashed, "n": 0, "data": Binary(b"kept")})
    report = move_djongo_files(old, new)
    assert [each.reason for each in report.buckets[0].problems] == [
        "The new storage has another file with its id.",
        "The new storage has another file with its id.",
        "A file with its id is in the trash of the new bucket; restore or purge it.",
    ]
    assert new.bucket.chunks.count_documents({"files_id": trashed}) == 1
    assert contents(new) == {"else.txt": b"4", "b.txt": b"longer"}


def test_damaged_files_stay(
    old: DjongoGridFSStorage, new: GridFSStorage, put: Put, database: Database[Any]
) -> None:
    put("good.txt", b"good")
    missing = put("missing.txt", b"x" * 600_000)
    database["storage.chunks"].delete_one({"files_id": missing, "n": 1})
    put("md5.txt", b"changed", md5=hashlib.md5(b"as it was").hexdigest())
    put("right.txt", b"right", md5=hashlib.md5(b"right").hexdigest())
    database["storage.files"].insert_one({"filename": "odd.txt", "length": "three"})
    report = move_djongo_files(old, new, delete_originals=True)
    assert (report.moved, report.deleted, report.stayed) == (2, 2, 3)
    reasons = {each.name: each.reason for each in report.buckets[0].problems}
    assert "chunk 1 is missing" in reasons["missing.txt"]
    assert reasons["md5.txt"] == "Its bytes do not have the checksum that they were stored with."
    assert "has length 'three', which is invalid" in reasons["odd.txt"]
    assert contents(new) == {"good.txt": b"good", "right.txt": b"right"}
    assert originals_left(database) == 3
    assert new.bucket.chunks.count_documents({}) == 2


def test_files_that_are_not_djongos_stay(
    old: DjongoGridFSStorage, new: GridFSStorage, put: Put, database: Database[Any]
) -> None:
    names = ["a/b.txt", "..", "c\\d.txt", "nu\0l", "", None, 7]
    for name in names:
        database["storage.files"].insert_one(
            {"filename": name, "length": 0, "chunkSize": 10, "uploadDate": datetime.now(UTC)}
        )
    report = move_djongo_files(old, new, delete_originals=True)
    assert (report.moved, report.stayed) == (0, len(names))
    reasons = sorted({each.reason for each in report.buckets[0].problems})
    assert reasons == ["It has no name.", "djongo does not give files such names."]
    assert originals_left(database) == len(names)


def test_ids_of_any_type(old: DjongoGridFSStorage, new: GridFSStorage, put: Put) -> None:
    for number, id in enumerate([7, "text", {"a": 1}, Binary(b"x", 5)]):
        put(f"{number}.txt", b"%d" % number, _id=id)
    for expectation in ((4, 0), (0, 4)):
        report = move_djongo_files(old, new)
        assert (report.moved, report.already, report.stayed) == (*expectation, 0)


def test_folders_with_dots_are_said(old: DjongoGridFSStorage, new: GridFSStorage, put: Put) -> None:
    put("v1.2/a.txt", b"dotted")
    put("v1.2/sub/b.txt", b"below")
    report = move_djongo_files(old, new, folders={"v1.2": "v1.2", "v1.2.sub": "v1.2/sub/"})
    assert contents(new) == {"v1.2/a.txt": b"dotted", "v1.2/sub/b.txt": b"below"}
    assert [each.folder for each in report.buckets] == ["v1.2/", "v1.2/sub/"]
    assert contents(new).keys() == {name for name in contents(new) if old.exists(name)}
    with pytest.raises(StorageError, match=r"There is no bucket storage\.v2 to move files from"):
        move_djongo_files(old, new, folders={"v2": "v2"})


def test_below_a_location(connected: Any, new: GridFSStorage, put: Put) -> None:
    put("site/a.txt", b"ours", collection="media")
    put("site/photos/b.txt", b"ours too", collection="media")
    put("others/c.txt", b"theirs", collection="media")
    move_djongo_files(DjongoGridFSStorage("site", "media"), new)
    assert contents(new) == {"a.txt": b"ours", "photos/b.txt": b"ours too"}


def test_into_djongos_own_collection(
    old: DjongoGridFSStorage, ids: dict[str, Any], settings: Any, database: Database[Any]
) -> None:
    """Files that are in no folder are where they should be already, whatever the address."""
    aliases = settings.DJONGO_SERVICES["CONNECTIONS"]
    other = aliases["default"]["HOST"].replace("127.0.0.1", "localhost")
    settings.DJONGO_SERVICES = {
        "CONNECTIONS": {**aliases, "other": {**aliases["default"], "HOST": other}}
    }
    for using in ("default", "other"):
        new = GridFSStorage("storage", using=using)
        report = move_djongo_files(old, new, delete_originals=True)
        assert report.stayed == 0
        assert contents(new) == FILES
    with pytest.raises(StorageError, match="keeps its files in the bucket 'storage', from which"):
        move_djongo_files(old, GridFSStorage("storage", "media", using="other"))


def test_to_another_connection(
    old: DjongoGridFSStorage, ids: dict[str, Any], settings: Any, database: Database[Any]
) -> None:
    aliases = settings.DJONGO_SERVICES["CONNECTIONS"]
    name = f"{database.name}_2"
    settings.DJONGO_SERVICES = {
        "CONNECTIONS": {**aliases, "second": {**aliases["default"], "NAME": name}}
    }
    try:
        new = GridFSStorage("storage", using="second")
        assert move_djongo_files(old, new, delete_originals=True).deleted == 4
        assert contents(new) == FILES
    finally:
        database.client.drop_database(name)


def test_it_can_be_stopped_and_goes_on(
    old: DjongoGridFSStorage, new: GridFSStorage, ids: dict[str, Any]
) -> None:
    stop = threading.Event()

    def after_photos(progress: Progress) -> None:
        assert progress.phase == "moving"
        if progress.collection == "storage.photos":
            stop.set()

    report = move_djongo_files(old, new, progress=after_photos, stop=stop)
    assert (report.interrupted, report.moved) == (True, 2)
    assert move_djongo_files(old, new).already == 2
    assert contents(new) == FILES


def test_stopped_in_the_middle_of_a_file(
    old: DjongoGridFSStorage, new: GridFSStorage, put: Put, database: Database[Any]
) -> None:
    put("a.txt", b"x" * 3_000_000)

    class Stop(threading.Event):
        """Set when the first chunks are in the new bucket."""

        def is_set(self) -> bool:
            return database["fs.chunks"].count_documents({}) > 0 or super().is_set()

    report = move_djongo_files(old, new, delete_originals=True, stop=Stop())
    assert (report.moved, report.deleted) == (0, 0)
    assert database["fs.chunks"].count_documents({}) == 0
    assert move_djongo_files(old, new).moved == 1


def test_after_it_was_killed_in_the_middle_of_a_file(
    old: DjongoGridFSStorage, new: GridFSStorage, put: Put
) -> None:
    id = put("a.txt", b"x" * 600_000)
    new.bucket.chunks.insert_one({"files_id": id, "n": 0, "data": Binary(b"first")})
    new.bucket.chunks.insert_one({"files_id": id, "n": 7, "data": Binary(b"more")})
    assert move_djongo_files(old, new).moved == 1
    assert contents(new) == {"a.txt": b"x" * 600_000}


def test_a_server_that_fails_leaves_what_can_go_on(
    old: DjongoGridFSStorage, new: GridFSStorage, ids: dict[str, Any], database: Database[Any]
) -> None:
    files = f"{database.name}.fs.files"
    new.save("there.txt", ContentFile(b"so that the bucket is there"))
    with (
        failing(database.client, "insert", times=1, errorCode=20, namespace=files),
        suppress(PyMongoError),
    ):
        move_djongo_files(old, new, delete_originals=True)
    assert originals_left(database) == 4
    report = move_djongo_files(old, new, delete_originals=True)
    assert (report.stayed, originals_left(database)) == (0, 0)
    assert contents(new) == {**FILES, "there.txt": b"so that the bucket is there"}


@pytest.mark.parametrize("size", [3, 300_000])
@pytest.mark.parametrize("options", [{}, {"deduplicate": True}, {"allow_overwrite": True}], ids=str)
def test_another_file_takes_the_name_meanwhile(
    old: DjongoGridFSStorage, put: Put, monkeypatch: Any, options: dict[str, Any], size: int
) -> None:
    new = GridFSStorage(**options)
    put("a.txt", b"x" * size)

    def look(*args: Any) -> Standing:
        standing = Standing(*args)
        new.save("a.txt", ContentFile(b"faster"))
        return standing

    monkeypatch.setattr(moving, "Standing", look)
    report = move_djongo_files(old, new, delete_originals=True)
    with new.open("a.txt") as file:
        assert file.read() == b"faster"
    if options.get("allow_overwrite"):
        assert (report.moved, report.deleted, report.stayed) == (1, 1, 0)
        return
    assert (report.moved, report.deleted, report.stayed) == (0, 0, 1)
    assert report.buckets[0].problems[0].reason == (
        "Another client stored a file with this name at the same time."
    )
    assert new.bucket.files.count_documents({}) == 1
    assert new.bucket.chunks.count_documents({}) == 1
    assert old.exists("a.txt")


def test_one_run_at_a_time(
    old: DjongoGridFSStorage, new: GridFSStorage, ids: dict[str, Any]
) -> None:
    database = connections["default"].database
    with Lease(database, LEASE, doing="moving files"):
        with pytest.raises(Locked, match="Another run is moving files"):
            move_djongo_files(old, new)
        assert move_djongo_files(old, new, dry_run=True).moved == 4


def test_not_in_a_transaction(old: DjongoGridFSStorage, new: GridFSStorage) -> None:
    with pytest.raises(StorageError, match="outside of any transaction"), atomic():
        move_djongo_files(old, new)


def test_examples_are_few_and_counts_whole(
    old: DjongoGridFSStorage, new: GridFSStorage, put: Put
) -> None:
    for number in range(25):
        put(f"{number}.txt", b"old")
        new.save(f"{number}.txt", ContentFile(b"new"))
    report = move_djongo_files(old, new)
    assert (report.stayed, len(report.buckets[0].problems)) == (25, 20)


def test_on_every_server_version(matrix_database: Any, matrix_connected: Any) -> None:
    gridfs.GridFS(matrix_database, "storage.photos").put(b"abc", filename="a.txt")
    new = GridFSStorage()
    assert move_djongo_files(DjongoGridFSStorage(), new, delete_originals=True).deleted == 1
    assert contents(new) == {"photos/a.txt": b"abc"}


def test_a_bucket_whose_collation_holds_names_for_equal(
    connected: Database[Any], old: DjongoGridFSStorage, put: Put, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are different files, and none is passed over, at the border of a page either."""
    monkeypatch.setattr("djongo_services.storage.djongo.copying.PAGE", 2)
    connected.create_collection("storage.files", collation={"locale": "en", "strength": 1})
    names = ["a.txt", "A.txt", "\u00e1.txt", "a.TXT", "b.txt"]
    for round in range(2):
        for name in names:
            put(name, f"{name} {round}".encode())
    new = GridFSStorage("new")
    assert move_djongo_files(old, new).moved == len(names)
    assert {name: new.open(name).read().decode() for name in names} == {
        name: f"{name} 1" for name in names
    }
