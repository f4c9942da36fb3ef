"""The page of a file: what it is, whether it is whole, who refers to it, what it looks like."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from typing import Any

from django.urls import reverse

from djongo_services.storage import GridFSStorage
from tests.admin.conftest import Site
from tests.admin.files.conftest import LONG_AGO, Files, png


def test_facts(files: Files) -> None:
    stored = files.add("2026/a.png", png(), "image/png")
    page = files.file(stored.id)
    assert page.status == 200
    assert "2026/a.png" in page.text
    assert "image/png" in page.text
    assert stored.sha256 is not None
    assert stored.sha256 in page.text
    assert str(stored.id) in page.text
    assert "1 of 1 present." in page.text
    assert "storage default" in page.text
    assert "No known references." in page.text
    assert f'<img src="{files.file_url(stored.id, "raw")}" alt="The image 2026/a.png">' in page.html
    assert page.link("Download") == files.file_url(stored.id, "download")


def test_compressed_and_shared_files(files: Files) -> None:
    from django.core.files.base import ContentFile

    for options in ({"compression": "gzip"}, {"deduplicate": True}):
        storage = GridFSStorage(bucket="media", using="archive", **options)
        first = storage.save("one.txt", ContentFile(b"words " * 1_000))
        second = storage.save("two.txt", ContentFile(b"words " * 1_000))
        stored = storage.stored(second)
        page = files.file(stored.id)
        assert "6.0 kB (6,000 bytes)" in page.text
        assert ("gzip" in page.text) == ("compression" in options)
        assert (f"Further names {second}" in page.text) == ("deduplicate" in options)
        assert "words words" in page.text
        assert files.site.client.get(files.file_url(stored.id, "download")).content[:5] == b"words"
        assert first != second


class TestHealth:
    def verify(self, files: Files, id: Any) -> str:
        return files.post(files.file_url(id, "verify")).text

    def test_a_sound_file(self, files: Files) -> None:
        stored = files.add("a.bin", b"x" * 600_000)
        assert "3 of 3 present." in files.file(stored.id).text
        assert "the SHA-256 matches" in self.verify(files, stored.id)
        assert files.site.log() == []

    def test_a_missing_chunk(self, files: Files) -> None:
        stored = files.add("a.png", b"x" * 600_000, "image/png")
        files.chunks.delete_one({"n": 1})
        page = files.file(stored.id)
        assert "2 of 3 present." in page.text
        assert "The file is broken, so no preview is shown." in page.text
        assert "It is broken: chunk 1 is missing." in self.verify(files, stored.id)

    def test_other_bytes(self, files: Files) -> None:
        stored = files.add("a.bin", b"original")
        files.chunks.update_one({}, {"$set": {"data": b"replaced"}})
        assert "1 of 1 present." in files.file(stored.id).text
        assert "do not have the SHA-256 of its metadata" in self.verify(files, stored.id)

    def test_without_a_checksum(self, files: Files) -> None:
        id = files.add_old("a.txt")
        assert "there is no SHA-256 to compare with" in self.verify(files, id)

    def test_a_document_that_makes_no_sense(self, files: Files) -> None:
        files.documents.insert_one({"_id": 1, "length": "many"})
        page = files.file(1)
        assert page.status == 200
        assert "Its length or chunk size is not a number of bytes." in page.text
        assert "It is broken" in self.verify(files, 1)
        raw = files.file(1, "raw")
        assert (raw.status, raw.html.startswith("This file cannot be read")) == (503, True)

    def test_in_the_trash(self, files: Files) -> None:
        stored = files.add("a.bin", b"x" * 600_000)
        file = files.documents.find_one_and_delete({})
        files.trash.insert_one({"_id": stored.id, "file": file, "trashedAt": stored.upload_date})
        assert "the SHA-256 matches" in self.verify(files, stored.id)


class TestReferences:
    def test_objects_that_refer_to_it(self, files: Files, new_picture: Callable[..., Any]) -> None:
        stored = files.add("pictures/a.png", png(), "image/png")
        one = new_picture("The & first", "a.png")
        page = files.file(stored.id)
        assert "gallery.Picture.image on 'default' The & first" in page.text
        assert page.link("The & first") == reverse("admin:gallery_picture_change", args=[one.pk])
        for number in range(11):
            new_picture(f"more {number}", "a.png")
        page = files.file(stored.id)
        assert page.html.count('/change/"><bdi>') == 10
        assert "and more" in page.text

    def test_their_documents_for_whoever_may_see_documents(
        self, files: Files, new_picture: Callable[..., Any]
    ) -> None:
        stored = files.add("pictures/a.png", png(), "image/png")
        picture = new_picture("The first", "a.png")
        page = files.file(stored.id)
        document = files.site.get(page.link("its document"))
        assert document.status == 200
        assert "The first" in document.text
        assert str(picture.pk) in document.text
        files.site.login("view_file", "view_collection", "view_documents")
        page = files.file(stored.id)
        assert "The first" not in page.text  # its object may not be seen
        assert files.site.get(page.link("its document")).status == 200
        files.site.login("view_file", "view_collection")
        assert "its document" not in files.file(stored.id).text

    def test_who_may_not_see_the_objects(self, site: Site, new_picture: Callable[..., Any]) -> None:
        files = Files(site)
        stored = files.add("pictures/a.png")
        new_picture("secret", "a.png")
        site.login("view_file")
        page = files.file(stored.id)
        assert "gallery.Picture.image" in page.text
        assert "You do not have permission to view these objects." in page.text
        assert "secret" not in page.html

    def test_functions_of_the_project(self, files: Files, connect: Any) -> None:
        from tests.transaction.conftest import entry

        stored = files.add("used.txt")
        path = "tests.admin.files.gallery.references.used"
        services = {"STORAGE": {"REFERENCES": [path]}}
        connect(services, archive=entry(files.site.database))
        page = files.file(stored.id)
        assert f"{path} Reports that the file is in use." in page.text
        services = {"STORAGE": {"REFERENCES": ["tests.admin.files.gallery.references.broken"]}}
        connect(services, archive=entry(files.site.database))
        page = files.file(stored.id)
        assert "It cannot be determined which files of the bucket 'media' are in use" in page.text
        assert "no idea" in page.text


class TestFate:
    """The page says what the collector will do with the file, and the collector then does it."""

    def test_of_use(self, files: Files, new_picture: Callable[..., Any]) -> None:
        id = files.add_old("pictures/a.png")
        new_picture("one", "a.png")
        assert "The collector keeps it, because something refers to it." in files.file(id).text

    def test_unreferenced(self, files: Files) -> None:
        page = files.file(files.add_old("pictures/old.png")).text
        assert "Nothing refers to it. The next run of the collector moves it to the trash" in page
        assert "its last change (2024-01-15 12:00 UTC) is more than 48 hours ago" in page
        assert "Before that, it looks for the name in all texts." in page
        page = files.file(files.add("pictures/new.png").id).text
        assert re.search(
            r"Nothing refers to it\. The collector moves it to the trash from \d{4}-\d\d-\d\d "
            r"\d\d:\d\d UTC on, 48 hours after its last change \(\d{4}-",
            page,
        )

    def test_superseded(self, files: Files, new_picture: Callable[..., Any]) -> None:
        old = files.add_old("pictures/a.png")
        files.add_old("pictures/a.png")
        new_picture("one", "a.png")
        assert "There is a newer revision of the name" in files.file(old).text

    def test_broken(self, files: Files, new_picture: Callable[..., Any]) -> None:
        used, unused = files.add_old("pictures/used.png"), files.add_old("pictures/unused.png")
        new_picture("one", "used.png")
        files.chunks.delete_many({})
        page = files.file(used)
        # What is wrong comes first.
        assert page.text.index("all its chunks are missing") < page.text.index("Download")
        assert 'role="alert">The file is broken: all its chunks are missing.' in page.html
        assert "The collector keeps it although it is broken" in page.text
        page = files.file(unused)
        assert "It is broken (all its chunks are missing), and cannot be read." in page.text

    def test_excluded(self, files: Files, connect: Any) -> None:
        from tests.transaction.conftest import entry

        id = files.add_old("pictures/a.png")
        services = {"STORAGE": {"EXCLUDE": ["pictures/*"]}}
        connect(services, archive=entry(files.site.database))
        assert "the project excludes its name" in files.file(id).text

    def test_where_nothing_says_what_is_in_use(self, root: Site) -> None:
        files = Files(root, "other")
        page = files.file(files.add_old("a.txt")).text
        assert "nothing that it checks shows whether the file is in use" in page

    def test_in_the_trash(self, files: Files) -> None:
        id = files.add_old("pictures/a.png")
        file = files.documents.find_one_and_delete({})
        files.trash.insert_one({"_id": id, "file": file, "trashedAt": LONG_AGO})
        page = files.file(id).text
        assert "After 30 days in the trash, from 2024-02-14 12:00 UTC on" in page

    def test_the_grace_of_the_project(self, files: Files, connect: Any) -> None:
        from tests.transaction.conftest import entry

        id = files.add("pictures/a.png").id
        services = {"STORAGE": {"GRACE": dt.timedelta(minutes=90), "SEARCH": "fields"}}
        connect(services, archive=entry(files.site.database))
        page = files.file(id).text
        assert "90 minutes after its last change" in page
        assert "in all texts" not in page

    def test_it_is_the_collectors_own_judgement(
        self, files: Files, new_picture: Callable[..., Any]
    ) -> None:
        """Among files of every sort, the page announces the ones that a dry run finds, as the same
        kind."""
        from djongo_services.connections import connections
        from djongo_services.storage.collector import Kind, collect, references_for
        from djongo_services.storage.collector.outlook import outlook

        for number in range(3):
            new_picture(f"used {number}", f"used{number}.png")
        for name in ("used0", "used0", "used1", "unused", "unused", "torn", "torn"):
            files.add_old(f"pictures/{name}.png", b"x" * 10)
        files.add("pictures/used2.png")
        files.add("pictures/young.png")
        files.add_old("elsewhere.txt")
        torn = [each["_id"] for each in files.documents.find({"filename": "pictures/torn.png"})]
        files.chunks.delete_one({"files_id": torn[0]})
        files.chunks.delete_one({"files_id": files.add_old("pictures/used1.png")})
        database = connections["archive"].database
        references = references_for(connections["archive"], "media", search=False)
        found: dict[Any, Kind] = {}
        hours = dt.timedelta(hours=48)

        def note(many: Any, kept: Any) -> None:
            found.update({each.id: each.kind for each in many})

        collect(
            database,
            "media",
            references=references,
            older_than=hours,
            dry_run=True,
            found=note,
        )
        fates = {
            each["_id"]: outlook(database, "media", each, references=references, older_than=hours)
            for each in files.documents.find({})
        }
        assert {id: one.kind for id, one in fates.items() if one.fate == "goes"} == found
        assert {one.fate for one in fates.values()} >= {"goes", "waits", "used"}


class TestPreviews:
    TEXTS = [
        (
            "a.txt",
            "text/plain",
            b"line 1\nline\xe2\x80\xae 2\x1b[0m",
            "line 1\nline\\u202e 2\\x1b[0m",
        ),
        ("a.html", "text/html", b"<script>alert(1)</script>", "&lt;script&gt;alert(1)"),
        ("a.svg", "image/svg+xml", b"<svg onload='x'/>", "&lt;svg onload=&#x27;x&#x27;/&gt;"),
        ("a.json", "application/json", b'{"a": "\xc3\xa9"}', "{&quot;a&quot;: &quot;é&quot;}"),
        ("a", "", b"looks like text", "looks like text"),
    ]

    def test_text(self, files: Files) -> None:
        for name, kind, content, expected in self.TEXTS:
            page = files.file(files.add(name, content, kind).id)
            assert f">{expected}" in page.html.partition('aria-labelledby="preview">')[2]

    def test_long_text_is_cut(self, files: Files) -> None:
        page = files.file(files.add("a.txt", "é".encode() * 100_000, "text/plain").id)
        assert "The preview ends here; the file is longer." in page.text
        assert len(page.html) < 60_000

    SHOWN = [
        ("a.jpg", "image/jpeg", "<img "),
        ("a.mp3", "audio/mpeg", "<audio "),
        ("a.mp4", "video/mp4", "<video "),
        ("a.pdf", "application/pdf", "<iframe "),
        ("a.zip", "application/zip", "No preview is available."),
        ("a.bin", "", "No preview is available."),
    ]

    def test_what_browsers_show(self, files: Files) -> None:
        for name, kind, tag in self.SHOWN:
            page = files.file(files.add(name, b"\x00\xff\xfe binary", kind).id)
            assert tag in page.html

    def test_an_encrypted_file_whose_key_is_gone(self, files: Files, connect: Any) -> None:
        import base64

        from django.core.files.base import ContentFile

        from tests.transaction.conftest import entry

        keys = {"STORAGE": {"ENCRYPTION_KEYS": {"k": base64.b64encode(b"k" * 32).decode()}}}
        connect(keys, archive=entry(files.site.database))
        storage = GridFSStorage(bucket="media", using="archive", encryption=True)
        stored = storage.stored(storage.save("a.txt", ContentFile(b"secret words")))
        assert "secret words" in files.file(stored.id).text
        connect(archive=entry(files.site.database))
        page = files.file(stored.id)
        assert page.status == 200
        assert "secret words" not in page.text
        assert "Encrypted files need" in page.text


def test_revisions(files: Files) -> None:
    old = files.add_old("a.txt", b"one")
    new = files.add("a.txt", b"two")
    page = files.file(old)
    assert "Revisions" in page.text
    assert "this one" in page.text
    assert "the current one" in page.text
    assert page.link(f"{new.upload_date:%Y-%m-%d %H:%M} UTC") == files.file_url(new.id)
    assert "Make this the current one" in page.text
    assert "Make this the current one" not in files.file(new.id).text
    for _ in range(25):
        files.add("a.txt", b"more")
    assert "and more" in files.file(old).text
