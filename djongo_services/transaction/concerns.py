"""Write concern and read preference of operations that become part of a transaction.

The server accepts a write concern with the commit only, and reads from the primary. The driver
respects that for operations that get the transaction's session as an argument. Operations that join
by the client's bound session are prepared before the driver looks for that session, with the
client's configuration: for example ``w=majority`` from its URI, as for many hosted databases.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from pymongo import AsyncMongoClient, MongoClient, ReadPreference
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.common import BaseObject
from pymongo.synchronous.database import Database
from pymongo.write_concern import WriteConcern

from djongo_services.patching import Method, patch

_OF_THE_SERVER = WriteConcern()
_PRIMARY = ReadPreference.PRIMARY.mode

WillJoin = Callable[[Any, Any], bool]
"""Whether an operation of a client, with or without a session, will be part of a transaction."""


def install(will_join: WillJoin) -> None:
    """Patch the driver; repeating it does nothing. Raises AttributeError if PyMongo no longer has
    the methods."""
    patch(BaseObject, "_write_concern_for", partial(_around_write_concern, will_join))
    patch(BaseObject, "_read_preference_for", partial(_around_read_preference, will_join))


def _around_write_concern(will_join: WillJoin, original: Method) -> Method:
    def _write_concern_for(self: Any, session: Any) -> Any:
        found = original(self, session)
        # An unacknowledged write is refused in a transaction, with a clear message.
        if found.is_server_default or not found.acknowledged:
            return found
        return _OF_THE_SERVER if will_join(_client_of(self), session) else found

    return _write_concern_for


def _around_read_preference(will_join: WillJoin, original: Method) -> Method:
    def _read_preference_for(self: Any, session: Any) -> Any:
        found = original(self, session)
        if found.mode == _PRIMARY:
            return found
        return ReadPreference.PRIMARY if will_join(_client_of(self), session) else found

    return _read_preference_for


def _client_of(target: Any) -> Any:
    """The client of a database or a collection, or the given client itself."""
    if isinstance(target, MongoClient | AsyncMongoClient):
        return target
    return (target if isinstance(target, Database | AsyncDatabase) else target.database).client
