"""Sessions for the server's transactions, which nothing else uses.

A transaction that begins at the moment of its block's first read must not be sent on a session that
has written since then. The server keeps the number of a session's last retryable write or
transaction in a document of ``config.transactions``, so the commit would be a write conflict with
that document, although no other client has changed anything. The driver's pool gives any session to
any operation; and the moment may be earlier than acknowledged writes that no majority of the
members has yet (``w: 1``).
"""

from __future__ import annotations

import os
import threading
from collections import deque
from typing import Any

from bson.timestamp import Timestamp

from djongo_services.transaction import clients, state

MOST = 256
"""The number of sessions that are kept for one client. If there are that many, the least recently
used one is taken even if it has written too recently: a conflict then makes the transaction run
again."""

_KEPT = "_djongo_services_sessions"

_lock = threading.Lock()


def take(client: Any, moment: Timestamp | None) -> Any:
    """A session that has written nothing since ``moment``; any session if that is None."""
    with _lock:
        found = _choose(_kept(client), moment)
    if found is None:
        found = client.start_session(causal_consistency=False)
        clients.give_own_server_session(found)
    return found


def give_back(session: Any) -> None:
    """Keep a session for another transaction, or end it if it may not be used again."""
    client = session.client
    if not session.in_transaction and clients.may_be_used_again(session):
        state.detach(session)
        with _lock:
            kept = _kept(client)
            if len(kept) < MOST:
                kept.append(session)
                return
    session.end_session()


def ends_with_the_next(session: Any) -> bool:
    """Whether the server ends the transaction of a session when another begins on it.

    The members of a replica set do. A mongos would leave it open on the shards that the other does
    not reach.
    """
    topology: str = session.client.topology_description.topology_type_name
    return topology.startswith("ReplicaSet")


def _choose(kept: deque[Any], moment: Timestamp | None) -> Any:
    if not kept:
        return None
    if moment is None:
        return kept.pop()
    for session in kept:
        if session.operation_time is None or session.operation_time <= moment:
            kept.remove(session)
            return session
    return kept.popleft() if len(kept) >= MOST else None


def _kept(client: Any) -> deque[Any]:
    """The kept sessions, least recently used first; none of a parent process, which still uses its
    own."""
    by_process: dict[int, deque[Any]] = vars(client).setdefault(_KEPT, {})
    if os.getpid() not in by_process:
        by_process.clear()
    return by_process.setdefault(os.getpid(), deque())
