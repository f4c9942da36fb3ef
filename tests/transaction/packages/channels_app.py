"""The site and a consumer behind Channels' routing, and the proof that both are atomic."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from asgiref.testing import ApplicationCommunicator
from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncJsonWebsocketConsumer
from channels.routing import ProtocolTypeRouter
from django.core.asgi import get_asgi_application

from djongo_services.connections import connections
from djongo_services.transaction import aatomic, arun_in_transaction, on_commit
from tests.backend_app.models import Author
from tests.transaction.packages.site import TOLD, add_one, database, prepare, work

TIMEOUT = 20
"""Seconds."""


class Consumer(AsyncJsonWebsocketConsumer):
    """Lives longer than any transaction, and starts a task inside of one."""

    async def receive_json(self, content: dict[str, Any], **kwargs: Any) -> None:
        ended = asyncio.Event()
        try:
            async with aatomic():
                await database_sync_to_async(work)()
                await connections["default"].async_database.raw.insert_one({"by": "consumer"})
                on_commit(lambda: self.send_json({"told": "committed"}))
                self.later = asyncio.create_task(self.write_after(ended))
                if content["fail"]:
                    raise ZeroDivisionError
        except ZeroDivisionError:
            await self.send_json({"told": "rolled back"})
        ended.set()
        await arun_in_transaction(self.count)
        await self.later
        await self.send_json({"done": True})

    async def write_after(self, ended: asyncio.Event) -> None:
        await ended.wait()
        await database_sync_to_async(lambda: database().later.insert_one({}))()

    async def count(self) -> None:
        await database_sync_to_async(add_one)()


application = ProtocolTypeRouter({"http": get_asgi_application(), "websocket": Consumer.as_asgi()})


async def prove() -> str:
    await database_sync_to_async(prepare)()
    await _prove_http()
    await _prove_websocket()
    await connections["default"].aclose()
    return "proven"


async def _prove_http() -> None:
    for path, status, outcome in (
        ("/write/", 200, "committed"),
        ("/awrite/", 200, "committed"),
        ("/answer-500/", 500, "rolled back"),
        ("/aanswer-500/", 500, "rolled back"),
    ):
        TOLD.clear()
        assert (await _post(path), TOLD) == (status, [outcome]), (path, TOLD)
    assert await _counts() == (2, 2)


async def _post(path: str) -> int:
    scope = {"type": "http", "method": "POST", "path": path, "query_string": b"", "headers": []}
    scope["headers"] = [(b"host", b"testserver")]
    communicator = ApplicationCommunicator(application, scope)
    await communicator.send_input({"type": "http.request", "body": b""})
    start = await communicator.receive_output(TIMEOUT)
    await communicator.wait(TIMEOUT)
    return int(start["status"])


async def _prove_websocket() -> None:
    scope = {"type": "websocket", "path": "/", "query_string": b"", "headers": []}
    communicator = ApplicationCommunicator(application, {**scope, "subprotocols": []})

    async def received() -> Any:
        return json.loads((await communicator.receive_output(TIMEOUT))["text"])

    await communicator.send_input({"type": "websocket.connect"})
    assert (await communicator.receive_output(TIMEOUT))["type"] == "websocket.accept"
    for number, (fail, outcome) in enumerate([(True, "rolled back"), (False, "committed")], 1):
        TOLD.clear()
        text = json.dumps({"fail": fail})
        await communicator.send_input({"type": "websocket.receive", "text": text})
        assert await received() == {"told": outcome}
        assert await received() == {"done": True}
        assert [outcome] == TOLD
        assert await _count("later") == number
    await communicator.send_input({"type": "websocket.disconnect", "code": 1000})
    await communicator.wait(TIMEOUT)
    assert await _counts() == (3, 4)
    assert (await database_sync_to_async(lambda: database().counters.find_one())())["n"] == 2


async def _counts() -> tuple[int, int]:
    rows = await Author.objects.using("mongo").acount()
    return rows, await _count("raw")


@database_sync_to_async
def _count(name: str) -> int:
    return database()[name].count_documents({})
