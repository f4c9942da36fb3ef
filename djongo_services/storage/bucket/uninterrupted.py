"""Queries in an event loop that are finished even when nobody waits for them any more."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing


async def uninterrupted(source: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    """The same pieces; each step is finished even when the task that waits for it is cancelled.

    A query that is given up before its answer is there leaves a cursor on the server that nobody
    knows of.
    """
    async with aclosing(source):
        while True:
            step = asyncio.ensure_future(_next(source))
            try:
                piece = await asyncio.shield(step)
            except asyncio.CancelledError:
                await asyncio.wait([step])
                raise
            if piece is None:
                return
            yield piece


async def _next(source: AsyncGenerator[bytes, None]) -> bytes | None:
    return await anext(source, None)
