"""The headers that browsers get for a file, for any name and any metadata."""

from __future__ import annotations

import pytest
from django.http import HttpResponse
from hypothesis import given
from hypothesis import strategies as st

from djongo_services.storage.serving import policy


@pytest.mark.parametrize(
    ("declared", "name", "expected"),
    [
        ("image/png", "a.txt", "image/png"),
        ("Image/PNG", "a", "image/png"),
        ("text/plain; charset=utf-8", "a", "text/plain; charset=utf-8"),
        ('text/plain;charset="utf-8"', "a", 'text/plain;charset="utf-8"'),
        ("", "a.png", "image/png"),
        ("", "a", "application/octet-stream"),
        ("", "a.tar.gz", "application/gzip"),
        ("", "a.svgz", "application/gzip"),
        ("image", "a.png", "image/png"),
        ("image/png\r\nSet-Cookie: a=b", "a.png", "image/png"),
        ("image/png; a\r\nSet-Cookie: a=b", "a.gif", "image/png"),
        ("image/png, text/html", "a.gif", "image/gif"),
        ("bild/grün", "a.gif", "image/gif"),
        ("image/png;" + "a" * 300, "a.gif", "image/gif"),
    ],
)
def test_content_type(declared: str, name: str, expected: str) -> None:
    assert policy.content_type_of(declared, name) == expected


@pytest.mark.parametrize("shown", ["image/png", "IMAGE/PNG", "text/plain; charset=utf-8"])
def test_harmless_types_are_shown(shown: str) -> None:
    assert policy.is_inline(shown)


ACTIVE = [
    "text/html",
    "text/html; charset=utf-8",
    "Text/HTML ",
    "application/xhtml+xml",
    "image/svg+xml",
    "image/svg+xml;charset=utf-8",
    "text/xml",
    "application/xml",
    "application/rss+xml",
    "application/xslt+xml",
    "text/javascript",
    "application/javascript",
    "application/x-javascript",
    "text/ecmascript",
    "text/jscript",
    "text/livescript",
    "text/javascript1.5",
    "text/x-javascript",
    "multipart/related",
    "multipart/x-mixed-replace",
    "message/rfc822",
    "application/x-shockwave-flash",
    "application/hta",
    "text/x-component",
    "text/xsl",
]


@pytest.mark.parametrize("active", ACTIVE)
def test_active_types_are_never_shown(active: str) -> None:
    """Not even where the project allows them."""
    essence = active.partition(";")[0].strip().lower()
    assert not policy.is_inline(active)
    assert not policy.is_inline(active, frozenset({essence, active}))


def test_the_project_chooses_what_is_shown() -> None:
    allowed = frozenset({"application/pdf"})
    assert policy.is_inline("application/pdf", allowed)
    assert not policy.is_inline("image/png", allowed)
    assert not policy.is_inline("image/png", frozenset())
    assert not policy.is_inline("application/pdf")
    assert not policy.is_inline("application/octet-stream")


def test_files_are_sandboxed() -> None:
    for inline in (False, True):
        for kind in ("text/plain", "image/png", "text/html", "image/svg+xml"):
            assert policy.security_policy(kind, inline=inline) == "sandbox; default-src 'none'"
    assert policy.security_policy("video/mp4", inline=False) == "sandbox; default-src 'none'"


@pytest.mark.parametrize("kind", ["video/mp4", "audio/ogg; codecs=opus", "application/pdf"])
def test_players_that_the_project_shows_can_work(kind: str) -> None:
    """Chromium plays no media in a sandbox, whose origin it is not."""
    allowed = frozenset({kind.partition(";")[0]})
    assert policy.is_inline(kind, allowed)
    policies = policy.security_policy(kind, inline=True).split("; ")
    assert {"default-src 'none'", "media-src 'self'", "object-src 'self'"} <= set(policies)
    assert not any("script" in each or "sandbox" in each for each in policies)


@pytest.mark.parametrize(
    ("name", "inline", "expected"),
    [
        ("2024/a.png", True, 'inline; filename="a.png"'),
        ("a b.zip", False, 'attachment; filename="a b.zip"'),
        ('say "hi".txt', False, r'attachment; filename="say \"hi\".txt"'),
        ("a;b.txt", False, 'attachment; filename="a;b.txt"'),
        ("Größe €.pdf", False, "attachment; filename*=utf-8''Gr%C3%B6%C3%9Fe%20%E2%82%AC.pdf"),
        ("a\\b.txt", False, 'attachment; filename="b.txt"'),
        ("a\r\nX: y.txt", False, 'attachment; filename="a__X: y.txt"'),
        ("invoice\u202egpj.exe", False, 'attachment; filename="invoice_gpj.exe"'),
        (".htaccess", False, 'attachment; filename="htaccess"'),
        ("a. ", False, 'attachment; filename="a"'),
        ("..", False, 'attachment; filename="file"'),
        (
            "می‌خواهم.txt",
            True,
            "inline; filename*=utf-8''%D9%85%DB%8C%E2%80%8C%D8%AE%D9%88%D8%A7%D9%87%D9%85.txt",
        ),
    ],
)
def test_content_disposition(name: str, inline: bool, expected: str) -> None:
    assert policy.content_disposition(name, inline=inline) == expected


@given(st.text(st.characters(), max_size=50), st.text(max_size=50))
def test_any_name_and_type_make_headers(name: str, declared: str) -> None:
    response = HttpResponse()
    response["Content-Disposition"] = policy.content_disposition(name, inline=False)
    response["Content-Type"] = policy.content_type_of(declared, name)
    for value in response.headers.values():
        assert value.isascii()
        assert value.isprintable()
    assert "/" not in policy.safe_filename(name)
