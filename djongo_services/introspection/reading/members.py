"""Reading from each member of a replica set, for what lives in a member's memory."""

from __future__ import annotations

from typing import Any

import pymongo
from pymongo.database import Database
from pymongo.errors import PyMongoError
from pymongo.read_preferences import Nearest
from pymongo.server_description import ServerDescription

from djongo_services.abilities import Abilities
from djongo_services.introspection.catalog import Unavailable
from djongo_services.introspection.reading.listing import Document

PATIENCE_SECONDS = 2.0
"""How long a member may take to answer a ping."""

_REPLICA_SETS = frozenset({"ReplicaSetWithPrimary", "ReplicaSetNoPrimary"})
_WITHOUT_DATA = frozenset({"RSArbiter", "RSGhost"})

Address = tuple[str, int | None]


class MemberPreference(Nearest):
    """Reads from one member and no other; to the server it is ``nearest``.

    PyMongo calls a read preference with the servers to choose from, and tries again with those
    that it discovers until the time for server selection is over.
    """

    def __init__(self, address: Address) -> None:
        super().__init__()
        self.address = address

    def __call__(self, selection: Any) -> Any:
        chosen = [
            server for server in selection.server_descriptions if server.address == self.address
        ]
        return selection.with_server_descriptions(chosen)


def each_member(
    database: Database[Document], server: Abilities
) -> tuple[list[Database[Document]], list[Unavailable]]:
    """The database as read from each member that answers, and who does not.

    Of a standalone server, a sharded cluster (whose mongos asks every shard) and a client that is
    connected to one member directly, the database itself.
    """
    topology = database.client.topology_description
    if topology.topology_type_name not in _REPLICA_SETS:
        return [database], _beyond_direct_connection(server)
    reached: list[Database[Document]] = []
    missing: list[Unavailable] = []
    for address, description in sorted(topology.server_descriptions().items()):
        if description.server_type_name in _WITHOUT_DATA:
            continue
        one = database.with_options(read_preference=MemberPreference(address))
        reason = _why_silent(one, description)
        if reason is None:
            reached.append(one)
        else:
            missing.append(without_member(address, reason))
    return reached, missing


def without_member(address: Address, reason: object) -> Unavailable:
    host, port = address
    first_line = str(reason).partition("\n")[0][:200]
    return Unavailable(
        what="usage", reason=f"The member {host}:{port} does not answer: {first_line}"
    )


def _why_silent(database: Database[Document], description: ServerDescription) -> str | None:
    if description.error is not None and description.server_type_name == "Unknown":
        # Its monitor has just failed: selecting it would only wait.
        return str(description.error)
    try:
        with pymongo.timeout(PATIENCE_SECONDS):
            database.command("ping", read_preference=database.read_preference)
    except PyMongoError as error:
        return str(error)
    return None


def _beyond_direct_connection(server: Abilities) -> list[Unavailable]:
    others = len(server.members) - 1
    if server.topology != "replica set" or others < 1:
        return []
    return [
        Unavailable(
            what="usage",
            reason=f"The client is connected to one member directly; "
            f"{others} more cannot be asked.",
        )
    ]
