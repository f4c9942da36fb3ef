"""Combining running mongods into a replica set, and waiting until it accepts majority writes."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError

from djongo_services.embedded.addresses import ADMINISTRATOR, REPLICA_SET, Access
from djongo_services.exceptions import EmbeddedServerError
from djongo_services.server_errors import ALREADY_INITIALIZED, NOT_YET_INITIALIZED, USER_EXISTS

_POLL_SECONDS = 0.01
_HEALTHY = frozenset({"PRIMARY", "SECONDARY"})

Client = MongoClient[dict[str, Any]]


def form_replica_set(
    addresses: Sequence[str], seconds: float, access: Access | None = None
) -> None:
    """Make the servers at ``addresses`` ("host:port") the members of one replica set.

    Empty servers are initiated. Servers with a configuration of other addresses (because their
    folders were started on other ports) get the new ones by a forced reconfiguration, which keeps
    their data. With access control the user ``root`` is created. Returns when
    :func:`wait_until_ready` does. Raises EmbeddedServerError.
    """
    deadline = time.monotonic() + seconds
    with _direct_clients(addresses, access) as clients:
        _configure(clients[0], addresses, deadline)
        primary = _wait(clients, deadline)
        if access is not None:
            _make_administrator(primary, access)


def wait_until_ready(
    addresses: Sequence[str], seconds: float, access: Access | None = None
) -> None:
    """Wait until all are PRIMARY or SECONDARY and a majority has acknowledged a write.

    Raises EmbeddedServerError after ``seconds``.
    """
    with _direct_clients(addresses, access) as clients:
        _wait(clients, time.monotonic() + seconds)


def wait_until_healthy(address: str, seconds: float) -> None:
    """Wait until this member is PRIMARY or SECONDARY. Raises EmbeddedServerError after
    ``seconds``."""
    deadline = time.monotonic() + seconds
    state = "not reached"
    with direct_client(address) as client:
        while time.monotonic() < deadline:
            with suppress(PyMongoError):
                state = _state(client)
            if state in _HEALTHY:
                return
            time.sleep(_POLL_SECONDS)
    raise EmbeddedServerError(_not_ready(f"the member {address} is {state}"))


def direct_client(address: str, access: Access | None = None) -> Client:
    """A client of this one member, whatever its state."""
    options: dict[str, Any] = {} if access is None else access.internal_credentials
    return MongoClient(
        address,
        directConnection=True,
        serverSelectionTimeoutMS=2_000,
        connectTimeoutMS=2_000,
        **options,
    )


@contextmanager
def _direct_clients(addresses: Sequence[str], access: Access | None) -> Iterator[list[Client]]:
    with ExitStack() as stack:
        try:
            yield [stack.enter_context(direct_client(address, access)) for address in addresses]
        except PyMongoError as error:
            raise EmbeddedServerError(_not_ready(str(error))) from error


def _make_administrator(primary: Client, access: Access) -> None:
    try:
        primary.admin.command(
            "createUser",
            ADMINISTRATOR,
            pwd=access.password,
            roles=["root"],
            writeConcern={"w": "majority"},
        )
    except OperationFailure as error:
        if error.code != USER_EXISTS:
            raise


def _configure(client: Client, addresses: Sequence[str], deadline: float) -> None:
    while True:
        try:
            current = client.admin.command("replSetGetConfig")["config"]
        except OperationFailure as error:
            if error.code != NOT_YET_INITIALIZED:
                raise
            if _initiate(client, addresses):
                return
        else:
            if [member["host"] for member in current["members"]] != list(addresses):
                _reconfigure(client, current, addresses)
            return
        if time.monotonic() > deadline:
            raise EmbeddedServerError(_not_ready("its configuration cannot be read"))
        time.sleep(_POLL_SECONDS)


def _initiate(client: Client, addresses: Sequence[str]) -> bool:
    """Initiate the replica set; False if the server is loading an existing configuration."""
    try:
        client.admin.command("replSetInitiate", _configuration(addresses))
    except OperationFailure as error:
        if error.code == ALREADY_INITIALIZED:
            return False
        raise
    return True


def _configuration(addresses: Sequence[str]) -> dict[str, Any]:
    return {
        "_id": REPLICA_SET,
        "members": [{"_id": number, "host": host} for number, host in enumerate(addresses)],
        # All members are on one machine, so a failed one is noticed soon.
        "settings": {"electionTimeoutMillis": 1_000, "heartbeatIntervalMillis": 500},
    }


def _reconfigure(client: Client, current: dict[str, Any], addresses: Sequence[str]) -> None:
    members = _configuration(addresses)["members"]
    wanted = {**current, "members": members, "version": current["version"] + 1}
    client.admin.command("replSetReconfig", wanted, force=True)


def _wait(clients: Sequence[Client], deadline: float) -> Client:
    """Wait, and return the client of the primary."""
    reason = "no member answered"
    while time.monotonic() < deadline:
        try:
            states = [_state(client) for client in clients]
            if "PRIMARY" in states and _HEALTHY.issuperset(states):
                primary = clients[states.index("PRIMARY")]
                _majority_write(primary, deadline)
                return primary
            reason = f"its members are {', '.join(states)}"
        except PyMongoError as error:
            reason = str(error)
        time.sleep(_POLL_SECONDS)
    raise EmbeddedServerError(_not_ready(reason))


def _state(client: Client) -> str:
    hello = client.admin.command("hello")
    if hello.get("isWritablePrimary"):
        return "PRIMARY"
    return "SECONDARY" if hello.get("secondary") else "starting"


def _majority_write(client: Client, deadline: float) -> None:
    """Write an entry that exists only in the oplog, and leaves no database behind."""
    milliseconds = max(100, int((deadline - time.monotonic()) * 1000))
    client.admin.command(
        "appendOplogNote",
        data={"ready": True},
        writeConcern={"w": "majority", "wtimeout": milliseconds},
    )


def _not_ready(reason: str) -> str:
    return f"The embedded server runs but is not a working replica set: {reason.rstrip('.')}."
