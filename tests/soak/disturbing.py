"""Members that are killed, stopped and stepped down while the load continues."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from pymongo import MongoClient
from pymongo.errors import PyMongoError

from djongo_services.embedded import Member, MongoServer
from tests.members import primary_of

STOPPED_SECONDS = (3.0, 9.0)
DOWN_SECONDS = (1.0, 6.0)


class Disturber:
    """One fault at a time; each ends with all members healthy."""

    def __init__(self, server: MongoServer, chance: random.Random) -> None:
        self._server = server
        self._chance = chance
        self.faults: Counter[str] = Counter()

    def disturb(self) -> None:
        """Any of them."""
        name = self._chance.choice(sorted(FAULTS))
        FAULTS[name](self, lambda seconds: time.sleep(self._chance.uniform(*seconds)))

    def kill_primary(self, wait: Callable[[Any], None]) -> None:
        self._kill(primary_of(self._server), wait, "kill of the primary")

    def kill_secondary(self, wait: Callable[[Any], None]) -> None:
        self._kill(self._secondary(), wait, "kill of a secondary")

    def stop_primary(self, wait: Callable[[Any], None]) -> None:
        self._stop(primary_of(self._server), wait, "stop of the primary")

    def stop_secondary(self, wait: Callable[[Any], None]) -> None:
        self._stop(self._secondary(), wait, "stop of a secondary")

    def step_down(self, wait: Callable[[Any], None]) -> None:
        """The primary refuses if no secondary has caught up, which is not a fault."""
        address = primary_of(self._server).address
        with MongoClient[Any](address, directConnection=True) as client, suppress(PyMongoError):
            client.admin.command("replSetStepDown", 3, force=True, secondaryCatchUpPeriodSecs=2)
        self.faults["step-down"] += 1
        self._server.wait_until_ready(60)

    def _secondary(self) -> Member:
        primary = primary_of(self._server)
        return self._chance.choice([each for each in self._server.members if each is not primary])

    def _kill(self, member: Member, wait: Callable[[Any], None], name: str) -> None:
        member.kill()
        try:
            wait(DOWN_SECONDS)
        finally:
            member.restart()
        self.faults[name] += 1
        self._server.wait_until_ready(60)

    def _stop(self, member: Member, wait: Callable[[Any], None], name: str) -> None:
        member.pause()
        try:
            wait(STOPPED_SECONDS)
        finally:
            member.resume()
        self.faults[name] += 1
        self._server.wait_until_ready(60)


FAULTS: dict[str, Callable[[Disturber, Callable[[Any], None]], None]] = {
    "kill of the primary": Disturber.kill_primary,
    "kill of a secondary": Disturber.kill_secondary,
    "stop of the primary": Disturber.stop_primary,
    "stop of a secondary": Disturber.stop_secondary,
    "step-down": Disturber.step_down,
}
