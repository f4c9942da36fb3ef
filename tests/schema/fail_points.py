"""The server's fail points, always turned off again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from pymongo import MongoClient


@contextmanager
def held(
    client: MongoClient[Any], point: str, running: Callable[[], bool] = lambda: True
) -> Iterator[Callable[[], None]]:
    """Every operation that reaches the fail point waits; only on servers of the test's own.

    Gives a function that returns when an operation waits. ``running`` says whether a server is left
    on which to turn it off.
    """
    admin = client.admin
    before = admin.command("configureFailPoint", point, mode="alwaysOn")["count"]

    def reached() -> None:
        wait = {"waitForFailPoint": point, "timesEntered": before + 1, "maxTimeMS": 20_000}
        admin.command(wait)

    try:
        yield reached
    finally:
        if running():
            admin.command("configureFailPoint", point, mode="off")
