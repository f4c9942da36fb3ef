"""For any request, the answer is a part of the file, the file, or a refusal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from djongo_services.storage.serving import signed_url
from tests.storage.serving.site import Site, Stack

CONTENT = bytes(range(256)) * 4
NAME = "a file.bin"

many = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
# What a server lets through: headers are Latin-1 without line ends, URLs are ASCII.
values = st.text(st.characters(max_codepoint=255, exclude_characters="\r\n\0"), max_size=40)
numbers = st.one_of(st.integers(0, 1100).map(str), st.sampled_from(["", "-", "9" * 30, "0x1", "²"]))
ranges = st.lists(st.builds("{}-{}".format, numbers, numbers), max_size=5).map(
    lambda specs: f"bytes={','.join(specs)}"
)
dates = st.sampled_from(
    [
        "Tue, 16 Jan 2024 00:00:00 GMT",
        "Tue, 16 Jan 9999 00:00:00 GMT",
        "Fri, 31 Dec 0000 23:59:60 GMT",
        "Tue, 99 Foo 20 00:00:00 +9999",
    ]
)
tags = st.one_of(values, st.sampled_from(["*", '"', 'W/"a"', '"a", "b"', ","]))
headers = st.fixed_dictionaries(
    {},
    optional={
        "Range": st.one_of(values, ranges),
        "If_Range": st.one_of(values, tags, dates),
        "If_Match": tags,
        "If_None_Match": tags,
        "If_Modified_Since": st.one_of(values, dates),
        "If_Unmodified_Since": st.one_of(values, dates),
        "Accept_Encoding": values,
    },
)


@pytest.fixture
def public(make_site: Callable[[Stack], Site]) -> Site:
    site = make_site("sync")
    site.configure(base_url="/media/")
    site.save(NAME, CONTENT)
    return site


@pytest.fixture
def private(make_site: Callable[[Stack], Site]) -> Site:
    site = make_site("sync")
    site.configure(private=True, base_url="/media/")
    site.save(NAME, CONTENT)
    return site


def parts(answer: Any) -> Iterator[bytes]:
    """Those of a response to one range or to several."""
    kind = answer.headers["Content-Type"]
    if not kind.startswith("multipart/byteranges"):
        yield answer.body
        return
    boundary = kind.partition("boundary=")[2].encode()
    for part in answer.body.split(b"--" + boundary)[1:-1]:
        yield part.partition(b"\r\n\r\n")[2].removesuffix(b"\r\n")


@many
@given(asked=headers)
def test_any_headers(public: Site, asked: dict[str, str]) -> None:
    answer = public.get(f"/media/{quote(NAME)}", **asked)
    match answer.status:
        case 200:
            assert answer.body == CONTENT
        case 206:
            assert all(part in CONTENT for part in parts(answer))
            assert len(answer.body) == int(answer.headers["Content-Length"])
        case status:
            assert status in (304, 412, 416)
            assert answer.body == b""


@many
@given(path=st.text(st.characters(exclude_categories=["Cs"]), max_size=30), raw=st.binary())
def test_any_address(public: Site, path: str, raw: bytes) -> None:
    """Bytes that are not UTF-8 are included."""
    for address in (quote(path), quote(raw)):
        status = public.get(f"/media/{address}").status
        assert status in (200, 301, 302, 400, 404), address


@many
@given(data=st.data())
def test_any_signature(private: Site, data: st.DataObject) -> None:
    """One character more, less or other, and the file is not served."""
    url = urlsplit(signed_url(private.storage, NAME, expires=300))
    good = url.query
    start = data.draw(st.integers(0, len(good)))
    stop = data.draw(st.integers(start, min(start + 3, len(good))))
    new = data.draw(st.text(st.characters(exclude_categories=["Cs"]), max_size=4))
    query = good[:start] + quote(new) + good[stop:]
    answer = private.get(f"{url.path}?{query}")
    if query == good:
        assert (answer.status, answer.body) == (200, CONTENT)
    elif answer.status == 200:
        # A parameter beside the signature, or the same written otherwise.
        assert signature(query) == signature(good)
    else:
        assert answer.status == 403
        assert CONTENT not in answer.body


def signature(query: str) -> str:
    from django.http import QueryDict

    return QueryDict(query).get("signature", "")


@many
@given(text=st.text(st.characters(exclude_categories=["Cs"]), max_size=60))
def test_anything_in_the_place_of_a_signature(private: Site, text: str) -> None:
    address = f"/media/{quote(NAME)}"
    assert private.get(f"{address}?signature={quote(text)}").status == 403
