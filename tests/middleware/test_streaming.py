"""Streaming responses: consumed outside of the view's transaction, with or without its session."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from django.http import HttpRequest, StreamingHttpResponse
from django.urls import path

from djongo_services.middleware import streamed
from djongo_services.transaction import in_atomic_block
from djongo_services.transaction.causal_consistency import CLOCKS
from tests.middleware.conftest import Site
from tests.middleware.test_safe_methods import Commands, commands
from tests.middleware.views import Boom, athings, things

__all__ = ["commands"]

Written = Callable[..., int]


def rows() -> Iterator[str]:
    for document in things().find(batch_size=2):
        yield f"{document.get('n', '-')}{'T' if in_atomic_block() else ''} "


async def arows() -> AsyncIterator[str]:
    async for document in athings().find(batch_size=2):
        yield f"{document.get('n', '-')}{'T' if in_atomic_block() else ''} "


def test_the_stream_is_outside_of_the_transaction(each_site: Site, written: Written) -> None:
    def view(request: HttpRequest) -> StreamingHttpResponse:
        things().insert_one({"n": 1})
        return StreamingHttpResponse(rows())

    each_site.serve(path("", view))
    assert read(each_site.post("/")) == b"- 1 "
    assert written() == 1


def test_a_failure_of_the_stream_undoes_nothing(site: Site, written: Written) -> None:
    def failing() -> Iterator[bytes]:
        yield b"a"
        raise Boom

    def view(request: HttpRequest) -> StreamingHttpResponse:
        things().insert_one({"n": 1})
        return StreamingHttpResponse(failing())

    site.serve(path("", view))
    with pytest.raises(Boom):
        read(site.post("/"))
    assert written() == 1


def test_a_held_session_is_consistent_with_the_view(each_site: Site, commands: Commands) -> None:
    def view(request: HttpRequest) -> StreamingHttpResponse:
        things().insert_one({"n": 1})
        return StreamingHttpResponse(streamed(rows()))

    each_site.serve(path("", view))
    assert read(each_site.post("/")) == b"- 1 "
    find = next(command for command in commands.sent if "find" in command)
    assert "afterClusterTime" in find["readConcern"]
    assert CLOCKS.get() is None


def test_between_the_steps_nothing_of_it_is_left(site: Site) -> None:
    steps = streamed(rows())
    next(steps)
    assert CLOCKS.get() is None
    steps.close()  # type: ignore[attr-defined]  # a generator


async def test_a_stream_of_an_async_view(configured: None, settings: Any) -> None:
    from djongo_services.connections import connections

    things().insert_many([{"n": number} for number in range(5)])
    try:
        steps = streamed(arows())
        assert [chunk async for chunk in steps] == ["- ", "0 ", "1 ", "2 ", "3 ", "4 "]
        assert CLOCKS.get() is None
    finally:
        await connections["default"].aclose()


def test_a_stream_of_one_moment(site: Site, commands: Commands) -> None:
    things().insert_many([{"n": number} for number in range(3)])

    def view(request: HttpRequest) -> StreamingHttpResponse:
        def counts() -> Iterator[str]:
            for _ in range(3):
                yield f"{things().count_documents({})} "

        return StreamingHttpResponse(streamed(counts(), snapshot=True))

    site.serve(path("", view))
    response: Any = site.get("/")
    chunks = iter(response.streaming_content)
    first = next(chunks)
    things().insert_one({})
    assert [first, *chunks] == [b"4 "] * 3


def read(response: Any) -> bytes:
    if not response.is_async:
        return b"".join(response.streaming_content)
    raise AssertionError("these streams are plain")
