"""Work in an event loop that a cancellation must not interrupt.

Blocking code cannot be cancelled. The plain functions here do nothing except fill the places where
the synchronous counterpart of a coroutine needs them.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from contextlib import aclosing
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


async def ato_the_end(
    work: Callable[P, Coroutine[Any, Any, T]], *args: P.args, **kwargs: P.kwargs
) -> T:
    """Run ``work`` in a task of its own until it is done, and then deliver a cancellation.

    So a cancelled block still ends its transaction, and a commit that was sent is completed.
    """
    task = asyncio.ensure_future(work(*args, **kwargs))
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        if not task.cancelled() and (failure := task.exception()) is not None:
            raise cancelled from failure
        raise cancelled
    return task.result()


def to_the_end(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    return work(*args, **kwargs)


async def auninterrupted(source: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    """Yield the same pieces; each step is completed even if the task that waits for it is
    cancelled.

    A query that is cancelled before its response arrives would leave an open cursor on the server.
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


def uninterrupted(source: Generator[bytes, None, None]) -> Generator[bytes, None, None]:
    return source


async def _next(source: AsyncGenerator[bytes, None]) -> bytes | None:
    return await anext(source, None)
