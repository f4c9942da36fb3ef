"""Values that belong to an event loop, and end with it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Generic, TypeVar

Value = TypeVar("Value")


class ByLoop(Generic[Value]):
    """A value for each running event loop.

    It is not a weak dictionary, since a value may refer to its loop, as PyMongo's asynchronous
    clients do, and would keep its own entry for ever: under WSGI an async view has a loop for each
    request.
    """

    def __init__(self) -> None:
        self._kept: dict[asyncio.AbstractEventLoop, tuple[Value, AsyncGenerator[None, None]]] = {}

    def __len__(self) -> int:
        return len(self._kept)

    def get(self) -> Value | None:
        """The value of the running loop. Raises RuntimeError outside of one."""
        kept = self._kept.get(asyncio.get_running_loop())
        return None if kept is None else kept[0]

    def keep(self, value: Value, close: Callable[[], Awaitable[None]] | None = None) -> Value:
        """Keep a value until the running loop ends, when ``close`` is awaited in it, or :meth:`end`
        is called.

        The loop ends when ``asyncio.run`` and others call ``shutdown_asyncgens``. A loop that was
        closed without that is discarded when another one keeps a value.
        """
        loop = asyncio.get_running_loop()
        for other in [each for each in list(self._kept) if each.is_closed()]:
            self._kept.pop(other, None)
        ending = self._ending(loop, close)
        # An event loop knows an asynchronous generator only after its first step.
        try:
            ending.__anext__().send(None)
        except StopIteration:
            self._kept[loop] = (value, ending)
        return value

    async def end(self) -> None:
        """Do now what the end of the running loop would do."""
        kept = self._kept.get(asyncio.get_running_loop())
        if kept is not None:
            await kept[1].aclose()

    async def _ending(
        self, loop: asyncio.AbstractEventLoop, close: Callable[[], Awaitable[None]] | None
    ) -> AsyncGenerator[None, None]:
        try:
            yield
        finally:
            self._kept.pop(loop, None)
            if close is not None:
                await close()
