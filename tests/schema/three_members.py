"""A replica set of three whose primary can be disturbed while a plan is applied."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

from pymongo import MongoClient
from pymongo.errors import AutoReconnect

from djongo_services.embedded import Member, MongoServer
from tests.members import primary_of
from tests.schema.fail_points import held


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
        return primary_of(self.server)

    def step_down(self) -> None:
        with suppress(AutoReconnect):  # Older servers close the connections.
            self._direct[self.primary()].admin.command("replSetStepDown", 5, force=True)

    @contextmanager
    def held(self, point: str) -> Iterator[Callable[[], None]]:
        """Every operation that reaches the fail point waits, on the current primary.

        Gives a function that returns when an operation waits.
        """
        primary = self.primary()
        with held(self._direct[primary], point, lambda: primary.running) as reached:
            yield reached
