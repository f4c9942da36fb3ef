"""The bytes of files, for those who may see them and in the form in which they are harmless."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from pymongo.errors import AutoReconnect

from tests.admin.conftest import Site
from tests.admin.files.conftest import Files, png


def get(files: Files, id: Any, page: str = "raw", **headers: str) -> Any:
    return files.site.client.get(files.file_url(id, page), headers=headers)


def test_a_picture(files: Files) -> None:
    stored = files.add("a.png", png(), "image/png")
    answer = get(files, stored.id)
    assert (answer.status_code, answer.content) == (200, png())
    assert answer["Content-Type"] == "image/png"
    assert answer["Content-Disposition"] == 'inline; filename="a.png"'
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Content-Security-Policy"].startswith("sandbox")
    assert answer["X-Frame-Options"] == "SAMEORIGIN"
    # Browsers keep it and ask whether it is still the same; shared caches do not keep it.
    assert answer["Cache-Control"] == "no-cache, private"
    same = get(files, stored.id, If_None_Match=answer["ETag"])
    assert same.status_code == 304
    assert same["Content-Security-Policy"] == answer["Content-Security-Policy"]
    assert get(files, stored.id, Range="bytes=1-3").content == b"PNG"
    assert files.site.client.head(files.file_url(stored.id, "raw"))["Content-Length"]
    assert files.site.client.post(files.file_url(stored.id, "raw")).status_code == 405


DISPOSITIONS = [
    ("text/html", "attachment"),
    ("image/svg+xml", "attachment"),
    ("text/xml", "attachment"),
    ("application/xhtml+xml", "attachment"),
    ("text/javascript", "attachment"),
    ("application/zip", "attachment"),
    ("text/plain", "inline"),
    ("application/pdf", "inline"),
    ("IMAGE/PNG; charset=x", "inline"),
    ("nonsense\r\nX-Evil: 1", "attachment"),
]


def test_what_may_be_shown(files: Files) -> None:
    for kind, disposition in DISPOSITIONS:
        stored = files.add("a\r\nX-Evil: 1\u202egnp.exe", b"<script>alert(1)</script>", kind)
        shown = get(files, stored.id)
        assert shown["Content-Disposition"].startswith(disposition)
        assert shown["X-Content-Type-Options"] == "nosniff"
        assert "X-Evil" not in shown
        assert "script-src" not in shown["Content-Security-Policy"]
        assert "default-src 'none'" in shown["Content-Security-Policy"]
        saved = get(files, stored.id, "download")
        assert saved["Content-Disposition"].startswith("attachment")
        assert saved.content == b"<script>alert(1)</script>"


def test_a_large_file_is_streamed_in_parts(files: Files) -> None:
    content = bytes(range(256)) * 8_000
    stored = files.add("a.mp4", content, "video/mp4")
    whole = get(files, stored.id)
    assert whole.streaming
    assert b"".join(whole.streaming_content) == content
    part = get(files, stored.id, Range="bytes=300000-999999")
    assert (part.status_code, part["Content-Range"]) == (206, "bytes 300000-999999/2048000")
    assert b"".join(part.streaming_content) == content[300_000:1_000_000]
    assert get(files, stored.id, Range="bytes=9999999-").status_code == 416


async def test_under_asgi(files: Files) -> None:
    from asgiref.sync import sync_to_async
    from django.test import AsyncClient

    from djongo_services.connections import connections

    content = bytes(range(256)) * 8_000
    stored = await sync_to_async(files.add)("a.mp4", content, "video/mp4")
    client = AsyncClient()
    client.cookies = files.site.client.cookies
    answer: Any = await client.get(files.file_url(stored.id, "raw"))
    assert answer.is_async
    assert b"".join([piece async for piece in answer.streaming_content]) == content
    await connections["archive"].aclose()


def test_a_broken_file_is_said_to_be_one(files: Files) -> None:
    stored = files.add("a.png", b"x" * 600_000, "image/png")
    files.chunks.delete_one({"n": 0})
    answer = get(files, stored.id)
    assert answer.status_code == 503
    assert "is damaged: chunk 0 is missing" in answer.content.decode()
    assert answer["Content-Type"] == "text/plain; charset=utf-8"


def test_a_file_in_the_trash(files: Files) -> None:
    stored = files.add("a.png", png(), "image/png")
    file = files.documents.find_one_and_delete({})
    at = dt.datetime(2026, 1, 1)
    files.trash.insert_one({"_id": stored.id, "file": file, "trashedAt": at})
    assert get(files, stored.id).content == png()
    files.trash.insert_one({"_id": 5, "kind": "orphan-chunks", "trashedAt": at})
    assert get(files, 5).status_code == 503


def test_a_server_that_goes_away(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    stored = files.add("a.png", png(), "image/png")

    def fail(*args: object) -> None:
        raise AutoReconnect("gone")

    monkeypatch.setattr("djongo_services.admin.files.raw.read", fail)
    assert get(files, stored.id).status_code == 503


class TestSigned:
    """Signed links are for every user who may see an object, without permission to see all
    files."""

    def url(self, files: Files, id: Any) -> str:
        from django.core import signing

        from djongo_services.admin.files.widget import SALT

        return files.site.url("file_signed", signing.dumps(f"archive/media/{id}", salt=SALT))

    def test_who_is_shown_it(self, site: Site) -> None:
        files = Files(site)
        stored = files.add("a.png", png(), "image/png")
        pdf = files.add("a.pdf", b"%PDF", "application/pdf")
        url = self.url(files, stored.id)
        assert "/login/" in site.get(url).location
        site.login()
        assert site.client.get(url).content == png()
        assert site.get(files.file_url(stored.id, "raw")).status == 403
        # Nothing but what the form shows.
        shown = site.client.get(self.url(files, pdf.id))
        assert shown["Content-Disposition"].startswith("attachment")
        site.login(is_staff=False)
        assert "/login/" in site.get(url).location

    def test_another_signature_or_an_old_one(
        self, files: Files, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from django.core import signing

        stored = files.add("a.png", png(), "image/png")
        other = signing.dumps(f"archive/media/{stored.id}", salt="other")
        for token in ("nonsense", other, self.url(files, stored.id)[-20:-1]):
            assert files.site.get(files.site.url("file_signed", token)).status == 403
        url = self.url(files, stored.id)
        monkeypatch.setattr("djongo_services.admin.files.raw.SIGNED_SECONDS", -1)
        assert files.site.get(url).status == 403
