"""How much of a collection is in the client's memory at a time."""

from __future__ import annotations

from typing import Any

import pytest
from pymongo import MongoClient, monitoring
from pymongo.database import Database

from djongo_services.embedded import MongoServer
from djongo_services.introspection import inspect_database


class Batches(monitoring.CommandListener):
    """The bytes of each batch of documents of one collection."""

    def __init__(self, collection: str) -> None:
        self.collection = collection
        self.sizes: list[int] = []

    def started(self, event: Any) -> None:
        pass

    def failed(self, event: Any) -> None:
        pass

    def succeeded(self, event: Any) -> None:
        cursor = event.reply.get("cursor", {})
        if str(cursor.get("ns", "")).endswith(f".{self.collection}"):
            batch = cursor.get("firstBatch", cursor.get("nextBatch"))
            if all(isinstance(each, bytes) for each in batch):
                self.sizes += [sum(map(len, batch))]


@pytest.mark.parametrize(
    ("documents", "size", "most", "batches"),
    # 16 documents show how large they are; then a batch has 2 MB.
    [(100, 255_000, 16 * 255_100, 30), (2_000, 3_000, 2_200_000, 6)],
    ids=["large documents", "small ones"],
)
def test_batches_are_small(
    mongodb_server: MongoServer,
    database: Database[Any],
    documents: int,
    size: int,
    most: int,
    batches: int,
) -> None:
    """Chunks of files as well, of which the server would send 16 MB at once."""
    database.things.insert_many([{"data": bytes(size)} for _ in range(documents)])
    listener = Batches("things")
    with MongoClient[dict[str, Any]](mongodb_server.uri, event_listeners=[listener]) as client:
        report = inspect_database(client[database.name])
    profile = report["things"].profile
    assert profile is not None
    assert profile["data"].types["binData"].count == documents
    assert max(listener.sizes) < most
    assert len(listener.sizes) <= batches
