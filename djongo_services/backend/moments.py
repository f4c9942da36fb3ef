"""Whether the server reads at one moment, and whether a transaction can begin at a given moment.

The members of a replica set allow it. A mongos may not: routers choose the moment of a transaction
on several shards themselves. That is checked once, with a transaction that reads nothing.
"""

from __future__ import annotations

import threading
from typing import Any

from bson.timestamp import Timestamp
from pymongo.errors import OperationFailure
from pymongo.read_concern import ReadConcern

from djongo_services.server_errors import INVALID_OPTIONS
from djongo_services.transaction import current

_CAN = "_djongo_services_can_choose_moments"
_READS = "_djongo_services_reads_at_one_moment"
_SINCE = 13
"""The wire version from which the server can read at one moment outside of transactions."""

_lock = threading.Lock()


class AtClusterTime(ReadConcern):
    """Snapshot reads at a given time, for which PyMongo has no public interface."""

    def __init__(self, time: Timestamp) -> None:
        super().__init__("snapshot")
        self._time = time

    @property
    def document(self) -> dict[str, Any]:
        return {"level": "snapshot", "atClusterTime": self._time}


def can_read_at_one(client: Any) -> bool:
    """Whether all reads outside of transactions can see the same moment.

    Each transaction needs this, so the result for a topology is cached until the topology changes.
    """
    topology = client.topology_description
    known: tuple[Any, bool] | None = vars(client).get(_READS)
    if known is None or known[0] is not topology:
        servers = topology.server_descriptions().values()
        reads = any(each.is_writable and each.max_wire_version >= _SINCE for each in servers)
        known = vars(client)[_READS] = (topology, reads)
    return known[1]


def can_choose(client: Any, database: str) -> bool:
    """Whether a transaction can begin at a given moment; ``database`` is one that the user may
    read. Raises PyMongo's errors, except the refusal."""
    if client.topology_description.topology_type_name != "Sharded":
        return True
    with _lock:
        known = vars(client)
        if _CAN not in known:
            known[_CAN] = _ask(client, database)
        can: bool = known[_CAN]
    return can


def of_open_transaction(client: Any, session: Any) -> Timestamp | None:
    """The moment at which the session's open transaction reads, from the server's list of sessions;
    None if the server does not report it.

    Raises OperationFailure where users may not see their own sessions.
    """
    # As a command, which costs less than a cursor: the first batch has the only document.
    found = client.admin.command(
        {
            "aggregate": 1,
            "pipeline": [
                {"$currentOp": {"allUsers": False, "idleSessions": True, "localOps": True}},
                {"$match": {"lsid.id": session.session_id["id"]}},
                {"$project": {"transaction.readTimestamp": 1}},
            ],
            "cursor": {},
        }
    )["cursor"]["firstBatch"]
    return found[0].get("transaction", {}).get("readTimestamp") if found else None


def _ask(client: Any, database: str) -> bool:
    with current.apart(), client.start_session() as session:
        client.admin.command("ping", session=session)
        time = session.cluster_time["clusterTime"]
        session.start_transaction(read_concern=AtClusterTime(time))
        try:
            client[database]["djongo_services_schema"].find_one({}, {"_id": 1}, session=session)
        except OperationFailure as error:
            if error.code != INVALID_OPTIONS:
                raise
            return False
        finally:
            session.abort_transaction()
    return True
