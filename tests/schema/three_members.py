"""A replica set of three whose primary can be disturbed while a plan is applied."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

from pymongo import MongoClient
from pymongo.errors import AutoReconnect

from djongo_services.embedded import Member, MongoServer


class ThreeMembers:
    """A replica set of three, and ways to disturb its primary."""

    def __init__(self, server: MongoServer, client: MongoClient[Any], stack: ExitStack) -> None:
        self.server, self.client = server, client
        self._direct = {
            member: stack.enter_context(
                MongoClient[Any](
                    member.address, directConnection=True, serverSelectionTimeoutMS=5000
                )
            )
            for member in server.members
        }

    def primary(self) -> Member:
        self.client.admin.command("ping")
        assert self.client.primary is not None
        return next(m for m in self.server.members if m.port == self.client.primary[1])

    def step_down(self) -> None:
        with suppress(AutoReconnect):  # Older servers close the connections.
            self._direct[self.primary()].admin.command("replSetStepDown", 5, force=True)

    @contextmanager
    def held(self, point: str) -> Iterator[Callable[[], None]]:
        """Whoever comes to the fail point waits there, on the member that is the primary now.

        Gives a function that returns when somebody waits.
        """
        primary = self.primary()
        admin = self._direct[primary].admin
        before = admin.command("configureFailPoint", point, mode="alwaysOn")["count"]

        def reached() -> None:
            wait = {"waitForFailPoint": point, "timesEntered": before + 1, "maxTimeMS": 10_000}
            admin.command(wait)

        try:
            yield reached
        finally:
            if primary.running:
                admin.command("configureFailPoint", point, mode="off")
