"""Reporting a client's commands only while they are needed.

PyMongo creates an event for each command and each reply, which took a seventh of the client's
processor time in a block with two writes. It has a shorter path for clients without listeners, and
checks at each command whether there are any. This relies on ``_event_listeners`` of the clients,
and on their ``enabled_for_commands`` and ``publish_command_...``, which PyMongo does not document
(the same from 4.17 to 4.20).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from pymongo import MongoClient


class DirectListener(Protocol):
    """A CommandListener that works without event objects."""

    def __bool__(self) -> bool:
        """Whether it needs to know about commands."""

    def sent(self, command: Mapping[str, Any], database: str, request_id: int) -> None: ...

    def answered(self, reply: Mapping[str, Any], request_id: int) -> None: ...

    def refused(self, request_id: int) -> None: ...


def listen_while(client: MongoClient[Any], listener: DirectListener) -> None:
    """Call ``listener`` directly, and only while it is true, unless other listeners exist: then it
    gets the same events."""
    registered: list[Any] = client.options.event_listeners
    if registered != [listener]:
        return
    listeners: Any = client._event_listeners

    class Listeners(type(listeners)):  # type: ignore[misc]  # of a class known at run time
        enabled_for_commands = property(lambda self: bool(listener))

        def publish_command_start(
            self, command: Any, database: str, request_id: int, *_: Any, **__: Any
        ) -> None:
            listener.sent(command, database, request_id)

        def publish_command_success(
            self, duration: Any, reply: Any, name: str, request_id: int, *_: Any, **__: Any
        ) -> None:
            listener.answered(reply, request_id)

        def publish_command_failure(
            self, duration: Any, failure: Any, name: str, request_id: int, *_: Any, **__: Any
        ) -> None:
            listener.refused(request_id)

    listeners.__class__ = Listeners
