"""Secondaries that are behind, and clients that prefer to read from them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from pymongo import ReadPreference
from pymongo.write_concern import WriteConcern

from djongo_services.embedded import MongoServer
from djongo_services.storage import CorruptFile, FileChanged
from djongo_services.storage.bucket import AsyncBucket, Bucket
from tests.members import primary_of
from tests.storage.faults.conftest import Mongo, fail_point


@pytest.fixture
def lag(replica_set: MongoServer) -> Iterator[None]:
    replica_set.wait_until_ready()
    primary = primary_of(replica_set)
    with ExitStack() as stack:
        for member in replica_set.members:
            if member is not primary:
                stack.enter_context(fail_point(member.address, "rsSyncApplyStop"))
        yield
    replica_set.wait_until_ready()


OPTIONS: dict[str, Any] = {
    "chunk_size": 5,
    "read_preference": ReadPreference.SECONDARY,
    "write_concern": WriteConcern(w=1),
}


def test_chunks_that_a_secondary_does_not_have_yet(mongo: Mongo, lag: None) -> None:
    bucket = Bucket(mongo, **OPTIONS)
    stored = bucket.upload("a", b"0123456789ab")
    assert bucket.read_bytes(stored) == b"0123456789ab"
    assert b"".join(bucket.read(stored, 3, 7)) == b"3456"
    bucket.chunks.delete_one({"n": 1})
    with pytest.raises(CorruptFile, match="chunk 1 is missing"):
        bucket.read_bytes(stored)
    bucket.delete(stored.id)
    with pytest.raises(FileChanged):
        bucket.read_bytes(stored)


async def test_the_same_with_asyncio(mongo: Mongo, lag: None) -> None:
    from djongo_services.connections import connections

    bucket = AsyncBucket(connections["default"].async_database, **OPTIONS)
    stored = await bucket.upload("a", b"0123456789ab")
    assert await bucket.read_bytes(stored) == b"0123456789ab"
    await bucket.delete(stored.id)
    with pytest.raises(FileChanged):
        await bucket.read_bytes(stored)
    await connections["default"].aclose()
