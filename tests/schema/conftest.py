from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any

import pytest

from djongo_services.embedded import MongoServer


@pytest.fixture
def background(server: MongoServer) -> Iterator[Callable[..., Future[Any]]]:
    """Calls a function in a thread.

    What does not end when the test does hangs, and ends with its server: the module's own, never
    one that other tests use.
    """
    calls: list[Future[Any]] = []

    def begin(function: Callable[..., Any], *args: Any, **options: Any) -> Future[Any]:
        calls.append(pool.submit(function, *args, **options))
        return calls[-1]

    with ThreadPoolExecutor(4) as pool:
        yield begin
        if wait(calls, 30).not_done:
            for member in server.members:
                member.kill()
