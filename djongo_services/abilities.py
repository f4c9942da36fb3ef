"""What the server behind a client can do, asked of the server itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from pymongo import MongoClient, ReadPreference
from pymongo.errors import OperationFailure

Topology = Literal["standalone", "replica set", "sharded"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Abilities:
    """Facts about a deployment; a feature is a fact of its own, never a version to compare."""

    version: str
    """As the server spells it: ``6.0.27``."""
    feature_compatibility: str | None
    """``featureCompatibilityVersion``; None where the privilege is missing or mongos answers."""
    topology: Topology
    set_name: str | None
    members: tuple[str, ...]
    """``host:port``, sorted: the members of a replica set that hold data and are not hidden, each
    mongos of a sharded cluster that answers, or the one server."""
    transactions: bool
    """Replica sets and sharded clusters; a standalone server answers code 20."""
    snapshot_reads: bool
    """``readConcern: snapshot`` outside a transaction (5.0+, not on a standalone server)."""
    validator_errinfo: bool
    """Whether a refused write says which rule refused it (5.0+)."""
    prepare_unique: bool
    """Whether collMod can convert an index to unique (6.0+)."""
    index_signatures: bool
    """Whether unique, sparse and partial twins of an index may exist beside it (5.0+)."""
    ttl_conversion: bool
    """Whether collMod can make a single-field index a TTL index (5.1+)."""
    time_series: bool
    clustered_collections: bool
    read_only: bool
    """Whether the server asked accepts no writes."""

    @property
    def version_tuple(self) -> tuple[int, ...]:
        return tuple(int(part) for part in self.version.split("-")[0].split("."))


def read_abilities(client: MongoClient[Any]) -> Abilities:
    """Ask the server: ``hello``, ``buildInfo`` and, where allowed, ``getParameter``.

    What a server can do follows its feature compatibility version where that is known: an upgraded
    server whose feature compatibility still lags keeps the older abilities.

    Asks the primary, or a secondary while there is none, outside of any session or transaction
    that the caller has bound. Raises PyMongo's errors when the server cannot be reached.
    """
    # With a session of its own, because hello and buildInfo are refused in a transaction.
    with client.start_session() as session:
        ask = partial(
            client.admin.command,
            read_preference=ReadPreference.PRIMARY_PREFERRED,
            session=session,
        )
        hello: dict[str, Any] = ask("hello")
        version: str = ask("buildInfo")["version"]
        feature_compatibility = _feature_compatibility(ask)
    topology = _topology(hello)
    return abilities_of(
        version=version,
        feature_compatibility=feature_compatibility,
        topology=topology,
        set_name=hello.get("setName"),
        members=_members(hello) or _addresses(client),
        transactions=topology != "standalone" and "logicalSessionTimeoutMinutes" in hello,
        read_only=bool(hello.get("readOnly")) or not hello.get("isWritablePrimary", False),
    )


def abilities_of(
    *,
    version: str,
    feature_compatibility: str | None,
    topology: Topology,
    set_name: str | None,
    members: tuple[str, ...],
    transactions: bool,
    read_only: bool = False,
) -> Abilities:
    """What follows from what a server tells of itself. Raises ValueError for no version."""
    release = _release(feature_compatibility or version)
    replicated = topology != "standalone"
    return Abilities(
        version=version,
        feature_compatibility=feature_compatibility,
        topology=topology,
        set_name=set_name,
        members=members,
        transactions=transactions,
        snapshot_reads=replicated and release >= (5, 0),
        validator_errinfo=release >= (5, 0),
        prepare_unique=release >= (6, 0),
        index_signatures=release >= (5, 0),
        ttl_conversion=release >= (5, 1),
        time_series=release >= (5, 0),
        clustered_collections=release >= (5, 3),
        read_only=read_only,
    )


def _topology(hello: dict[str, Any]) -> Topology:
    if hello.get("msg") == "isdbgrid":
        return "sharded"
    return "replica set" if "setName" in hello else "standalone"


def _members(hello: dict[str, Any]) -> tuple[str, ...]:
    # Members of priority 0 are listed apart; arbiters hold no data, and hidden ones are not told.
    return tuple(sorted([*hello.get("hosts", ()), *hello.get("passives", ())]))


def _feature_compatibility(ask: Callable[..., dict[str, Any]]) -> str | None:
    try:
        answer = ask("getParameter", 1, featureCompatibilityVersion=1)
    except OperationFailure:
        return None
    version: str | None = answer.get("featureCompatibilityVersion", {}).get("version")
    return version


def _release(version: str) -> tuple[int, int]:
    major, minor = version.split(".")[:2]
    return int(major), int(minor)


def _addresses(client: MongoClient[Any]) -> tuple[str, ...]:
    # Not client.address, which PyMongo refuses where it has several mongos to choose from.
    return tuple(sorted(f"{host}:{port}" for host, port in client.nodes))
