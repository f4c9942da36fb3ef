"""Uploading, renaming, replacing, deleting and restoring files, and what the log says of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from djongo_services.storage import GridFSStorage
from djongo_services.storage.collector import restore
from djongo_services.storage.collector.collecting import lease_of
from djongo_services.storage.collector.collections import BucketCollections
from tests.admin.conftest import Page, Site
from tests.admin.files.conftest import LONG_AGO, Files


def file(name: str, content: bytes = b"content", kind: str = "text/plain") -> Any:
    return SimpleUploadedFile(name, content, kind)


def log(files: Files) -> list[tuple[str, int, str]]:
    return [
        (each.object_repr, each.action_flag, each.get_change_message()) for each in files.site.log()
    ]


ADDED, CHANGED, DELETED = 1, 2, 3


class TestUpload:
    def targets(self, files: Files) -> dict[str, str]:
        import re

        page = files.site.get(files.site.url("file_add"), connection="archive")
        return {
            label: value
            for value, label in re.findall(r'<option value="([^"]*)"[^>]*>([^<]*)<', page.html)
        }

    def upload(self, files: Files, *uploaded: Any, follow: bool = True, **data: Any) -> Page:
        data.setdefault("target", self.targets(files)["media: default"])
        return files.post(files.site.url("file_add"), follow, files=list(uploaded), **data)

    def test_where_to(self, files: Files) -> None:
        files.site.database["plain.files"].insert_one({})
        files.site.database["plain.chunks"].insert_one({})
        assert list(self.targets(files)) == [
            "kept: kept",
            "media: default",
            "media: gallery.Picture.image (pictures/…)",
            "plain",
        ]

    def test_a_file_becomes_one_of_the_storage(self, files: Files) -> None:
        page = self.upload(files, file("a.txt", b"words"))
        assert "1 file was uploaded." in page.text
        assert "a.txt" in page.text
        (stored,) = files.bucket.find({})
        assert (stored.filename, stored.content_type) == ("a.txt", "text/plain")
        assert files.bucket.read_bytes(stored) == b"words"
        assert log(files) == [("a.txt", ADDED, "Added.")]
        # Its name is taken now.
        self.upload(files, file("a.txt", b"other"))
        assert len(files.names()) == 2

    def test_several_into_a_folder_of_a_location(self, files: Files) -> None:
        target = self.targets(files)["media: gallery.Picture.image (pictures/…)"]
        page = self.upload(files, file("a.txt"), file("b.txt"), target=target, folder="/2026/x/")
        assert "2 files were uploaded." in page.text
        assert files.names() == {"pictures/2026/x/a.txt", "pictures/2026/x/b.txt"}

    def test_into_a_bucket_that_is_no_storages(self, files: Files) -> None:
        plain = Files(files.site, "plain")
        plain.add("old")
        self.upload(files, file("new"), target=self.targets(files)["plain"])
        assert plain.names() == {"old", "new"}

    def test_folders_that_lead_elsewhere(self, files: Files) -> None:
        for folder in ("../x", "a/../../b", "a\0b"):
            page = self.upload(files, file("a.txt"), folder=folder, follow=False)
            assert page.status == 400
            assert "a.txt: " in page.text
        assert files.names() == set()
        assert log(files) == []

    def test_what_is_missing(self, files: Files) -> None:
        assert "Choose a file." in self.upload(files).text
        assert "Choose a storage." in self.upload(files, file("a"), target="nonsense 7").text

    def test_the_page_script_is_told_in_json(self, files: Files) -> None:
        url, target = files.site.url("file_add"), self.targets(files)["media: default"]
        ask: dict[str, Any] = {"headers": {"Accept": "application/json"}}
        data = {"target": target, "files": file("a.txt")}
        answer = files.site.client.post(url, data, **ask)
        (stored,) = files.bucket.find({})
        assert answer.json() == {"url": files.file_url(stored.id)}
        refused = files.site.client.post(url, {"target": target}, **ask)
        assert (refused.status_code, refused.json()) == (400, {"wrong": ["Choose a file."]})

    def test_whoever_may_only_add(self, site: Site) -> None:
        site.login("add_file")
        files = Files(site)
        page = self.upload(files, file("a.txt"))
        assert page.status == 200
        assert "1 file was uploaded." in page.text
        assert files.names() == {"a.txt"}

    def test_to_replace_a_file_takes_the_permission_to_change_it(
        self, site: Site, project: Any
    ) -> None:
        options = {"bucket": "media", "using": "archive", "allow_overwrite": True}
        project.STORAGES["default"]["OPTIONS"] = options
        site.login("add_file")
        files = Files(site)
        self.upload(files, file("a.txt", b"first"))
        page = self.upload(files, file("a.txt", b"second"), file("b.txt"))
        assert page.status == 400
        assert "a.txt: A file with this name exists; only users who may change files" in page.text
        assert files.names() == {"a.txt", "b.txt"}
        site.login("add_file", "change_file")
        self.upload(files, file("a.txt", b"third"))
        (stored,) = files.bucket.find({"filename": "a.txt"})
        assert files.bucket.read_bytes(stored) == b"third"


class TestStaticFiles:
    """Browsers run them on every page of the site, so the admin accepts no upload there."""

    @pytest.fixture(params=["a bucket of their own", "a location of the bucket", "wrapped"])
    def static(self, request: pytest.FixtureRequest, files: Files, project: Any) -> str:
        """The name of a static file in the bucket ``media``, or in ``static``."""
        options = {"using": "archive", "bucket": "media", "location": "s"}
        if request.param == "a bucket of their own":
            options = {"using": "archive"}
        backend = "djongo_services.storage.staticfiles.GridFSStaticFilesStorage"
        entry: dict[str, Any] = {"BACKEND": backend, "OPTIONS": options}
        if request.param == "wrapped":
            entry = {
                "BACKEND": "tests.storage.collector.unsure.wrappers.Delegating",
                "OPTIONS": {"inner": GridFSStorage(**options)},
            }
        project.STORAGES = {**project.STORAGES, "staticfiles": entry}
        return "core.js" if options == {"using": "archive"} else "s/core.js"

    def test_are_no_target(self, files: Files, static: str) -> None:
        site, folder = files.site, static.rpartition("/")[0]
        bucket = Files(site, "media" if folder else "static")
        id = bucket.add(static, b"collected").id
        targets = TestUpload().targets(files)
        assert not [label for label in targets if "staticfiles" in label or label == "static"]
        upload: dict[str, Any] = {"target": targets["media: default"], "folder": folder}
        page = files.post(site.url("file_add"), files=[file("core.js", b"evil")], **upload)
        if folder:
            assert (page.status, "Static files cannot be changed here" in page.text) == (400, True)
        replaced = bucket.post(bucket.file_url(id, "replace"), files=file("core.js", b"evil"))
        assert "Static files cannot be changed here" in replaced.text
        renamed = bucket.post(bucket.file_url(id, "rename"), filename="other.js")
        assert "Static files cannot be changed here" in renamed.text
        media = Files(site, bucket.name).add("a.js", b"evil")
        if folder:
            renamed = bucket.post(bucket.file_url(media.id, "rename"), filename="s/evil.js")
            assert "Static files cannot be changed here" in renamed.text
        (stored,) = bucket.bucket.find({"filename": static})
        assert bucket.bucket.read_bytes(stored) == b"collected"


class TestRename:
    def rename(self, files: Files, id: Any, name: str, follow: bool = True) -> Page:
        return files.post(files.file_url(id, "rename"), follow, filename=name)

    def test_a_new_name(self, files: Files, new_picture: Callable[..., Any]) -> None:
        stored = files.add("pictures/a.txt")
        new_picture("one", "a.txt")
        asked = files.file(stored.id, "rename")
        assert 'value="pictures/a.txt"' in asked.html
        assert "will no longer find it" in asked.text
        assert "It is referred to by gallery.Picture.image" in asked.text
        page = self.rename(files, stored.id, "b/c.txt")
        assert "The file is now named b/c.txt." in page.text
        assert files.names() == {"b/c.txt"}
        assert log(files) == [
            ("b/c.txt", CHANGED, "Renamed from pictures/a.txt to b/c.txt."),
        ]

    def test_names_that_are_none(self, files: Files) -> None:
        stored = files.add("a.txt")
        for name in ("", "../a", "a//b", "/a", "a\\b", "a\0", ".", "x" * 1_001):
            page = self.rename(files, stored.id, name, follow=False)
            assert page.status == 400
            assert "Invalid file name: it must not contain empty parts" in page.text
        assert files.names() == {"a.txt"}

    def test_a_name_that_is_taken(self, files: Files) -> None:
        stored = files.add("a.txt")
        files.add("b.txt")
        page = self.rename(files, stored.id, "b.txt", follow=False)
        assert page.status == 400
        assert "The bucket already has a file 'b.txt'." in page.text
        assert 'value="b.txt"' in page.html

    def test_a_file_of_several_names(self, files: Files) -> None:
        from django.core.files.base import ContentFile

        from djongo_services.storage import GridFSStorage

        storage = GridFSStorage(bucket="media", using="archive", deduplicate=True)
        first, second = (storage.save(name, ContentFile(b"same")) for name in ("a", "b"))
        stored = storage.stored(first)
        self.rename(files, stored.id, "c")
        assert storage.exists("c")
        assert storage.exists(second)
        assert not storage.exists(first)

    def test_a_file_without_a_name(self, files: Files) -> None:
        stored = files.add(None)
        assert "(without a name)" in files.file(stored.id, "rename").text
        self.rename(files, stored.id, "named")
        assert files.names() == {"named"}


class TestReplace:
    def replace(self, files: Files, id: Any, new: Any = "", follow: bool = True) -> Page:
        return files.post(files.file_url(id, "replace"), follow, files=new)

    def test_new_content_under_the_same_name(self, files: Files) -> None:
        stored = files.add("pictures/a.txt", b"old")
        asked = files.file(stored.id, "replace")
        assert "The current content is deleted" in asked.text
        assert "by the storage gallery.Picture.image (pictures/…)" in asked.text
        page = self.replace(files, stored.id, file("other name.txt", b"new" * 100_000))
        assert "was replaced" in page.text
        (now,) = files.bucket.find({})
        assert (now.filename, files.bucket.read_bytes(now)) == ("pictures/a.txt", b"new" * 100_000)
        assert log(files) == [("pictures/a.txt", CHANGED, "Replaced its content.")] * 2
        assert files.chunks.count_documents({}) == 2

    def test_a_storage_that_keeps_revisions(self, files: Files) -> None:
        kept = Files(files.site, "kept")
        stored = kept.add("a.txt", b"old")
        assert "kept as an older revision" in kept.file(stored.id, "replace").text
        self.replace(kept, stored.id, file("a", b"new"))
        newest, older = kept.bucket.find({}, sort={"uploadDate": -1})
        assert (kept.bucket.read_bytes(newest), older.id) == (b"new", stored.id)

    def test_without_a_file_or_a_name(self, files: Files) -> None:
        stored = files.add("a.txt")
        assert "Choose a file." in self.replace(files, stored.id, follow=False).text
        odd = files.add("../odd")
        page = self.replace(files, odd.id, file("a"), follow=False)
        assert page.status == 400
        assert "rename it first" in page.text
        assert files.names() == {"a.txt", "../odd"}


def test_making_an_older_revision_the_current_one(files: Files) -> None:
    old = files.add_old("a.txt", b"one")
    files.add("a.txt", b"two")
    page = files.post(files.file_url(old, "current"))
    assert "This is now the current revision." in page.text
    assert files.bucket.get_by_name("a.txt").id == old
    assert log(files) == [("a.txt", CHANGED, "Made the current revision.")]


class TestDelete:
    def delete(self, files: Files, id: Any, fate: str = "trash") -> Page:
        return files.post(files.file_url(id, "delete"), fate=fate)

    def test_into_the_trash_and_back(self, files: Files, new_picture: Callable[..., Any]) -> None:
        stored = files.add("pictures/a.txt", b"words")
        new_picture("one", "a.txt")
        asked = files.file(stored.id, "delete")
        assert "It is referred to by gallery.Picture.image" in asked.text
        assert "keep it there for 30 days" in asked.text
        assert files.names() == {"pictures/a.txt"}
        page = self.delete(files, stored.id)
        assert "Moved to the trash: pictures/a.txt" in page.text
        assert files.names() == set()
        (entry,) = files.trash.find({})
        assert (entry["_id"], entry["kind"], entry["reason"][:3]) == (stored.id, "deleted", "by ")
        assert entry["file"]["filename"] == "pictures/a.txt"
        assert files.chunks.count_documents({}) == 1
        page = files.post(files.file_url(stored.id, "restore"))
        assert "Restored: pictures/a.txt" in page.text
        assert files.bucket.read_bytes(files.bucket.get(stored.id)) == b"words"
        assert files.trash.count_documents({}) == 0
        assert log(files) == [
            ("pictures/a.txt", DELETED, ""),
            ("pictures/a.txt", CHANGED, "Restored from the trash."),
        ]

    def test_for_good(self, files: Files) -> None:
        stored = files.add("a.txt")
        page = self.delete(files, stored.id, "good")
        assert "Deleted for good: a.txt" in page.text
        for collection in (files.documents, files.chunks, files.trash):
            assert collection.count_documents({}) == 0

    def test_for_good_out_of_the_trash(self, files: Files) -> None:
        stored = files.add("a.txt")
        self.delete(files, stored.id)
        asked = files.file(stored.id, "purge")
        assert "it cannot be restored" in asked.text
        assert files.trash.count_documents({}) == 1
        page = files.post(files.file_url(stored.id, "purge"))
        assert "Deleted for good: a.txt" in page.text
        assert files.trash.count_documents({}) == files.chunks.count_documents({}) == 0

    def test_what_something_refers_to_stays_in_the_trash(
        self, files: Files, new_picture: Callable[..., Any]
    ) -> None:
        stored = files.add("pictures/a.png")
        picture = new_picture("a", "a.png")
        asked = files.file(stored.id, "delete")
        assert "It stays in the trash as long as something refers to it." in asked.text
        self.delete(files, stored.id)
        page = files.post(files.file_url(stored.id, "purge"))
        assert "Not deleted, because something refers to it" in page.text
        assert files.trash.count_documents({}) == files.chunks.count_documents({}) == 1
        files.trash.update_many({}, {"$set": {"trashedAt": LONG_AGO}})
        files.post(files.url("empty_trash"), days="9", name="media")
        assert files.trash.count_documents({}) == files.chunks.count_documents({}) == 1
        picture.delete()
        page = files.post(files.file_url(stored.id, "purge"))
        assert "Deleted for good: pictures/a.png" in page.text
        assert files.trash.count_documents({}) == files.chunks.count_documents({}) == 0

    def test_for_good_during_a_restore(self, files: Files) -> None:
        """One of the two is refused: else chunks would go under a file that comes back."""
        stored = files.add("a.txt", b"words")
        self.delete(files, stored.id)
        database = files.site.database
        with lease_of(BucketCollections.of(database, "media")):  # As a restore holds it.
            page = files.post(files.file_url(stored.id, "purge"))
            assert "Another run is collecting garbage in the bucket 'media'" in page.text
            assert files.chunks.count_documents({}) == 1
        restore(database, "media", ids=[stored.id])
        assert files.bucket.read_bytes(files.bucket.get(stored.id)) == b"words"

    def test_what_cannot_be_restored(self, files: Files) -> None:
        stored = files.add("a.txt")
        self.delete(files, stored.id)
        files.chunks.delete_many({})
        page = files.post(files.file_url(stored.id, "restore"))
        assert "its chunks were deleted" in page.text
        assert log(files)[1:] == []

    def test_a_file_that_changed_meanwhile_stays(self, files: Files) -> None:
        from bson import ObjectId

        from djongo_services.admin.files import trashing
        from djongo_services.storage.collector.collections import BucketCollections

        stored = files.add("a.txt")
        places = BucketCollections.of(files.site.database, "media")
        (before,) = places.raw(places.files).find({})
        files.bucket.rename(stored.id, "b.txt")
        assert not trashing._delete(places, before)
        # An entry that was noted in vain is void.
        removal = trashing.Removal(run=ObjectId(), by="ann")
        trashing._note(places, [before], removal)
        trashing._forget_those_still_there(places, [stored.id])
        assert files.trash.count_documents({}) == 0
        assert files.names() == {"b.txt"}

    def test_ids_of_every_type(self, files: Files) -> None:
        from tests.admin.files.test_address import IDS

        ids = [id for id in IDS if not (isinstance(id, dict) and "$where" in id)]
        files.add("x")
        files.documents.delete_many({})
        files.documents.insert_many(
            [
                {"_id": id, "length": 0, "chunkSize": 1, "uploadDate": LONG_AGO, "filename": "a"}
                for id in ids
            ]
        )
        for id in ids:
            assert files.file(id).status == 200
            assert "Moved to the trash" in self.delete(files, id).text
        assert files.documents.count_documents({}) == 0
        for id in ids:
            assert "Restored: " in files.post(files.file_url(id, "restore")).text
        assert files.documents.count_documents({}) == len(ids)


def test_changes_are_posts(files: Files) -> None:
    stored = files.add("a")
    strict = type(files.site.client)(enforce_csrf_checks=True)
    strict.cookies = files.site.client.cookies
    for page in ("current", "restore", "verify"):
        url = files.file_url(stored.id, page)
        assert files.site.get(url).status == 405
        assert strict.post(url).status_code == 403


def test_the_log_of_a_file_and_of_a_bucket(files: Files) -> None:
    stored = files.add("a.txt")
    files.post(files.file_url(stored.id, "rename"), filename="b.txt")
    assert "Renamed from a.txt to b.txt." in files.file(stored.id, "history").text
    assert files.get("history").status == 200
