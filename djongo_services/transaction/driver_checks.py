"""Whether this version of PyMongo works as :mod:`~djongo_services.transaction.clients` relies on.

Undocumented names may disappear, or stay and no longer be called. The second case would be worse:
operations would silently take effect outside of the transaction. So once for each client class, a
client that never connects checks that the methods are called.
"""

from __future__ import annotations

import contextlib
from collections.abc import Coroutine
from typing import Any

from pymongo import AsyncMongoClient, MongoClient
from pymongo.errors import PyMongoError

_CLIENT_NAMES = (
    "_get_bound_session",
    "_process_response",
    "_retry_internal",
    "_return_server_session",
    "_start_session",
)
_SESSION_NAMES = (
    "_materialize",
    "_server_session",
    "_snapshot_time",
    "_starting_transaction",
    "_transaction",
)
_TRANSACTION_NAMES = ("reset", "state")
_CALLED = ("_get_bound_session", "_retry_internal")
"""Methods that every operation calls before anything is sent."""


class _Reached(Exception):
    """An operation reached the method that is being checked."""


def refuse_unknown_pymongo(client_class: type[Any]) -> None:
    """Raises RuntimeError if this version of PyMongo lacks what is needed."""
    _require(client_class, client_class, _CLIENT_NAMES)
    plain = AsyncMongoClient if issubclass(client_class, AsyncMongoClient) else MongoClient
    session = plain(connect=False)._start_session(True)
    _require(session, type(session), _SESSION_NAMES)
    _require(session._transaction, type(session._transaction), _TRANSACTION_NAMES)
    for name in _CALLED:
        if not _is_called(plain, name):
            raise RuntimeError(
                f"This version of PyMongo does not call {plain.__name__}.{name}, {_ADVICE}"
            )


def _require(owner: Any, kind: type[Any], names: tuple[str, ...]) -> None:
    for name in names:
        if not hasattr(owner, name):
            raise RuntimeError(f"This version of PyMongo has no {kind.__name__}.{name}, {_ADVICE}")


_ADVICE = "which atomic() needs; install a version from 4.17 to 4.20."


def _is_called(client_class: type[Any], name: str) -> bool:
    asked = type(client_class.__name__, (client_class,), {name: _reach})
    client = asked(connect=False, serverSelectionTimeoutMS=1)
    try:
        with contextlib.suppress(PyMongoError):
            ping = client.admin.command("ping")
            if isinstance(ping, Coroutine):
                with contextlib.closing(ping):
                    ping.send(None)
    except _Reached:
        return True
    if isinstance(client, MongoClient):
        client.close()
    return False


def _reach(*args: Any, **kwargs: Any) -> Any:
    raise _Reached
