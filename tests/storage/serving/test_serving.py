"""Files over HTTP, under WSGI and under ASGI."""

from __future__ import annotations

import base64
import os
import random
from collections.abc import Callable
from typing import Any

import gridfs
import pytest
from bson import ObjectId
from django.core.exceptions import ImproperlyConfigured
from django.core.files.base import ContentFile
from django.core.files.storage import storages
from django.urls import include, path, reverse
from pymongo.database import Database

from djongo_services.storage import CorruptFile, GridFSStorage
from djongo_services.storage.bucket.chunking import now
from djongo_services.storage.codecs import UnknownKey
from djongo_services.storage.serving import serve_view, urlpatterns_for
from djongo_services.storage.serving.view import SMALL
from tests.storage.serving.site import Answer, Site

MB = 1024 * 1024
CHUNK = 255 * 1024


@pytest.mark.parametrize("size", [0, 1, CHUNK, SMALL, SMALL + 1, MB, 10 * MB + 3])
def test_the_whole_file(each_site: Site, size: int) -> None:
    content = os.urandom(size)
    each_site.save("2024/a b.png", content)
    answer = each_site.get("/media/2024/a%20b.png")
    assert (answer.status, answer.body == content) == (200, True)
    assert answer.headers["Content-Length"] == str(size)
    assert answer.headers["Content-Type"] == "image/png"
    assert answer.headers["Content-Disposition"] == 'inline; filename="a b.png"'


def test_large_files_are_streamed_natively(each_site: Site) -> None:
    each_site.save("small", b"x" * SMALL)
    each_site.save("large", b"x" * (SMALL + 1))
    assert not each_site.get("/media/small").is_streamed
    large = each_site.get("/media/large")
    assert large.is_streamed
    assert large.is_async == (each_site.stack == "async")


@pytest.mark.parametrize("method", ["HEAD", "GET"])
def test_what_a_client_has_is_not_read(each_site: Site, method: str) -> None:
    """One query finds the file, and none reads chunks."""
    each_site.save("a.txt", b"content")
    etag = each_site.get("/media/a.txt").headers["ETag"]
    with each_site.commands() as sent:
        headers: dict[str, Any] = {"If_None_Match": etag} if method == "GET" else {}
        answer = each_site.request(method, "/media/a.txt", **headers)
    assert answer.status == (304 if method == "GET" else 200)
    assert answer.body == b""
    assert sent == ["find fs.files"]


def test_head_says_what_get_would(each_site: Site) -> None:
    each_site.save("a.txt", b"content")
    head, get = (each_site.request(method, "/media/a.txt") for method in ("HEAD", "GET"))
    assert head.headers == get.headers
    assert head.headers["Content-Length"] == "7"


def test_a_small_file_takes_two_commands(each_site: Site) -> None:
    each_site.save("a.txt", b"content")
    each_site.get("/media/a.txt")
    with each_site.commands() as sent:
        each_site.get("/media/a.txt")
    assert sent == ["find fs.files", "find fs.chunks"]


def test_one_range(each_site: Site) -> None:
    content = os.urandom(3 * MB // 2)
    each_site.save("a", content)
    size = len(content)
    for spec, start, stop in (
        ("0-0", 0, 1),
        ("5-9", 5, 10),
        (f"{CHUNK - 1}-{CHUNK}", CHUNK - 1, CHUNK + 1),
        (f"{CHUNK}-", CHUNK, size),
        ("-1", size - 1, size),
        ("0-", 0, size),
        (f"-{2 * MB}", 0, size),
        ("100-2000000", 100, size),
    ):
        answer = each_site.get("/media/a", Range=f"bytes={spec}")
        assert answer.status == 206
        assert answer.headers["Content-Range"] == f"bytes {start}-{stop - 1}/{size}"
        assert answer.headers["Content-Length"] == str(stop - start)
        assert answer.body == content[start:stop]


def test_a_small_range_of_a_large_file_is_read_alone(each_site: Site) -> None:
    content = os.urandom(8 * MB)
    each_site.save("a", content)
    answer = each_site.get("/media/a", Range="bytes=4000000-4000009")
    assert (answer.body, answer.is_streamed) == (content[4000000:4000010], False)


def test_several_ranges(each_site: Site) -> None:
    content = os.urandom(4 * MB)
    each_site.save("a.bin", content)
    answer = each_site.get("/media/a.bin", Range="bytes=3000000-3000099,0-1500000,-10")
    assert answer.status == 206
    assert len(answer.body) == int(answer.headers["Content-Length"])
    assert parts(answer) == [
        (f"bytes 3000000-3000099/{4 * MB}", content[3000000:3000100]),
        (f"bytes 0-1500000/{4 * MB}", content[:1500001]),
        (f"bytes {4 * MB - 10}-{4 * MB - 1}/{4 * MB}", content[-10:]),
    ]


def parts(answer: Answer) -> list[tuple[str, bytes]]:
    """Each with its Content-Range, read as RFC 2046 says."""
    boundary = answer.headers["Content-Type"].partition("boundary=")[2].encode()
    before, *found, after = answer.body.split(b"\r\n--" + boundary)
    assert (before, after) == (b"", b"--\r\n")
    split = [each.removeprefix(b"\r\n").split(b"\r\n\r\n", 1) for each in found]
    return [(head.decode().partition("Content-Range: ")[2], body) for head, body in split]


def test_ten_thousand_ranges_are_one_answer(each_site: Site) -> None:
    each_site.save("a", b"x" * 100_000)
    answer = each_site.get(
        "/media/a", Range="bytes=" + ",".join(f"{at}-{at}" for at in range(10_000))
    )
    assert (answer.status, len(answer.body)) == (200, 100_000)


def test_nothing_of_the_range(each_site: Site) -> None:
    each_site.save("a", b"content")
    answer = each_site.get("/media/a", Range="bytes=7-")
    assert (answer.status, answer.headers["Content-Range"]) == (416, "bytes */7")


def test_a_download_goes_on_only_with_the_same_content(each_site: Site) -> None:
    each_site.configure(allow_overwrite=True)
    each_site.save("a", b"old content")
    etag = each_site.get("/media/a").headers["ETag"]
    kept = each_site.get("/media/a", Range="bytes=4-", If_Range=etag)
    assert (kept.status, kept.body) == (206, b"content")
    each_site.save("a", b"new content")
    changed = each_site.get("/media/a", Range="bytes=4-", If_Range=etag)
    assert (changed.status, changed.body) == (200, b"new content")
    assert changed.headers["ETag"] != etag


NO_FILES = [
    "missing",
    "a.txt/",
    "/a.txt",
    "x//a.txt",
    "./a.txt",
    "x/../a.txt",
    "..%2fa.txt",
    "x%2f..%2fa.txt",
    "..%5ca.txt",
    "x%5ca.txt",
    "a.txt%00",
    "%00",
    "%ff%fe",
    "a" * 5000,
    "C:%5ca.txt",
    "$where",
    "%7B%22$ne%22:%22%22%7D",
    "a.txt%0d%0aX:y",
]


def test_what_is_no_file(each_site: Site) -> None:
    each_site.save("a.txt", b"content")
    statuses = {name: each_site.get(f"/media/{name}").status for name in NO_FILES}
    assert statuses == dict.fromkeys(NO_FILES, 404)


def test_other_methods(each_site: Site) -> None:
    each_site.save("a.txt", b"content")
    for method in ("POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"):
        answer = each_site.request(method, "/media/a.txt")
        assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD")


def test_what_may_run_is_for_keeping(each_site: Site) -> None:
    each_site.configure(inline_types=["text/html", "image/svg+xml", "text/javascript"])
    for name in ("page.html", "drawing.svg", "feed.xml", "code.js", "page.xhtml"):
        each_site.save(name, b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>")
        headers = each_site.get(f"/media/{name}").headers
        assert headers["Content-Disposition"] == f'attachment; filename="{name}"'
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Content-Security-Policy"] == "sandbox; default-src 'none'"


def test_the_type_that_was_stored_counts(each_site: Site) -> None:
    """HTML under the name of an image is not treated as an image if its type says so, and vice
    versa."""
    each_site.bucket.upload("a.png", b"<script>alert(1)</script>", content_type="text/html")
    headers = each_site.get("/media/a.png").headers
    assert (headers["Content-Type"], headers["Content-Disposition"][:10]) == (
        "text/html",
        "attachment",
    )
    each_site.bucket.upload("b.html", b"\x89PNG", content_type="image/png")
    headers = each_site.get("/media/b.html").headers
    assert (headers["Content-Type"], headers["Content-Disposition"][:6]) == ("image/png", "inline")


def test_a_type_that_would_break_the_header(each_site: Site) -> None:
    each_site.bucket.upload("a.png", b"x", content_type="image/png\r\nSet-Cookie: a=b")
    answer = each_site.get("/media/a.png")
    assert (answer.status, answer.headers["Content-Type"]) == (200, "image/png")
    assert "Set-Cookie" not in answer.headers


def test_the_project_chooses_what_is_shown(each_site: Site) -> None:
    each_site.configure(inline_types=["application/pdf"])
    for name in ("a.pdf", "a.png"):
        each_site.save(name, b"x")
    kinds = [each_site.get(f"/media/{name}").headers for name in ("a.pdf", "a.png")]
    assert [each["Content-Disposition"].split(";")[0] for each in kinds] == ["inline", "attachment"]


def test_cache_control_of_the_storage(each_site: Site) -> None:
    each_site.save("a", b"x")
    assert each_site.get("/media/a").headers["Cache-Control"] == "no-cache"
    each_site.configure(cache_control="public, max-age=31536000, immutable")
    assert each_site.get("/media/a").headers["Cache-Control"] == (
        "public, max-age=31536000, immutable"
    )


def test_a_file_of_another_tool(each_site: Site, database: Database[Any]) -> None:
    """Without checksum and content type, with a different kind of id and a small chunk size."""
    content = os.urandom(5000)
    with gridfs.GridFSBucket(database).open_upload_stream_with_id(
        {"old": [1, 2]}, "a.gif", chunk_size_bytes=999
    ) as stream:
        stream.write(content)
    answer = each_site.get("/media/a.gif")
    assert (answer.status, answer.body) == (200, content)
    assert answer.headers["Content-Type"] == "image/gif"
    etag = answer.headers["ETag"]
    assert each_site.get("/media/a.gif", If_None_Match=etag).status == 304


@pytest.mark.parametrize("options", [{"compression": "gzip"}, {"deduplicate": True}])
def test_files_that_are_not_stored_as_they_are(each_site: Site, options: dict[str, Any]) -> None:
    each_site.configure(**options)
    content = random.Random(1).randbytes(1000) * 3000
    each_site.save("a.bin", content)
    each_site.save("b.bin", content)
    for name in ("a.bin", "b.bin"):
        answer = each_site.get(f"/media/{name}")
        assert (answer.status, answer.body == content) == (200, True)
        assert answer.headers["Content-Disposition"] == f'attachment; filename="{name}"'
        part = each_site.get(f"/media/{name}", Range="bytes=2000000-2000999")
        assert part.body == content[2000000:2001000]


@pytest.mark.parametrize("size", [1000, 3 * MB])
def test_encrypted_files(each_site: Site, settings: Any, size: int) -> None:
    """Served to those who may have them, while there is the key; else it is a clear error."""
    key = base64.b64encode(os.urandom(32)).decode()
    without = settings.DJONGO_SERVICES
    settings.DJONGO_SERVICES = {**without, "STORAGE": {"ENCRYPTION_KEYS": {"2024": key}}}
    each_site.configure(encryption="aes-gcm")
    content = os.urandom(size)
    each_site.save("a", content)
    answer = each_site.get("/media/a")
    assert answer.body == content
    assert answer.headers["Content-Length"] == str(size)
    assert each_site.get("/media/a", Range="bytes=500-599").body == content[500:600]
    each_site.close_clients()
    settings.DJONGO_SERVICES = {**without, "STORAGE": {"ENCRYPTION_KEYS": {"2025": key}}}
    each_site.configure()
    with pytest.raises(UnknownKey):
        each_site.get("/media/a")


def test_five_gigabytes(each_site: Site) -> None:
    """All but two chunks of it are nowhere, and are not missed where they are not asked for."""
    size, last = 5 * 1024 * MB, 5 * 1024 * MB // CHUNK
    document = {"length": size, "chunkSize": CHUNK, "filename": "a", "uploadDate": now()}
    files_id = each_site.bucket.files.insert_one(document).inserted_id
    content = os.urandom(CHUNK)
    for n, data in ((last - 1, content), (last, content[: size % CHUNK])):
        each_site.bucket.chunks.insert_one({"files_id": files_id, "n": n, "data": data})
    assert each_site.request("HEAD", "/media/a").headers["Content-Length"] == str(size)
    answer = each_site.get("/media/a", Range="bytes=-1000,5368500000-5368500099")
    end = size % CHUNK
    begin = 5368500000 - (last - 1) * CHUNK
    assert parts(answer) == [
        (f"bytes {size - 1000}-{size - 1}/{size}", content[end - 1000 : end]),
        (f"bytes 5368500000-5368500099/{size}", content[begin : begin + 100]),
    ]
    with pytest.raises(CorruptFile):
        each_site.get("/media/a")


def test_the_newest_revision_is_served(each_site: Site) -> None:
    each_site.configure(allow_overwrite=True, keep_revisions=True)
    for content in (b"first", b"second", b"third"):
        each_site.save("a", content)
    assert each_site.get("/media/a").body == b"third"


@pytest.mark.parametrize("size", [1000, 3 * MB])
def test_a_damaged_file_is_an_error(each_site: Site, size: int) -> None:
    """If a file is broken from its beginning, not a byte of it is sent."""
    for damage in ({"data": bytes(999)}, {"data": b""}, {"data": "text"}, {"n": 99}):
        stored = each_site.save("a", os.urandom(size))
        first = {"files_id": stored.id, "n": 0}
        each_site.bucket.chunks.update_one(first, {"$set": damage})
        with pytest.raises(CorruptFile):
            each_site.get(f"/media/{stored.filename}")


def test_bytes_that_are_not_those_of_the_checksum(each_site: Site) -> None:
    """Their number is right, so only the checksum differs: the last of them are not sent."""
    stored = each_site.save("a", bytes(5 * MB))
    each_site.bucket.chunks.update_one(
        {"files_id": stored.id, "n": 7}, {"$set": {"data": b"\1" * CHUNK}}
    )
    received: list[bytes] = []
    with pytest.raises(CorruptFile, match="checksum"):
        each_site.get("/media/a", into=received)
    assert 0 < sum(map(len, received)) < 5 * MB


def test_a_file_that_is_replaced_before_it_is_read(each_site: Site) -> None:
    """The file that was looked up is gone; the one that took its place is served."""
    each_site.save("a", b"old")
    replace = once(lambda: each_site.save("a", b"new"))
    each_site.configure(allow_overwrite=True, permission=replace)
    answer = each_site.get("/media/a")
    assert (answer.status, answer.body) == (200, b"new")


def test_a_file_that_is_deleted_before_it_is_read(each_site: Site) -> None:
    each_site.save("a", b"old")
    each_site.configure(permission=once(lambda: each_site.storage.delete("a")))
    assert each_site.get("/media/a").status == 404


def once(act: Callable[[], object]) -> Callable[..., bool]:
    """A permission hook, which is asked when the file was looked up and not read yet."""
    acts = [act]

    def hook(*asked: Any) -> bool:
        while acts:
            acts.pop()()
        return True

    return hook


@pytest.mark.parametrize("change", ["delete", "overwrite", "chunk"])
def test_a_file_that_changes_under_the_reader(each_site: Site, change: str) -> None:
    """Everything that was sent is from one file, and the response ends with an error."""
    each_site.configure(allow_overwrite=True)
    old, new = b"o" * (20 * MB), b"n" * (20 * MB)
    stored = each_site.save("a", old)

    def act() -> None:
        match change:
            case "delete":
                each_site.storage.delete("a")
            case "overwrite":
                each_site.save("a", new)
            case "chunk":
                each_site.bucket.chunks.delete_one({"files_id": stored.id, "n": 70})

    received: list[bytes] = []
    with pytest.raises(CorruptFile):
        each_site.get("/media/a", into=received, after_first=act)
    body = b"".join(received)
    assert 0 < len(body) < len(old)
    assert old.startswith(body)


def test_compressing_middleware_leaves_parts_alone(each_site: Site, settings: Any) -> None:
    settings.MIDDLEWARE = ["django.middleware.gzip.GZipMiddleware"]
    content = b"a" * (2 * MB)
    each_site.save("a.txt", content)
    part = each_site.get("/media/a.txt", Range="bytes=0-999999", Accept_Encoding="gzip")
    assert part.body == content[:1_000_000]
    assert part.headers["Content-Length"] == "1000000"
    whole = each_site.get("/media/a.txt", Accept_Encoding="gzip")
    assert whole.headers["Content-Encoding"] == "gzip"
    assert whole.headers["ETag"].startswith("W/")
    assert each_site.get("/media/a.txt", If_None_Match=whole.headers["ETag"]).status == 304


def test_other_middleware_of_django(each_site: Site, settings: Any) -> None:
    settings.MIDDLEWARE = [
        "django.middleware.security.SecurityMiddleware",
        "django.middleware.http.ConditionalGetMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.middleware.clickjacking.XFrameOptionsMiddleware",
    ]
    content = os.urandom(2 * MB)
    each_site.save("a", content)
    assert each_site.get("/media/a").body == content
    assert each_site.get("/media/a", Range="bytes=5-9").body == content[5:10]


def test_storages_by_alias_and_by_themselves(each_site: Site, settings: Any) -> None:
    settings.STORAGES = {
        **settings.STORAGES,
        "reports": {
            "BACKEND": "djongo_services.storage.GridFSStorage",
            "OPTIONS": {"bucket": "reports", "base_url": "/reports/"},
        },
    }
    scans = GridFSStorage(bucket="scans", location="deep/inside", base_url="/scans/")
    each_site.serve(
        path("reports/", include(urlpatterns_for("reports"))),
        path("scans/<path:name>", serve_view(scans), name="scan"),
    )
    storages["reports"].save("a.txt", ContentFile(b"a report"))
    scans.save("2024/a.txt", ContentFile(b"a scan"))
    assert each_site.get(storages["reports"].url("a.txt")).body == b"a report"
    assert each_site.get(scans.url("2024/a.txt")).body == b"a scan"
    assert reverse("reports-file", kwargs={"name": "x/y"}) == "/reports/x/y"
    assert reverse("scan", kwargs={"name": "x/y"}) == "/scans/x/y"
    assert each_site.get("/scans/../a.txt").status == 404


def test_a_storage_that_has_no_bucket(each_site: Site, settings: Any) -> None:
    settings.STORAGES = {
        **settings.STORAGES,
        "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
    }
    with pytest.raises(ImproperlyConfigured) as raised:
        each_site.get("/media/a")
    assert str(raised.value) == (
        "STORAGES['default'] is of InMemoryStorage, whose files are in no bucket; make it a "
        "djongo_services.storage.GridFSStorage, or serve them in another way."
    )


def test_ids_do_not_matter(each_site: Site) -> None:
    for id in (ObjectId(), 5, "text", b"bytes", {"a": 1}):
        each_site.bucket.upload(f"{type(id).__name__}", b"content", id=id)
        assert each_site.get(f"/media/{type(id).__name__}").body == b"content"


@pytest.mark.parametrize("compression", ["gzip", "zstd"])
def test_ranges_of_a_compressed_file(each_site: Site, compression: str) -> None:
    """Each would be read from the beginning of the file; so several are all of it, read once."""
    each_site.configure(compression=compression)
    content = random.Random(2).randbytes(3 * MB)
    each_site.save("a.bin", content)
    many = ", ".join(f"{at}-{at}" for at in range(0, 3 * MB, 3 * MB // 63))
    with each_site.commands() as sent:
        answer = each_site.get("/media/a.bin", Range=f"bytes={many}")
    assert (answer.status, answer.body == content) == (200, True)
    whole = len(sent)
    with each_site.commands() as sent:
        each_site.get("/media/a.bin")
    assert whole <= len(sent) + 1
    one = each_site.get("/media/a.bin", Range="bytes=-2")
    assert (one.status, one.body) == (206, content[-2:])
    together = each_site.get("/media/a.bin", Range="bytes=0-9, 5-19")
    assert (together.status, together.body) == (206, content[:20])
    beyond = each_site.get("/media/a.bin", Range=f"bytes={3 * MB}-")
    assert beyond.status == 416


def test_ranges_of_an_encrypted_file(each_site: Site, settings: Any) -> None:
    key = base64.b64encode(os.urandom(32)).decode()
    settings.DJONGO_SERVICES = {
        **settings.DJONGO_SERVICES,
        "STORAGE": {"ENCRYPTION_KEYS": {"k": key}},
    }
    each_site.configure(encryption=True)
    each_site.save("a.bin", b"x" * MB)
    assert each_site.get("/media/a.bin", Range="bytes=0-0, 500000-500000").status == 206
