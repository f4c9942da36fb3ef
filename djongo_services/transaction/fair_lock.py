"""Allowing one operation of a transaction at a time, from threads and tasks alike."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from concurrent.futures import Future


class FairLock:
    """A fair lock that a thread and a task of an event loop can both wait for.

    A transaction belongs to one session, and a session carries one operation at a time: a second
    one sent together with the first would reach the server before the transaction begins. Waiting
    tasks occupy no thread, so a hundred of them cannot exhaust an executor.
    """

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._holder: int | None = None
        """The identifier of the thread that holds it, or whose event loop's task does."""
        self._waiting: deque[tuple[Future[None], int]] = deque()

    def try_enter(self) -> bool:
        """Take the lock if it is free, and return whether it was."""
        with self._mutex:
            if self._holder is not None:
                return False
            self._holder = threading.get_ident()
            return True

    def blocked_by_own_thread(self) -> bool:
        """Whether waiting in this thread would never end.

        Either a command listener runs an operation within an operation, or a blocking operation was
        called in the event loop's thread while a task of that loop holds the lock.
        """
        return self._holder == threading.get_ident()

    def enter(self, timeout: float | None = None) -> bool:
        """Wait in a thread; False when ``timeout`` (seconds) passed first."""
        waiter = self._queue()
        try:
            waiter.result(timeout)
        except TimeoutError:
            return not waiter.cancel()
        except BaseException:
            self._abandon(waiter)
            raise
        return True

    async def aenter(self, timeout: float | None = None) -> bool:
        """Wait in a task; False when ``timeout`` (seconds) passed first."""
        waiter = self._queue()
        try:
            await asyncio.wait_for(asyncio.shield(asyncio.wrap_future(waiter)), timeout)
        except TimeoutError:
            return not waiter.cancel()
        except BaseException:
            self._abandon(waiter)
            raise
        return True

    def leave(self) -> None:
        """Pass the lock to the one that has waited longest."""
        with self._mutex:
            self._holder = None
            while self._waiting:
                waiter, holder = self._waiting.popleft()
                if waiter.set_running_or_notify_cancel():
                    self._holder = holder
                    break
            else:
                return
        waiter.set_result(None)

    def _queue(self) -> Future[None]:
        waiter: Future[None] = Future()
        holder = threading.get_ident()
        with self._mutex:
            if self._holder is not None:
                self._waiting.append((waiter, holder))
                return waiter
            self._holder = holder
        waiter.set_result(None)
        return waiter

    def _abandon(self, waiter: Future[None]) -> None:
        if not waiter.cancel():
            self.leave()
