"""The page of a file: what it is, whether it is whole, who refers to it, what it looks like."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.urls import reverse

from djongo_services.storage import GridFSStorage
from tests.admin.conftest import Site
from tests.admin.files.conftest import Files, png


def test_facts(files: Files) -> None:
    stored = files.add("2026/a.png", png(), "image/png")
    page = files.file(stored.id)
    assert page.status == 200
    assert "2026/a.png" in page.text
    assert "image/png" in page.text
    assert stored.sha256 is not None
    assert stored.sha256 in page.text
    assert str(stored.id) in page.text
    assert "1, which is there." in page.text
    assert "of the storage default" in page.text
    assert "Nothing that the project says." in page.text
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
        assert "3, all of them there." in files.file(stored.id).text
        assert "their SHA-256 is that of the stored ones" in self.verify(files, stored.id)
        assert files.site.log() == []

    def test_a_missing_chunk(self, files: Files) -> None:
        stored = files.add("a.png", b"x" * 600_000, "image/png")
        files.chunks.delete_one({"n": 1})
        page = files.file(stored.id)
        assert "2 of 3 are there." in page.text
        assert "It is broken, so it is not shown." in page.text
        assert "It is broken: chunk 1 is missing." in self.verify(files, stored.id)

    def test_other_bytes(self, files: Files) -> None:
        stored = files.add("a.bin", b"original")
        files.chunks.update_one({}, {"$set": {"data": b"replaced"}})
        assert "1, which is there." in files.file(stored.id).text
        assert "do not have the SHA-256 of its metadata" in self.verify(files, stored.id)

    def test_without_a_checksum(self, files: Files) -> None:
        id = files.add_old("a.txt")
        assert "there is no SHA-256 to compare with" in self.verify(files, id)

    def test_a_document_that_makes_no_sense(self, files: Files) -> None:
        files.documents.insert_one({"_id": 1, "length": "many"})
        page = files.file(1)
        assert page.status == 200
        assert "Its length or its chunk size is no number of bytes." in page.text
        assert "It is broken" in self.verify(files, 1)
        raw = files.file(1, "raw")
        assert (raw.status, raw.html.startswith("This is no file")) == (503, True)

    def test_in_the_trash(self, files: Files) -> None:
        stored = files.add("a.bin", b"x" * 600_000)
        file = files.documents.find_one_and_delete({})
        files.trash.insert_one({"_id": stored.id, "file": file, "trashedAt": stored.upload_date})
        assert "is that of the stored ones" in self.verify(files, stored.id)


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

    def test_who_may_not_see_the_objects(self, site: Site, new_picture: Callable[..., Any]) -> None:
        files = Files(site)
        stored = files.add("pictures/a.png")
        new_picture("secret", "a.png")
        site.login("view_file")
        page = files.file(stored.id)
        assert "gallery.Picture.image" in page.text
        assert "There are some, which you may not see." in page.text
        assert "secret" not in page.html

    def test_functions_of_the_project(self, files: Files, connect: Any) -> None:
        from tests.transaction.conftest import entry

        stored = files.add("used.txt")
        path = "tests.admin.files.gallery.references.used"
        services = {"STORAGE": {"REFERENCES": [path]}}
        connect(services, archive=entry(files.site.database))
        page = files.file(stored.id)
        assert f"{path} It says that the file is in use." in page.text
        services = {"STORAGE": {"REFERENCES": ["tests.admin.files.gallery.references.broken"]}}
        connect(services, archive=entry(files.site.database))
        page = files.file(stored.id)
        assert "It cannot be told which files of the bucket 'media' are in use" in page.text
        assert "no idea" in page.text


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
        assert "The file goes on behind that." in page.text
        assert len(page.html) < 60_000

    SHOWN = [
        ("a.jpg", "image/jpeg", "<img "),
        ("a.mp3", "audio/mpeg", "<audio "),
        ("a.mp4", "video/mp4", "<video "),
        ("a.pdf", "application/pdf", "<iframe "),
        ("a.zip", "application/zip", "Nothing of it can be shown here."),
        ("a.bin", "", "Nothing of it can be shown here."),
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
