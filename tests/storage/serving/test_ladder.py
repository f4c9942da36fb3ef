"""The answer to a request, before anything of the file is read."""

from __future__ import annotations

import re
from dataclasses import replace
from email.utils import formatdate
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import RequestFactory

from djongo_services.storage.serving.byteranges import Content
from djongo_services.storage.serving.conditional import Representation, answer

ETAG = '"' + "ab" * 32 + '"'
OTHER = '"' + "cd" * 32 + '"'
MODIFIED = 1_700_000_000
THEN, BEFORE, AFTER = (formatdate(MODIFIED + seconds, usegmt=True) for seconds in (0, -60, 60))
FILE = Representation(
    name="a.png",
    size=1000,
    etag=ETAG,
    last_modified=MODIFIED,
    content_type="image/png",
    cache_control="public, max-age=60",
)


def ask(found: Representation = FILE, method: str = "GET", **headers: str) -> Any:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return answer(RequestFactory().generic(method, "/", headers=named), found)


def status(method: str = "GET", **headers: Any) -> int:
    answered = ask(method=method, **headers)
    code: int = answered.status if isinstance(answered, Content) else answered.status_code
    return code


def test_the_whole_file() -> None:
    answered = ask()
    assert (answered.status, answered.length, answered.is_whole) == (200, 1000, True)
    assert answered.headers == {
        "Content-Type": "image/png",
        "Content-Length": "1000",
        "Content-Disposition": 'inline; filename="a.png"',
        "ETag": ETAG,
        "Last-Modified": THEN,
        "Accept-Ranges": "bytes",
        "Cache-Control": "public, max-age=60",
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "sandbox; default-src 'none'",
    }


def test_head_is_answered_without_content() -> None:
    answered = ask(method="HEAD", Range="bytes=0-9")
    assert isinstance(answered, HttpResponse)
    assert (answered.status_code, answered.content) == (200, b"")
    assert dict(answered.items()) == ask().headers


def test_no_shared_cache_keeps_a_private_file() -> None:
    private = replace(FILE, is_private=True)
    assert cache_control(private) == {"max-age=60", "private"}
    assert cache_control(replace(private, cache_control="max-age=5")) == {"max-age=5", "private"}


def test_unless_the_project_says_otherwise() -> None:
    """Caches ask again each time, and keep nothing that is private."""
    silent = replace(FILE, cache_control="")
    assert cache_control(silent) == {"no-cache"}
    assert cache_control(replace(silent, is_private=True)) == {"no-store", "private"}


def cache_control(found: Representation) -> set[str]:
    return set(ask(found).headers["Cache-Control"].split(", "))


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"If_None_Match": ETAG}, 304),
        ({"If_None_Match": f"W/{ETAG}"}, 304),
        ({"If_None_Match": f"{OTHER}, {ETAG}"}, 304),
        ({"If_None_Match": "*"}, 304),
        ({"If_None_Match": OTHER}, 200),
        ({"If_None_Match": "garbage"}, 200),
        ({"If_Modified_Since": THEN}, 304),
        ({"If_Modified_Since": AFTER}, 304),
        ({"If_Modified_Since": BEFORE}, 200),
        ({"If_Modified_Since": "garbage"}, 200),
        ({"If_None_Match": OTHER, "If_Modified_Since": AFTER}, 200),
        ({"If_Match": ETAG}, 200),
        ({"If_Match": "*"}, 200),
        ({"If_Match": OTHER}, 412),
        ({"If_Match": f"W/{ETAG}"}, 412),
        ({"If_Unmodified_Since": THEN}, 200),
        ({"If_Unmodified_Since": BEFORE}, 412),
        ({"If_Match": ETAG, "If_Unmodified_Since": BEFORE}, 200),
        ({"If_Match": OTHER, "If_None_Match": ETAG}, 412),
        ({"If_Match": ETAG, "If_None_Match": ETAG}, 304),
        ({"Range": "bytes=0-9"}, 206),
        ({"Range": "bytes=2000-"}, 416),
        ({"Range": "bytes=2000-", "If_None_Match": ETAG}, 304),
        ({"Range": "bytes=0-9", "If_Match": OTHER}, 412),
        ({"Range": "bytes=9-0"}, 200),
        ({"If_Range": ETAG}, 200),
        ({"Range": "bytes=0-9", "If_Range": ETAG}, 206),
        ({"Range": "bytes=0-9", "If_Range": OTHER}, 200),
        ({"Range": "bytes=0-9", "If_Range": f"W/{ETAG}"}, 200),
        ({"Range": "bytes=0-9", "If_Range": f"{ETAG}, {OTHER}"}, 200),
        ({"Range": "bytes=0-9", "If_Range": THEN}, 206),
        ({"Range": "bytes=0-9", "If_Range": BEFORE}, 200),
        ({"Range": "bytes=0-9", "If_Range": AFTER}, 200),
        ({"Range": "bytes=0-9", "If_Range": "garbage"}, 200),
        ({"Range": "bytes=0-9", "If_Range": ""}, 200),
        ({"Range": "bytes=2000-", "If_Range": OTHER}, 200),
    ],
)
def test_conditions_in_their_order(headers: dict[str, str], expected: int) -> None:
    assert status(**headers) == expected
    if "Range" not in headers:
        assert status("HEAD", **headers) == expected


def test_not_modified_says_what_caches_update() -> None:
    answered = ask(If_None_Match=ETAG)
    kept = {"ETag": ETAG, "Last-Modified": THEN, "Cache-Control": "public, max-age=60"}
    assert kept.items() <= dict(answered.items()).items()
    assert answered.content == b""


def test_not_modified_keeps_the_policy_of_the_file() -> None:
    """Otherwise browsers would replace it by the site's policy."""
    for header in ("Content-Security-Policy", "X-Content-Type-Options"):
        assert ask(If_None_Match=ETAG).headers[header] == ask().headers[header]


def test_one_range() -> None:
    answered = ask(Range="bytes=-10")
    assert (answered.status, answered.length, answered.is_whole) == (206, 10, False)
    assert answered.headers["Content-Range"] == "bytes 990-999/1000"
    assert answered.headers["Content-Length"] == "10"
    assert answered.headers["Content-Type"] == "image/png"
    assert answered.headers["ETag"] == ETAG


def test_several_ranges() -> None:
    answered = ask(Range="bytes=0-9,500-509")
    kind = re.fullmatch(r"multipart/byteranges; boundary=(\w+)", answered.headers["Content-Type"])
    assert kind is not None
    assert "Content-Range" not in answered.headers
    body = b"".join(
        step if isinstance(step, bytes) else b"x" * step.length for step in answered.steps
    )
    assert body.decode() == (
        f"\r\n--{kind[1]}\r\nContent-Type: image/png\r\nContent-Range: bytes 0-9/1000\r\n\r\n"
        f"xxxxxxxxxx\r\n--{kind[1]}\r\nContent-Type: image/png\r\n"
        f"Content-Range: bytes 500-509/1000\r\n\r\nxxxxxxxxxx\r\n--{kind[1]}--\r\n"
    )
    assert int(answered.headers["Content-Length"]) == answered.length == len(body)


def test_the_boundary_cannot_be_known_before() -> None:
    kinds = {ask(Range="bytes=0-9,500-509").headers["Content-Type"] for _ in range(5)}
    assert len(kinds) == 5


def test_nothing_of_the_range() -> None:
    answered = ask(Range="bytes=1000-")
    assert answered.status_code == 416
    assert answered.headers["Content-Range"] == "bytes */1000"
    assert answered.content == b""


def test_a_part_is_not_to_be_compressed() -> None:
    answered = ask(Range="bytes=0-9", Accept_Encoding="br, gzip;q=0.5")
    assert answered.headers["Content-Encoding"] == "identity"
    assert "Content-Encoding" not in ask(Range="bytes=0-9").headers
    assert "Content-Encoding" not in ask(Accept_Encoding="gzip").headers


def test_what_may_run_is_for_keeping() -> None:
    page = replace(FILE, name="a.html", content_type="text/html")
    assert ask(page).headers["Content-Disposition"] == 'attachment; filename="a.html"'
