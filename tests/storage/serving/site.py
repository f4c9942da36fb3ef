"""A site that serves stored files, asked as a server of either kind asks it."""

from __future__ import annotations

import asyncio
import types
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

from django.core.files.base import ContentFile
from django.core.files.storage import storages
from django.test import AsyncClient, Client
from django.urls import clear_url_caches

from djongo_services.connections import connections
from djongo_services.storage import GridFSStorage
from djongo_services.storage.bucket import Bucket, StoredFile

Stack = Literal["sync", "async"]


@dataclass(frozen=True, kw_only=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes
    is_streamed: bool
    is_async: bool


@dataclass
class Site:
    """Under WSGI ("sync") or ASGI ("async")."""

    stack: Stack
    settings: Any
    """pytest-django's."""
    sent: list[str] = field(default_factory=list)
    """Commands and their collections, such as ``find fs.files``."""
    loop: asyncio.Runner = field(default_factory=asyncio.Runner)
    """The loop of all requests under ASGI; a server has one, too."""

    def close(self) -> None:
        self.close_clients()
        self.loop.close()

    def close_clients(self) -> None:
        self.loop.run(_close_clients())

    def configure(self, **options: Any) -> None:
        """The options of ``STORAGES["default"]``."""
        default = {"BACKEND": "djongo_services.storage.GridFSStorage", "OPTIONS": options}
        self.settings.STORAGES = {**self.settings.STORAGES, "default": default}

    def serve(self, *patterns: Any) -> None:
        module = types.ModuleType("urls_of_a_test")
        module.urlpatterns = list(patterns)  # type: ignore[attr-defined]  # a URLconf
        self.settings.ROOT_URLCONF = module
        clear_url_caches()

    @property
    def storage(self) -> GridFSStorage:
        found: Any = storages["default"]
        return found

    @property
    def bucket(self) -> Bucket:
        return self.storage.bucket

    def save(self, name: str, content: bytes) -> StoredFile:
        return self.storage.stored(self.storage.save(name, ContentFile(content)))

    @contextmanager
    def commands(self) -> Iterator[list[str]]:
        """Those that are sent in the block."""
        sent: list[str] = []
        before = len(self.sent)
        yield sent
        sent += self.sent[before:]

    def get(self, path: str, **options: Any) -> Answer:
        return self.request("GET", path, **options)

    def request(
        self,
        method: str,
        path: str,
        *,
        into: list[bytes] | None = None,
        after_first: Callable[[], object] = lambda: None,
        **headers: str,
    ) -> Answer:
        """``If_Match="*"`` is sent as ``If-Match: *``.

        ``into`` takes the pieces of a stream as they come, and ``after_first`` is called after the
        first of them.
        """
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        taking = _Taking([] if into is None else into, after_first)
        if self.stack == "sync":
            return self._request(method, path, named, taking)
        return self.loop.run(self._arequest(method, path, named, taking))

    def _request(self, method: str, path: str, headers: dict[str, str], taking: _Taking) -> Answer:
        response: Any = Client().generic(method, path, headers=headers)
        if not response.streaming:
            return _answer(response, response.content)
        for piece in response.streaming_content:
            taking.take(piece)
        return _answer(response, b"".join(taking.into))

    async def _arequest(
        self, method: str, path: str, headers: dict[str, str], taking: _Taking
    ) -> Answer:
        response: Any = await AsyncClient().generic(method, path, headers=headers)
        if not response.streaming:
            return _answer(response, response.content)
        async for piece in response.streaming_content:
            await asyncio.to_thread(taking.take, piece)
        return _answer(response, b"".join(taking.into))


@dataclass
class _Taking:
    into: list[bytes]
    after_first: Callable[[], object]

    def take(self, piece: bytes) -> None:
        self.into.append(piece)
        if len(self.into) == 1:
            self.after_first()


async def _close_clients() -> None:
    for connection in connections.all():
        await connection.aclose()


def _answer(response: Any, body: bytes) -> Answer:
    return Answer(
        status=response.status_code,
        headers=dict(response.items()),
        body=body,
        is_streamed=response.streaming,
        is_async=getattr(response, "is_async", False),
    )
