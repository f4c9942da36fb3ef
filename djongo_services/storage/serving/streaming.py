"""A response that streams a content, and frees what it reads from however it ends."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Generator
from itertools import chain
from typing import Any

from django.http import StreamingHttpResponse

from djongo_services.storage.serving.content import Content


class FileStream(StreamingHttpResponse):
    """Django would leave an async source to the garbage collector.

    :param first: what was read of the source already.
    """

    def __init__(
        self,
        content: Content,
        first: bytes,
        source: Generator[bytes, None, None] | AsyncGenerator[bytes, None],
    ) -> None:
        started: Any = (
            chain([first], source) if isinstance(source, Generator) else _achain(first, source)
        )
        super().__init__(started, status=content.status, headers=content.headers)
        self._source = source

    def close(self) -> None:
        if isinstance(self._source, Generator):
            self._source.close()
        super().close()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for piece in super().__aiter__():
                yield piece
        finally:
            if not isinstance(self._source, Generator):
                await self._source.aclose()


async def _achain(first: bytes, source: AsyncGenerator[bytes, None]) -> AsyncIterator[bytes]:
    if first:
        yield first
    async for piece in source:
        yield piece
