"""A site of a test's own views behind the middleware, on the test's own database."""

from __future__ import annotations

import asyncio
import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import pytest
from django.http import HttpResponse
from django.test import AsyncClient, Client
from django.urls import URLPattern, clear_url_caches
from pymongo.database import Database

from djongo_services.connections import connections
from tests.databases import drop
from tests.middleware import views
from tests.transaction.conftest import entry, open_transactions

OURS = "djongo_services.middleware.MongoTransactionMiddleware"
Stack = Literal["sync", "async"]


@dataclass
class Site:
    """Answers requests as a server of the given kind would."""

    settings: Any
    stack: Stack = "sync"

    def serve(self, *patterns: URLPattern) -> None:
        module = types.ModuleType("urls_of_a_test")
        module.urlpatterns = list(patterns)  # type: ignore[attr-defined]  # a URLconf
        self.settings.ROOT_URLCONF = module
        clear_url_caches()

    def configure(self, **middleware: Any) -> None:
        """``TRANSACTION["MIDDLEWARE"]``."""
        self.settings.DJONGO_SERVICES = {
            **self.settings.DJONGO_SERVICES,
            "TRANSACTION": {"MIDDLEWARE": middleware},
        }

    def use(self, *inner: str, ours: bool = True) -> None:
        """Use the middleware within the package's own."""
        self.settings.MIDDLEWARE = [*([OURS] if ours else []), *inner]

    def request(
        self, method: str, path: str, *, cookies: dict[str, str] | None = None, **options: Any
    ) -> HttpResponse:
        if self.stack == "sync":
            client = Client(raise_request_exception=False)
            client.cookies.load(cookies or {})
            return getattr(client, method)(path, **options)
        return asyncio.run(self._arequest(method, path, cookies or {}, **options))

    def post(self, path: str, **options: Any) -> HttpResponse:
        return self.request("post", path, **options)

    def get(self, path: str, **options: Any) -> HttpResponse:
        return self.request("get", path, **options)

    async def _arequest(
        self, method: str, path: str, cookies: dict[str, str], **options: Any
    ) -> HttpResponse:
        try:
            client = AsyncClient(raise_request_exception=False)
            client.cookies.load(cookies)
            return await getattr(client, method)(path, **options)
        finally:
            for alias in connections:
                await connections[alias].aclose()


@pytest.fixture
def configured(settings: Any, database: Database[Any]) -> Iterator[None]:
    settings.DJONGO_SERVICES = {
        "CONNECTIONS": {
            "default": entry(database),
            "second": {**entry(database), "NAME": f"{database.name}_2"},
        }
    }
    settings.MIDDLEWARE = [OURS]
    views.things().insert_one({"by": "fixture"})
    views.things("second").insert_one({"by": "fixture"})
    yield
    assert open_transactions(database.client) == 0
    connections.close_all()
    drop(database.client[f"{database.name}_2"])


@pytest.fixture
def site(settings: Any, configured: None) -> Site:
    """A sync stack (WSGI)."""
    return Site(settings)


@pytest.fixture(params=["sync", "async"])
def each_site(request: pytest.FixtureRequest, settings: Any, configured: None) -> Site:
    """A sync stack and an async one (ASGI)."""
    return Site(settings, request.param)


@pytest.fixture
def written(database: Database[Any]) -> Callable[..., int]:
    """How many documents views have left behind, as everybody else sees it."""

    def count(alias: str = "default") -> int:
        name = database.name if alias == "default" else f"{database.name}_2"
        return database.client[name].things.count_documents({}) - 1

    return count
