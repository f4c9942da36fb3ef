"""A server without a replica set."""

from __future__ import annotations

from typing import Any

from pymongo import MongoClient

from djongo_services.introspection import read_catalog
from djongo_services.schema.applying import History, apply
from djongo_services.schema.diff import diff
from tests.schema.drifted import SPECS, WANTED, drift, indexes_of
from tests.schema.rollbacks import roll_back
from tests.transaction.test_standalone import standalone

__all__ = ["standalone"]


def test_a_plan_is_applied_and_rolled_back(standalone: str) -> None:
    with MongoClient[Any](standalone) as client:
        client.drop_database("shop")
        drift(client.shop)
        before = indexes_of(client.shop)
        run = apply(client.shop, diff(read_catalog(client.shop), SPECS))
        assert indexes_of(client.shop) == WANTED
        assert diff(read_catalog(client.shop), SPECS).in_sync
        roll_back(client.shop, run)
        assert indexes_of(client.shop)["notes"] == before["notes"]
        assert [one.status for one in History(client.shop).runs()] == ["done", "done"]
