"""A site of a test's own views whose uploads go to the test's own bucket."""

from __future__ import annotations

import asyncio
import types
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import pytest
from django.core.files.storage import storages
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import HttpRequest, HttpResponse
from django.test import AsyncClient, Client
from django.urls import clear_url_caches, path
from pymongo.database import Database

from djongo_services.connections import connections
from djongo_services.storage import GridFSStorage

HANDLER = "djongo_services.storage.uploads.GridFSUploadHandler"
TRANSACTIONS = "djongo_services.middleware.MongoTransactionMiddleware"
View = Callable[[Any], HttpResponse | None]


@dataclass
class Site:
    """Answers requests as a server of the given kind would."""

    settings: Any
    database: Database[Any]
    stack: Literal["sync", "async"] = "sync"

    @property
    def storage(self) -> GridFSStorage:
        found: Any = storages["default"]
        return found

    def configure(self, **options: Any) -> GridFSStorage:
        """The options of the storage that uploads go to, and in which views save."""
        self.settings.STORAGES = {
            **self.settings.STORAGES,
            "default": {"BACKEND": "djongo_services.storage.GridFSStorage", "OPTIONS": options},
        }
        return self.storage

    def limit(self, **uploads: Any) -> None:
        """``STORAGE["UPLOADS"]``."""
        self.settings.DJONGO_SERVICES = {
            **self.settings.DJONGO_SERVICES,
            "STORAGE": {"UPLOADS": uploads},
        }

    def serve(self, view: Any) -> None:
        module = types.ModuleType("urls_of_a_test")
        module.urlpatterns = [path("", view)]  # type: ignore[attr-defined]  # a URLconf
        self.settings.ROOT_URLCONF = module
        clear_url_caches()

    def post(self, *files: tuple[str, bytes], **options: Any) -> Any:
        """Files of the field ``file``: (name, content) each."""
        sent = [SimpleUploadedFile(name, content, "image/png") for name, content in files]
        return self.post_form({"file": sent}, **options)

    def post_form(self, data: dict[str, Any], **options: Any) -> Any:
        if self.stack == "sync":
            return Client(raise_request_exception=False).post("/", data, **options)
        return asyncio.run(self._apost(data, **options))

    async def _apost(self, data: dict[str, Any], **options: Any) -> Any:
        try:
            client = AsyncClient(raise_request_exception=False)
            return await client.post("/", data, **options)
        finally:
            for alias in connections:
                await connections[alias].aclose()

    def count(self, kind: str, bucket: str = "fs") -> int:
        """Documents of ``files``, ``chunks`` or ``uploads``, as everybody else sees them."""
        return self.database[f"{bucket}.{kind}"].count_documents({})

    @property
    def counts(self) -> dict[str, int]:
        return {kind: self.count(kind) for kind in ("files", "chunks", "uploads")}


NOTHING = {"files": 0, "chunks": 0, "uploads": 0}


def calling(work: Callable[[HttpRequest], Any]) -> Any:
    """A view that does ``work`` and answers what it gives."""

    def view(request: HttpRequest) -> HttpResponse:
        return work(request) or HttpResponse("done")

    return view


@pytest.fixture
def site(settings: Any, database: Database[Any], connected: Database[Any]) -> Site:
    """A sync stack (WSGI) on which a temporary file cannot be made."""
    return site_on(settings, database, "sync")


@pytest.fixture(params=["sync", "async"])
def each_site(
    request: pytest.FixtureRequest,
    settings: Any,
    database: Database[Any],
    connected: Database[Any],
) -> Site:
    return site_on(settings, database, request.param)


def site_on(settings: Any, database: Database[Any], stack: Any) -> Site:
    settings.FILE_UPLOAD_HANDLERS = [HANDLER]
    settings.FILE_UPLOAD_TEMP_DIR = "/nowhere/at/all"
    settings.MIDDLEWARE = []
    settings.STORAGES = dict(settings.STORAGES)
    site = Site(settings, database, stack)
    site.configure()
    return site
