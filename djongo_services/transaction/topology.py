"""Whether a client's server has transactions: read once per topology, and again when it changes.

The driver's monitors keep a description of the topology; it is replaced, never altered, so its
identity shows whether an earlier result is still valid. Nothing is sent, except by a client that
has not yet connected to its server.
"""

from __future__ import annotations

import logging
from typing import Any

from pymongo import AsyncMongoClient, MongoClient, ReadPreference
from pymongo.server_type import SERVER_TYPE
from pymongo.topology_description import TopologyDescription

from djongo_services.conf import SETTING, settings
from djongo_services.transaction.errors import TransactionsUnsupported

logger = logging.getLogger("djongo_services.transaction")

_ANY = ReadPreference.NEAREST
_concluded: dict[str, tuple[TopologyDescription, bool]] = {}
_warned: set[str] = set()


def transactional(client: MongoClient[Any], alias: str) -> bool:
    """Whether the client's server is a replica set or a sharded cluster.

    Raises TransactionsUnsupported for other servers unless the setting STANDALONE is
    ``"single-document"``, and PyMongo's errors if no server can be reached.
    """
    topology = client.topology_description
    if _is_unknown(topology, alias):
        with client.start_session() as session:  # not one that may be bound here
            client.admin.command("hello", read_preference=_ANY, session=session)
        topology = client.topology_description
    return _judge(topology, alias)


async def atransactional(client: AsyncMongoClient[Any], alias: str) -> bool:
    topology = client.topology_description
    if _is_unknown(topology, alias):
        async with client.start_session() as session:
            await client.admin.command("hello", read_preference=_ANY, session=session)
        topology = client.topology_description
    return _judge(topology, alias)


def transactional_if_known(client: AsyncMongoClient[Any], alias: str) -> bool | None:
    """The same without waiting; None while the client has not found its server."""
    if _is_unknown(client.topology_description, alias):
        return None
    return _judge(client.topology_description, alias)


def _is_unknown(topology: TopologyDescription, alias: str) -> bool:
    known = _concluded.get(alias)
    return (known is None or known[0] is not topology) and not topology.has_known_servers


def _judge(topology: TopologyDescription, alias: str) -> bool:
    known = _concluded.get(alias)
    if known is None or known[0] is not topology:
        known = _concluded[alias] = (topology, has_transactions(topology))
    if known[1]:
        return True
    if settings.transaction.standalone == "error":
        raise TransactionsUnsupported(
            f"The MongoDB server of {alias!r} is standalone, so atomic() cannot begin a "
            f"transaction. Start it as a replica set of one (mongod --replSet rs0), or accept "
            f'single-document atomicity: {SETTING}["TRANSACTION"]["STANDALONE"] = '
            f'"single-document".'
        )
    _warn_once(alias)
    return False


def has_transactions(topology: TopologyDescription) -> bool:
    """Whether all known servers belong to a replica set or a sharded cluster."""
    known = [
        server for server in topology.server_descriptions().values() if server.is_server_type_known
    ]
    return topology.logical_session_timeout_minutes is not None and all(
        server.server_type != SERVER_TYPE.Standalone for server in known
    )


def _warn_once(alias: str) -> None:
    if alias not in _warned:
        _warned.add(alias)
        logger.warning(
            "The MongoDB server of %r is standalone: atomic() keeps each operation atomic by "
            "itself, and a rollback undoes nothing.",
            alias,
        )
