"""Behind MongoTransactionMiddleware, whose session ends before the stream begins."""

from __future__ import annotations

import os
from typing import Any

import pytest
from pymongo.database import Database

from djongo_services.transaction import in_atomic_block
from djongo_services.transaction.causal_consistency import CLOCKS
from tests.storage.serving.site import Site
from tests.transaction.conftest import open_transactions

MB = 1024 * 1024
OURS = "djongo_services.middleware.MongoTransactionMiddleware"


@pytest.fixture(params=["session", "snapshot", "transaction"])
def behind(request: pytest.FixtureRequest, each_site: Site, settings: Any) -> Site:
    settings.MIDDLEWARE = [OURS]
    settings.DJONGO_SERVICES = {
        **settings.DJONGO_SERVICES,
        "TRANSACTION": {"MIDDLEWARE": {"ALIASES": {"default": {"SAFE_METHODS": request.param}}}},
    }
    return each_site


@pytest.mark.parametrize("size", [1000, 12 * MB])
def test_files_are_served(behind: Site, database: Database[Any], size: int) -> None:
    content = os.urandom(size)
    behind.save("a", content)
    answer = behind.get("/media/a")
    assert (answer.status, answer.body == content) == (200, True)
    assert behind.get("/media/a", Range="bytes=5-9").body == content[5:10]
    assert open_transactions(database.client) == 0


def test_they_are_read_in_no_transaction(behind: Site, database: Database[Any]) -> None:
    seen: list[bool] = []

    def hook(*asked: object) -> bool:
        seen.append(in_atomic_block())
        return CLOCKS.get() is not None

    behind.configure(permission=hook)
    behind.save("a", os.urandom(12 * MB))
    during: list[int] = []
    answer = behind.get(
        "/media/a", after_first=lambda: during.append(open_transactions(database.client))
    )
    assert (answer.status, seen, during) == (200, [False], [0])
