"""A response that streams a content and frees what it reads from when it ends, however it ends."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Generator

from django.http import StreamingHttpResponse

from djongo_services.storage.serving.content import Content

Source = Generator[bytes, None, None] | AsyncGenerator[bytes, None]


class FileStream(StreamingHttpResponse):
    """Django closes a sync source with the response, and an async one not at all."""

    def __init__(self, content: Content, source: Source) -> None:
        super().__init__(source, status=content.status, headers=content.headers)
        self._source = source

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for piece in super().__aiter__():
                yield piece
        finally:
            if not isinstance(self._source, Generator):
                await self._source.aclose()
