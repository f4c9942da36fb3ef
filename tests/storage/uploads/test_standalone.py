"""Uploads on a server without transactions, where a rollback undoes nothing."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from pymongo import MongoClient

from djongo_services.connections import connections
from djongo_services.transaction import atomic
from tests.storage.uploads.conftest import NOTHING, calling, site_on
from tests.transaction.test_standalone import standalone

__all__ = ["standalone"]


def test_a_rollback_takes_the_file_back(settings: Any, standalone: str) -> None:
    settings.DJONGO_SERVICES = {
        "CONNECTIONS": {"default": {"HOST": standalone, "NAME": "test_uploads"}},
        "TRANSACTION": {"STANDALONE": "single-document"},
    }
    with MongoClient[Any](standalone) as client:
        site = site_on(settings, client["test_uploads"], "sync")

        def work(request: Any) -> None:
            with suppress(RuntimeError), atomic():
                site.storage.save("a.png", request.FILES["file"])
                raise RuntimeError
            assert site.counts == {"files": 0, "chunks": 2, "uploads": 1}
            if request.GET:
                with atomic():
                    site.storage.save("a.png", request.FILES["file"])

        site.serve(calling(work))
        try:
            assert site.post(("a.png", b"x" * 300_000)).content == b"done"
            assert site.counts == NOTHING
            answer = site.post(("a.png", b"x" * 300_000), QUERY_STRING="again")
            assert answer.content == b"done"
            assert site.counts == {"files": 1, "chunks": 2, "uploads": 0}
        finally:
            connections.close_all()
