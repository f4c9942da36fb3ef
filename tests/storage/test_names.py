"""Names of every kind, and what ``exists()``, ``listdir()`` and ``url()`` make of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from django.core.exceptions import SuspiciousFileOperation
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage
from django.utils import timezone as django_timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pymongo.database import Database

from djongo_services.storage import GridFSStorage
from tests.storage.conftest import nothing_left

GOOD = [
    "a.txt",
    "a b.txt",
    "folder/sub/a.txt",
    "ä/ö/日本語.txt",
    "\U0001f600.png",
    "e\u0301.txt",
    "\u00e9.txt",
    "$set",
    "$where: 1",
    "a.b.c",
    ".hidden",
    "..a",
    "a..",
    "%00",
    "a\nb",
    "a'b\"c;<script>",
    "x" * 5_000,
    "-",
    "~",
    "{}",
    "C:",
    "\u202egnp.exe",
]
BAD = [
    "",
    ".",
    "..",
    "../a.txt",
    "a/../b.txt",
    "a/../../b.txt",
    "folder/..",
    "/a.txt",
    "//a.txt",
    "folder/",
    "a\0b",
    "\0",
    "\ud800.txt",
    "a\udfff",
    "..\\a.txt",
    "a\\..\\b.txt",
    "\\a.txt",
    "a/..\\..\\b",
]


def test_names_that_files_have(storage: GridFSStorage, connected: Database[Any]) -> None:
    saved = [storage.save(name, ContentFile(name.encode())) for name in GOOD]
    assert saved == GOOD
    for name in GOOD:
        assert storage.exists(name)
        assert storage.open(name).read() == name.encode()
        assert storage.size(name) == len(name.encode())
        assert storage.stored(name).filename == name
    for name in GOOD:
        storage.delete(name)
        assert not storage.exists(name)
    assert nothing_left(connected)


@pytest.mark.parametrize("location", ["", "media"])
def test_names_that_no_file_has(connected: Database[Any], location: str) -> None:
    storage = GridFSStorage(location=location)
    for name in BAD:
        uses = [
            lambda name=name: storage.save(name, ContentFile(b"content")),
            lambda name=name: storage.open(name),
            lambda name=name: storage.open(name, "wb"),
            lambda name=name: storage.stored(name),
            lambda name=name: storage.size(name),
            lambda name=name: storage.save_many([(name, b"content")]),
        ]
        for use in uses:
            with pytest.raises((SuspiciousFileOperation, FileNotFoundError)) as caught:
                use()
            if isinstance(caught.value, FileNotFoundError):
                # Reading what a normal form of it would be is harmless: nothing is there.
                assert "\\" in name or name == "folder/"
    assert connected.fs.files.count_documents({}) == 0
    assert nothing_left(connected)


def test_names_that_are_not_looked_for(storage: GridFSStorage) -> None:
    for name in BAD:
        if name in ("", ".", "folder/"):
            continue
        with pytest.raises(SuspiciousFileOperation):
            storage.exists(name)
    for name in BAD:
        if name:
            with pytest.raises((SuspiciousFileOperation, ValueError)):
                storage.delete(name)
    with pytest.raises(ValueError, match="must be given"):
        storage.delete("")


def test_one_file_has_one_name(storage: GridFSStorage) -> None:
    storage.save("folder\\sub//./a.txt", ContentFile(b"content"))
    assert storage.listdir("folder/sub") == ([], ["a.txt"])
    for name in (
        "folder/sub/a.txt",
        "folder\\sub\\a.txt",
        "folder//sub/a.txt",
        "./folder/sub/a.txt",
    ):
        assert storage.exists(name)
        assert storage.open(name).read() == b"content"


@pytest.mark.parametrize("location", ["../x", "a/../b", "a\0b", "\ud800", ".."])
def test_locations_that_lead_out(location: str) -> None:
    with pytest.raises(SuspiciousFileOperation):
        GridFSStorage(location=location)


def test_storages_on_one_bucket_do_not_see_each_other(connected: Database[Any]) -> None:
    media, other = GridFSStorage(location="/media/"), GridFSStorage(location="med")
    root = GridFSStorage()
    media.save("a.txt", ContentFile(b"1"))
    assert not other.exists("a.txt")
    assert not other.exists("ia/a.txt")
    assert other.listdir("") == ([], [])
    assert root.open("media/a.txt").read() == b"1"
    assert root.listdir("") == (["media"], [])
    other.delete("a.txt")
    assert media.exists("a.txt")


FILES = [
    "a.txt",
    "b/c.txt",
    "b/d/e.txt",
    "b/d/f.txt",
    "b0/g.txt",
    "b-/h.txt",
    "ä/i.txt",
    "b/$x/j.txt",
]


class TestListing:
    @pytest.mark.parametrize("deduplicate", [False, True])
    def test_folders_as_the_file_system_has_them(
        self, connected: Database[Any], tmp_path: Any, deduplicate: bool
    ) -> None:
        storage = GridFSStorage(location="media", deduplicate=deduplicate)
        beside = GridFSStorage()
        beside.save("b/other.txt", ContentFile(b"1"))
        on_disk = FileSystemStorage(tmp_path)
        for name in FILES:
            storage.save(name, ContentFile(b"the same"))
            on_disk.save(name, ContentFile(b"the same"))
        for path in ("", ".", "b", "b/", "b/d", "./b", "b\\d", "b0", "ä", "b/$x"):
            folders, plain = on_disk.listdir(path.replace("\\", "/"))
            assert storage.listdir(path) == (sorted(folders), sorted(plain)), path
        for path in ("nowhere", "a.txt", "b/c.txt/x"):
            assert storage.listdir(path) == ([], [])
        if deduplicate:
            assert connected.fs.files.count_documents({"filename": {"$regex": "^media/"}}) == 1

    @pytest.mark.parametrize("deduplicate", [False, True])
    def test_what_exists_as_on_the_file_system(
        self, connected: Database[Any], tmp_path: Any, deduplicate: bool
    ) -> None:
        storage = GridFSStorage(location="media", deduplicate=deduplicate)
        on_disk = FileSystemStorage(tmp_path)
        for name in FILES:
            storage.save(name, ContentFile(b"the same"))
            on_disk.save(name, ContentFile(b"the same"))
        for name in [*FILES, "", ".", "b", "b/", "b/d", "b/d/", "b0", "b/x", "x", "b/c", "b-", "ä"]:
            assert storage.exists(name) is on_disk.exists(name), name

    def test_paths_that_lead_out(self, storage: GridFSStorage) -> None:
        for path in ("..", "../x", "a/../..", "a\0"):
            with pytest.raises(SuspiciousFileOperation):
                storage.listdir(path)

    def test_names_that_other_tools_gave(
        self, storage: GridFSStorage, connected: Database[Any]
    ) -> None:
        for name in (None, "/abs", "a//b", "slash/", "", "plain", 5, {"a": 1}):
            connected.fs.files.insert_one({"filename": name})
        assert storage.listdir("") == (["a", "slash"], ["plain"])

    def test_names_are_answered_from_an_index(
        self, storage: GridFSStorage, connected: Database[Any]
    ) -> None:
        from djongo_services.storage.bucket import queries

        shared = GridFSStorage(bucket="shared", deduplicate=True)
        for each in (storage, shared):
            each.save("b/c.txt", ContentFile(b"content"))
            each.save("b/d.txt", ContentFile(b"content"))
        plans = [
            storage.bucket.files.find(queries.named("b/c.txt")).explain(),
            storage.bucket.files.find(queries.named_or_within("b")).explain(),
            shared.bucket.files.find(queries.named("b/d.txt", shared=True)).explain(),
            shared.bucket.files.find(queries.named_or_within("b", shared=True)).explain(),
        ]
        for plan in plans:
            assert "COLLSCAN" not in str(plan["queryPlanner"]["winningPlan"]), plan["queryPlanner"]
        for pipeline in (queries.folder_contents("b/"), queries.shared_folder_contents("b/")):
            plan = connected.command("aggregate", "shared.files", pipeline=pipeline, explain=True)
            assert "COLLSCAN" not in str(plan), pipeline


NAMES = st.lists(
    st.text(
        st.characters(exclude_characters="/\\\0", exclude_categories=["Cs"]), min_size=1
    ).filter(lambda part: part not in (".", "..")),
    min_size=1,
    max_size=4,
).map("/".join)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(name=NAMES)
def test_any_name(storage: GridFSStorage, name: str) -> None:
    saved = storage.save(name, ContentFile(b"content"))
    folder, _, last = saved.rpartition("/")
    assert last in storage.listdir(folder)[1]
    assert storage.open(saved).read() == b"content"
    storage.delete(saved)
    assert not storage.exists(saved)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    name=st.one_of(
        st.text(st.characters(exclude_categories=[]), max_size=12),
        st.lists(st.sampled_from(["a", "b", ".", "..", "/", "\\", "\0", " ", "%2e", ":", "~"])).map(
            "".join
        ),
        st.integers(1, 3_000).map(lambda length: "é" * length),
    )
)
def test_any_text_is_a_name_or_refused(storage: GridFSStorage, name: str) -> None:
    """A saved file is read again, below the location, and deleted."""
    try:
        saved = storage.save(name, ContentFile(b"content"))
    except (SuspiciousFileOperation, ValueError):
        return
    assert ".." not in saved.split("/")
    assert not saved.startswith("/")
    assert storage.open(saved).read() == b"content"
    storage.delete(saved)
    assert not storage.exists(saved)


class TestUrls:
    def test_as_django_makes_them(self, settings: Any, tmp_path: Any) -> None:
        settings.MEDIA_URL = "/media/"
        ours, theirs = GridFSStorage(), FileSystemStorage(tmp_path)
        for name in ("a.txt", "f/ä b?#.txt", "/abs", "a\\b", "", "x:y", "//evil.example/a"):
            assert ours.url(name) == theirs.url(name), name
        assert ours.url(None) == theirs.url(None) == "/media/"

    def test_base_url(self, settings: Any) -> None:
        settings.MEDIA_URL = "/media/"
        assert GridFSStorage(base_url="/other").url("a.txt") == "/other/a.txt"
        assert (
            GridFSStorage(base_url="https://cdn.example/x/").url("a") == "https://cdn.example/x/a"
        )
        storage = GridFSStorage()
        settings.MEDIA_URL = "/changed/"
        assert storage.url("a.txt") == "/changed/a.txt"
        settings.MEDIA_URL = None
        with pytest.raises(ValueError, match="not accessible via a URL"):
            storage.url("a.txt")

    def test_there_is_no_path(self, storage: GridFSStorage) -> None:
        with pytest.raises(NotImplementedError):
            storage.path("a.txt")


class TestTimes:
    @pytest.fixture
    def saved(self, storage: GridFSStorage) -> GridFSStorage:
        storage.save("a.txt", ContentFile(b"content"))
        return storage

    def test_aware(self, saved: GridFSStorage, settings: Any) -> None:
        settings.USE_TZ = True
        times = [
            saved.get_modified_time("a.txt"),
            saved.get_created_time("a.txt"),
            saved.get_accessed_time("a.txt"),
        ]
        assert times == [saved.stored("a.txt").upload_date] * 3
        assert times[0].utcoffset() == timedelta(0)
        assert abs(datetime.now(UTC) - times[0]) < timedelta(minutes=5)

    def test_naive(self, saved: GridFSStorage, settings: Any) -> None:
        """In TIME_ZONE, for any active zone."""
        settings.USE_TZ = False
        settings.TIME_ZONE = "Asia/Kathmandu"
        there = timezone(timedelta(hours=5, minutes=45))
        expected = saved.stored("a.txt").upload_date.astimezone(there).replace(tzinfo=None)
        with django_timezone.override("America/Lima"):
            assert saved.get_modified_time("a.txt") == expected
            assert saved.get_created_time("a.txt") == expected
            assert saved.get_accessed_time("a.txt") == expected

    def test_of_what_is_not_there(self, storage: GridFSStorage) -> None:
        for method in (storage.get_modified_time, storage.size, storage.stored):
            with pytest.raises(FileNotFoundError):
                method("a.txt")
        storage.delete("a.txt")
