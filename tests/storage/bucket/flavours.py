"""Both flavours of a bucket behind one blocking interface, so that one test covers both."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import aclosing
from typing import Any

from pymongo import AsyncMongoClient, MongoClient
from pymongo.database import Database

from djongo_services.storage.bucket import AsyncBucket, Bucket, StoredFile

MakeBucket = Callable[..., Any]


class BlockingStream:
    """An AsyncUploadStream as an UploadStream."""

    def __init__(self, stream: Any, run: Callable[[Any], Any]) -> None:
        self._stream = stream
        self._run = run

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def __enter__(self) -> BlockingStream:
        self._run(self._stream.__aenter__())
        return self

    def __exit__(self, *error: Any) -> None:
        self._run(self._stream.__aexit__(*error))

    def write(self, data: bytes) -> int:
        return int(self._run(self._stream.write(data)))

    def seal(self, *args: Any) -> Any:
        return self._run(self._stream.seal(*args))

    def publish(self, *args: Any, **options: Any) -> StoredFile:
        stored: StoredFile = self._run(self._stream.publish(*args, **options))
        return stored

    def close(self) -> StoredFile:
        stored: StoredFile = self._run(self._stream.close())
        return stored

    def withdrawn(self) -> None:
        self._run(self._stream.withdrawn())

    def abort(self) -> None:
        self._run(self._stream.abort())


class BlockingBucket:
    """An AsyncBucket as a Bucket."""

    def __init__(self, bucket: AsyncBucket, run: Callable[[Any], Any]) -> None:
        self.native = bucket
        self._run = run

    def open_upload(self, *args: Any, **options: Any) -> BlockingStream:
        return BlockingStream(self.native.open_upload(*args, **options), self._run)

    def find(self, *args: Any, **options: Any) -> Iterator[StoredFile]:
        async def collect() -> list[StoredFile]:
            return [each async for each in self.native.find(*args, **options)]

        return iter(self._run(collect()))

    def read(self, *args: Any) -> Iterator[bytes]:
        async def collect() -> list[bytes]:
            async with aclosing(self.native.read(*args)) as pieces:
                return [piece async for piece in pieces]

        return iter(self._run(collect()))

    def __getattr__(self, name: str) -> Any:
        """``get``, ``delete`` and the other coroutine methods."""
        method = getattr(self.native, name)
        return lambda *args, **options: self._run(method(*args, **options))


class Flavour:
    """``make(name="fs", **options)`` returns buckets on one database, through a separate client."""

    def __init__(self, database: Database[Any], kind: str, **client_options: Any) -> None:
        host, port = database.client.address or ("127.0.0.1", 27017)
        uri = f"mongodb://{host}:{port}/"
        self.kind = kind
        self._name = database.name
        self._runner = asyncio.Runner() if kind == "async" else None
        self._client: Any
        if self._runner is None:
            self._client = MongoClient(uri, **client_options)
        else:
            self._client = AsyncMongoClient(uri, **client_options)

    def make(self, name: str = "fs", **options: Any) -> Any:
        database = self._client[self._name]
        if self._runner is None:
            return Bucket(database, name, **options)
        return BlockingBucket(AsyncBucket(database, name, **options), self._runner.run)

    def close(self) -> None:
        if self._runner is None:
            self._client.close()
        else:
            self._runner.run(self._client.close())
            self._runner.close()
