"""What the server behind a client supports, according to the server itself."""

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
    """Facts about a deployment; each feature is a fact of its own, never derived from a version by
    callers."""

    version: str
    """The version as the server reports it: ``6.0.27``."""
    feature_compatibility: str | None
    """``featureCompatibilityVersion``; None if the privilege is missing or a mongos responds."""
    topology: Topology
    set_name: str | None
    members: tuple[str, ...]
    """``host:port``, sorted: the members of a replica set that contain data and are not hidden,
    each mongos of a sharded cluster that responds, or the single server."""
    transactions: bool
    """True for replica sets and sharded clusters; a standalone server returns the error 20."""
    snapshot_reads: bool
    """``readConcern: snapshot`` outside of a transaction (5.0+, not on a standalone server)."""
    validator_errinfo: bool
    """Whether the error of a refused write contains the rule that refused it (5.0+)."""
    prepare_unique: bool
    """Whether collMod can convert an index to unique (6.0+)."""
    index_signatures: bool
    """Whether unique, sparse and partial variants of an index may exist beside it (5.0+)."""
    ttl_conversion: bool
    """Whether collMod can convert a single-field index to a TTL index (5.1+)."""
    time_series: bool
    clustered_collections: bool
    read_only: bool
    """Whether the queried server accepts no writes."""

    @property
    def version_tuple(self) -> tuple[int, ...]:
        return tuple(int(part) for part in self.version.split("-")[0].split("."))


def read_abilities(client: MongoClient[Any]) -> Abilities:
    """Query the server: ``hello``, ``buildInfo`` and, if allowed, ``getParameter``.

    A server's features depend on its feature compatibility version, if that is known: an upgraded
    server with an older feature compatibility has only the older features.

    It queries the primary, or a secondary while there is none, outside of any session or
    transaction that the caller has bound. Raises PyMongo's errors when the server cannot be
    reached.
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
    """What follows from a server's own description. Raises ValueError for an invalid version."""
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
    # Members with priority 0 are listed separately; arbiters contain no data, and hidden ones are
    # not listed.
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
    # Not client.address, which PyMongo refuses if there are several mongos to choose from.
    return tuple(sorted(f"{host}:{port}" for host, port in client.nodes))
